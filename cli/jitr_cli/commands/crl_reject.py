"""`jitr crl reject`: refuse a braked CRL, and bring back what it switched off."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime

import click

from jitr.ca_records import CaRecords
from jitr.crl_versions import CrlVersions, ScopeState
from jitr.enforced_crls import EnforcedCrls
from jitr.iot_registry import IotRegistry
from jitr.pacing import Pace
from jitr.registry import Registry
from jitr.state_table import StateTable
from jitr_cli.aws import Aws, ask, aws_options, deployment_option, dry_run_option, json_option, yes_option
from jitr_cli.brake import Undoing, Undone, braked_crl, ca_of, ca_option, choose, describe, matching, scope_option
from jitr_cli.exit_codes import ExitCode
from jitr_cli.failures import CommandFailed
from jitr_cli.output import emit_json, progress, say
from jitr_fleet.stack_outputs import StackOutputs


@click.command()
@ca_option
@scope_option
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 100),
    help="AWS IoT calls a second; without it the deployment's share for bulk work",
)
@deployment_option
@dry_run_option
@yes_option
@json_option
@aws_options
def command(
    *,
    aws: Aws,
    ca_certificate_id: str | None,
    scope: str | None,
    rate: float | None,
    deployment: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Refuse a CRL that newly lists too many devices, and make them ACTIVE again.

    The CRL is refused from then on, also by sweeps. Only devices that were ACTIVE before the brake come back. Safe to
    interrupt: started again, it goes on where it stopped. Publish a corrected CRL with a higher number.
    """
    stack = aws.deployment(deployment)
    work = _undoing(aws, stack, ca_certificate_id, scope, rate or float(stack.bulk_tps))
    aws.announce(stack)
    describe(work.state)
    waiting = work.waiting()
    minutes = waiting / (rate or float(stack.bulk_tps)) / 60
    say(f"{waiting} devices to bring back, which takes about {minutes:.0f} minutes")
    if dry_run:
        return
    ask("Refuse this CRL and make them ACTIVE?", yes=yes)
    by = aws.client("sts").get_caller_identity()["Arn"]
    if not work.versions.reject(work.state.scope, work.state.braked or "", by=by, at=datetime.now(UTC)):
        raise CommandFailed("another CRL is braked by now: look again")
    with progress("bringing back", total=waiting) as bar:
        if not work.run(bar):
            raise CommandFailed("refused; but a sweep of it is running: start this again when it ended", ExitCode.AWS)
    _report(work, as_json=as_json)


def _undoing(aws: Aws, stack: StackOutputs, ca_certificate_id: str | None, scope: str | None, rate: float) -> Undoing:
    iot, table = IotRegistry(aws.client("iot")), StateTable(aws.client("dynamodb"), stack.state_table)
    versions = CrlVersions(table)
    found = matching(versions, iot, ca_certificate_id=ca_certificate_id, scope=scope)
    state: ScopeState = choose([each for each in found if each.braked], what="CRL is braked")
    known = (
        [ca_certificate_id] if ca_certificate_id else [each.ca_certificate_id for each in CaRecords(table).records()]
    )
    enforced = EnforcedCrls(aws.client("s3"), stack.crl_bucket, aws.account())
    return Undoing(
        iot=iot,
        rows=Registry(table),
        versions=versions,
        state=state,
        crl=braked_crl(enforced, state, ca_of(iot, state.scope, known)),
        pace=Pace(rate, now=time.monotonic, sleep=time.sleep),
        owner=f"reject-{uuid.uuid4()}",
        clock=lambda: datetime.now(UTC),
    )


def _report(work: Undoing, *, as_json: bool) -> None:
    counted = {each.value: work.counted[each] for each in Undone}
    say(
        f"{counted['back']} are ACTIVE again; {counted['not_active_before']} were INACTIVE before and stay so, "
        f"{counted['decided_since']} were revoked by something else meanwhile, {counted['gone']} are gone or REVOKED"
    )
    if as_json:
        emit_json({"scope": work.state.scope, "crl": work.state.braked, **counted})
