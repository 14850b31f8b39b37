"""`jitr doctor`: looks at a deployment as a new operator would.

Exit codes: 0 no errors; 1 errors; 2 no errors, but something could not be looked at; 69 AWS unreachable altogether.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.fleet import fleet_option
from jitr_cli.console.output import emit_table, progress, say
from jitr_fleet.deployments.deployment import Deployment
from jitr_fleet.files.mistakes import FleetFileError
from jitr_fleet.fleet_file.reader import read_fleet

if TYPE_CHECKING:
    from jitr_cli.diagnosis.deployed import Deployed
    from jitr_cli.diagnosis.finding import Check, Finding

# What is worst stands last, next to the sum.
_SEVERITIES = ("unknown", "warning", "error")
_COLUMNS = ("", "check", "found", "what to do")


@reading_command("doctor")
@click.option("--only", metavar="CHECK", multiple=True, help="make only this check; may be given repeatedly")
@click.option(
    "--accept-rule",
    "accepted_rules",
    metavar="NAME",
    multiple=True,
    help="a topic rule that is known to activate nothing; may be given repeatedly",
)
@fleet_option
def command(call: Call, *, only: tuple[str, ...], accepted_rules: tuple[str, ...], fleet: Path) -> ExitCode:
    """Look at a deployment: does every event arrive, is every CRL fresh, are people told when not; writes nothing.

    Exit code: 0 no errors, 1 errors, 2 no errors but something could not be looked at.
    """
    chosen = _chosen(only)
    seen = _deployed(call, fleet, frozenset(accepted_rules))
    call.announce()
    from jitr_cli.diagnosis.examination import examine  # noqa: PLC0415 - imports botocore, which usage mistakes need not

    with progress("looking", total=len(chosen)) as bar:
        found = list(examine(seen, chosen, bar))
    data = {"deployment": seen.stack.deployment, "checks": [_as_data(*each) for each in found]}
    call.finish(data, words=lambda: emit_table(_COLUMNS, _rows(found)))
    return _exit_code(finding for _, finding in found)


def _chosen(only: tuple[str, ...]) -> tuple[Check, ...]:
    from jitr_cli.checks.catalogue import CHECKS  # noqa: PLC0415 - see above

    known = {check.code for check in CHECKS}
    if wrong := sorted(set(only) - known):
        raise CommandFailed(f"there is no check {', '.join(wrong)}; there are: {', '.join(sorted(known))}")
    return tuple(check for check in CHECKS if not only or check.code in only)


def _deployed(call: Call, fleet: Path, accepted_rules: frozenset[str]) -> Deployed:
    """Return the deployment; what fails here is AWS as a whole, and passes on."""
    from jitr_cli.diagnosis.deployed import Deployed  # noqa: PLC0415 - see above
    from jitr_cli.diagnosis.watched_aws import WatchedAws  # noqa: PLC0415

    name, identity = call.stack.deployment, call.aws.identity
    return Deployed(
        aws=WatchedAws.watching(call.aws),
        stack=call.stack,
        account=identity.account,
        now=identity.asked_at,
        aws_date=identity.date,
        wanted=_wanted(fleet, name),
        accepted_rules=accepted_rules,
        others=[each for each in call.aws.deployments() if each.deployment != name],
    )


def _wanted(fleet: Path, name: str) -> Deployment | None:
    """Return what the fleet file says of the deployment, if there is one and it names it."""
    if not fleet.is_file():
        return None
    try:
        return next((each for each in read_fleet(fleet, check_policies=False).deployments if each.name == name), None)
    except FleetFileError as mistake:
        say(f"warning: the fleet file {fleet} cannot be used, nothing is compared with it:\n{mistake}")
        return None


def _rows(found: Sequence[tuple[Check, Finding]]) -> Iterator[tuple[str, str, str, str]]:
    """Yield one row for each check that is well, then all that is not, so that it stands where people look last."""
    unwell = [(check, each) for check, each in found if each.status.value != "ok"]
    counts = Counter(check for check, _ in found)
    for check, each in dict(found).items():
        if check not in dict(unwell):
            yield "ok", check.code, each.message if counts[check] == 1 else f"{check.about} ({counts[check]})", ""
    for check, each in sorted(unwell, key=lambda row: _SEVERITIES.index(row[1].status.value)):
        yield each.status.value, check.code, each.message, each.fix


def _as_data(check: Check, finding: Finding) -> dict[str, str]:
    return {"check": check.code, "status": finding.status.value, "message": finding.message, "fix": finding.fix}


def _exit_code(findings: Iterable[Finding]) -> ExitCode:
    counts = Counter(each.status.value for each in findings)
    say(", ".join(f"{counts[status]} {status}" for status in ("error", "warning", "unknown", "ok") if counts[status]))
    if counts["error"]:
        return ExitCode.NO
    return ExitCode.UNDETERMINED if counts["unknown"] else ExitCode.DONE
