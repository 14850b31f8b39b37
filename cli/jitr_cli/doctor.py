"""`jitr doctor`: looks at a deployment as a new operator would.

Exit codes: 0 no errors; 1 errors; 2 no errors, but something could not be looked at; 69 AWS unreachable altogether.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.fleet import fleet_option, read_deployment
from jitr_cli.console.output import emit_table, progress, say
from jitr_fleet.deployments.deployment import Fleet
from jitr_fleet.files.mistakes import FleetFileError
from jitr_fleet.fleet_file.reader import read_fleet

if TYPE_CHECKING:
    from jitr_cli.diagnosis.deployed import Deployed
    from jitr_cli.diagnosis.examination import Seen
    from jitr_cli.diagnosis.finding import Check, Finding

T = TypeVar("T")
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
@click.option(
    "--before-deploy", is_flag=True, help="look at what would make a deploy fail, before there is anything deployed"
)
@fleet_option
@click.pass_context
def command(
    context: click.Context,
    call: Call,
    *,
    only: tuple[str, ...],
    accepted_rules: tuple[str, ...],
    before_deploy: bool,
    fleet: Path,
) -> ExitCode:
    """Look at a deployment: does every event arrive, is every CRL fresh, are people told when not; writes nothing.

    Exit code: 0 no errors, 1 errors, 2 no errors but something could not be looked at, 64 a --fleet FILE that cannot
    be used.
    """
    if before_deploy:
        return _before_deploy(call, only, fleet)
    chosen = _chosen(only)
    named = context.get_parameter_source("fleet") is not ParameterSource.DEFAULT
    seen = _deployed(call, _fleet(fleet, named=named), frozenset(accepted_rules))
    call.announce()
    return _examined(call, seen.stack.deployment, seen, chosen)


def _examined(call: Call, name: str, seen: Seen, checks: Sequence[Check[Seen]]) -> ExitCode:
    from jitr_cli.diagnosis.examination import examine  # noqa: PLC0415 - imports botocore, which usage mistakes need not

    with progress("looking", total=len(checks)) as bar:
        found = list(examine(seen, checks, bar))
    data = {"deployment": name, "checks": [_as_data(*each) for each in found]}
    call.finish(data, words=lambda: emit_table(_COLUMNS, _rows(found)))
    return _exit_code(finding for _, finding in found)


def _before_deploy(call: Call, only: tuple[str, ...], fleet: Path) -> ExitCode:
    """Look at the account that a deployment of the fleet file is to be made in, in that deployment's Region."""
    from jitr_cli.diagnosis.before_deploy import CHECKS, BeforeDeploy  # noqa: PLC0415 - imports botocore
    from jitr_cli.diagnosis.watched_aws import WatchedAws  # noqa: PLC0415

    chosen = _of(CHECKS, only)
    wanted = read_deployment(fleet, call.deployment)
    aws = WatchedAws.watching(call.aws, default_region=wanted.region)
    seen = BeforeDeploy(aws=aws, wanted=wanted, account=aws.account())
    say(f"account {seen.account} · Region {aws.region} · deployment {wanted.name}, before its deploy")
    return _examined(call, wanted.name, seen, chosen)


def _chosen(only: tuple[str, ...]) -> Sequence[Check[Deployed]]:
    from jitr_cli.checks.catalogue import CHECKS  # noqa: PLC0415 - see above

    return _of(CHECKS, only)


def _of(checks: Sequence[Check[T]], only: tuple[str, ...]) -> Sequence[Check[T]]:
    known = {check.code for check in checks}
    if wrong := sorted(set(only) - known):
        raise CommandFailed(f"there is no check {', '.join(wrong)}; there are: {', '.join(sorted(known))}")
    return tuple(check for check in checks if not only or check.code in only)


def _deployed(call: Call, fleet: Fleet | FleetFileError | None, accepted_rules: frozenset[str]) -> Deployed:
    """Return the deployment; what fails here is AWS as a whole, and passes on."""
    from jitr_cli.diagnosis.deployed import Deployed  # noqa: PLC0415 - see above
    from jitr_cli.diagnosis.watched_aws import WatchedAws  # noqa: PLC0415

    name, identity = call.stack.deployment, call.aws.identity
    wanted = fleet.deployments if isinstance(fleet, Fleet) else ()
    return Deployed(
        aws=WatchedAws.watching(call.aws),
        stack=call.stack,
        account=identity.account,
        now=identity.asked_at,
        aws_date=identity.date,
        wanted=next((each for each in wanted if each.name == name), None),
        broken_fleet_file=str(fleet) if isinstance(fleet, FleetFileError) else "",
        accepted_rules=accepted_rules,
        others=[each for each in call.aws.deployments() if each.deployment != name],
    )


def _fleet(file: Path, *, named: bool) -> Fleet | FleetFileError | None:
    """Return a fleet file, what is wrong with it, or None; one that somebody `named` has to be there and right."""
    if not file.is_file():
        if named:
            raise CommandFailed(f"there is no fleet file {file}")
        return None
    try:
        return read_fleet(file, check_policies=False)
    except FleetFileError as mistake:
        if named:
            raise CommandFailed(f"the fleet file {file} cannot be used:\n{mistake}") from mistake
        return mistake


def _rows(found: Sequence[tuple[Check[Any], Finding]]) -> Iterator[tuple[str, str, str, str]]:
    """Yield one row for each check that is well, then all that is not, so that it stands where people look last."""
    unwell = [(check, each) for check, each in found if each.status.value != "ok"]
    counts = Counter(check for check, _ in found)
    for check, each in dict(found).items():
        if check not in dict(unwell):
            yield "ok", check.code, each.message if counts[check] == 1 else f"{check.about} ({counts[check]})", ""
    for check, each in sorted(unwell, key=lambda row: _SEVERITIES.index(row[1].status.value)):
        yield each.status.value, check.code, each.message, each.fix


def _as_data(check: Check[Any], finding: Finding) -> dict[str, str]:
    return {"check": check.code, "status": finding.status.value, "message": finding.message, "fix": finding.fix}


def _exit_code(findings: Iterable[Finding]) -> ExitCode:
    counts = Counter(each.status.value for each in findings)
    say(", ".join(f"{counts[status]} {status}" for status in ("error", "warning", "unknown", "ok") if counts[status]))
    if counts["error"]:
        return ExitCode.NO
    return ExitCode.UNDETERMINED if counts["unknown"] else ExitCode.DONE
