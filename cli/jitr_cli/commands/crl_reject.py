"""`jitr crl reject`: refuse a braked CRL, and bring back what it switched off."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime

import click

from jitr.ca_records import CaRecords
from jitr.crl_versions import ScopeState
from jitr.enforced_crls import EnforcedCrls
from jitr.pacing import Pace
from jitr.registry import Registry
from jitr_cli.aws import ask
from jitr_cli.brake import BrakeUndoing, Undone, braked_crl, ca_of, choose, describe
from jitr_cli.exit_codes import ExitCode
from jitr_cli.failures import CommandFailed
from jitr_cli.output import emit_json, progress, say
from jitr_cli.scope_options import ScopeRequest, scope_options


@click.command()
@scope_options
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 100),
    help="AWS IoT calls a second; without it the deployment's share for bulk work",
)
def command(*, request: ScopeRequest, rate: float | None) -> None:
    """Refuse a CRL that newly lists too many devices, and make them ACTIVE again.

    The CRL is refused from then on, also by sweeps. Only devices that were ACTIVE before the brake come back. Safe to
    interrupt: started again, it goes on where it stopped. Publish a corrected CRL with a higher number.
    """
    per_second = rate or float(request.stack.bulk_tps)
    work = _undoing(request, per_second)
    request.aws.announce(request.stack)
    describe(work.state)
    waiting = work.waiting()
    minutes = waiting / per_second / 60
    say(f"{waiting} devices to bring back, which takes about {minutes:.0f} minutes")
    if request.dry_run:
        return
    ask("Refuse this CRL and make them ACTIVE?", yes=request.yes)
    at, crl = datetime.now(UTC), work.state.braked or ""
    if not work.versions.reject(work.state.scope, crl, by=request.caller(), at=at):
        raise CommandFailed("another CRL is braked by now: look again")
    with progress("bringing back", total=waiting) as bar:
        if not work.run(bar):
            raise CommandFailed("refused; but a sweep of it is running: start this again when it ended", ExitCode.AWS)
    _report(work, as_json=request.as_json)


def _undoing(request: ScopeRequest, rate: float) -> BrakeUndoing:
    iot, table, named = request.iot, request.table, request.ca_certificate_id
    state: ScopeState = choose([each for each in request.matching() if each.braked], what="CRL is braked")
    known = [named] if named else [each.ca_certificate_id for each in CaRecords(table).records()]
    enforced = EnforcedCrls(request.aws.client("s3"), request.stack.crl_bucket, request.aws.account())
    return BrakeUndoing(
        iot=iot,
        rows=Registry(table),
        versions=request.versions,
        state=state,
        crl=braked_crl(enforced, state, ca_of(iot, state.scope, known)),
        pace=Pace(rate, now=time.monotonic, sleep=time.sleep),
        owner=f"reject-{uuid.uuid4()}",
        clock=lambda: datetime.now(UTC),
    )


def _report(work: BrakeUndoing, *, as_json: bool) -> None:
    counted = {each.value: work.counted[each] for each in Undone}
    say(
        f"{counted['back']} are ACTIVE again; {counted['not_active_before']} were INACTIVE before and stay so, "
        f"{counted['decided_since']} were revoked by something else meanwhile, {counted['gone']} are gone or REVOKED"
    )
    if as_json:
        emit_json({"scope": work.state.scope, "crl": work.state.braked, **counted})
