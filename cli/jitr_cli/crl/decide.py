"""`jitr crl confirm`, `reject` and `reset`: what a person decides about a CRL that was braked or rolled back."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime

import click

from jitr.authorities.records import CaRecords
from jitr.aws.pacing import Pace
from jitr.crls.versions import ScopeState
from jitr.enforcement.copies import EnforcedCrls
from jitr.registry.rows import Registry
from jitr_cli.console.aws import ask
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import emit_json, progress, say
from jitr_cli.crl.brake import BrakeUndoing, Undone, address, braked_crl, ca_of, choose, describe, this_update
from jitr_cli.crl.scopes import ScopeRequest, scope_options


@click.command()
@scope_options
def confirm(*, request: ScopeRequest) -> None:
    """Confirm a CRL that newly lists too many devices: they become REVOKED, which nothing undoes.

    They are INACTIVE since the brake. The enforcement function is started at once, its schedule is the second chance.
    """
    aws, stack, versions = request.aws, request.stack, request.versions
    state = choose([each for each in request.matching() if each.brake_waits], what="CRL is braked")
    crl = state.braked or ""
    aws.announce(stack)
    describe(state)
    if not request.dry_run:
        ask("Revoke these devices for good?", yes=request.yes)
        if not versions.confirm(state.scope, crl, by=request.caller(), at=datetime.now(UTC)):
            raise CommandFailed("another CRL is braked by now: look again")
        aws.client("lambda").invoke(FunctionName=stack.enforcement_function, InvocationType="Event", Payload=b"{}")
        say("confirmed; a sweep begins now, and at the next schedule again if it should fail")
    if request.as_json:
        emit_json({"scope": state.scope, "crl": crl, "confirmed": not request.dry_run})


@click.command()
@scope_options
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 100),
    help="AWS IoT calls a second; without it the deployment's share for bulk work",
)
def reject(*, request: ScopeRequest, rate: float | None) -> None:
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


@click.command()
@scope_options
def reset(*, request: ScopeRequest) -> None:
    """Forget the accepted CRL number and thisUpdate of one scope, after a CA had to start again.

    Whoever can publish an old CRL can hide newer revocations from new devices then; what is off stays off. Who reset
    it, and when, is kept in the state table.
    """
    state = choose([each for each in request.matching() if each.accepted], what="CRL version was accepted")
    number = state.accepted.number if state.accepted else None
    request.aws.announce(request.stack)
    say(f"CRL {address(state.scope)}")
    say(f"  accepted: number {'none' if number is None else number}, thisUpdate {this_update(state)}")
    if not request.dry_run:
        ask("Accept older CRLs than this one?", yes=request.yes)
        request.versions.reset(state.scope, by=request.caller(), at=datetime.now(UTC))
        say("reset; the next CRL that is read becomes the accepted one, and every entry of it is looked at again")
    if request.as_json:
        emit_json(
            {"scope": state.scope, "number": number, "this_update": this_update(state), "reset": not request.dry_run}
        )
