"""`jitr crl confirm`, `reject`, `reset` and `forget`: what a person decides about a CRL that is in trouble."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime

from jitr.authorities.records import CaRecords
from jitr.aws.pacing import Pace
from jitr.bulk.job import JobKind, JobPlan
from jitr.enforcement.copies import EnforcedCrls
from jitr.registry.row import RegistryRow
from jitr.registry.rows import Registry
from jitr_cli.bulk.followers import verify_no_other
from jitr_cli.bulk.work import Bulk, WorkOptions, in_account, new_job_id, work_options
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import json_number, progress, say
from jitr_cli.crl.brake import BrakeUndoing, Undone, braked_crl, ca_of
from jitr_cli.crl.scopes import Scopes, address, say_accepted, say_braked, scope_options, this_update
from jitr_cli.devices.services import disconnecting_of


@writing_command("confirm")
@scope_options
def confirm(call: Call, *, scopes: Scopes) -> ExitCode:
    """Confirm a CRL that newly lists too many devices: they become REVOKED, which nothing undoes.

    They are INACTIVE since the brake. The enforcement function is started at once, its schedule is the second chance.
    """
    state = scopes.only(lambda each: each.brake_waits, what="CRL is braked")
    crl = state.braked or ""
    call.announce()
    say_braked(state)
    if call.confirm("Revoke these devices for good?"):
        if not scopes.versions.confirm(state.scope, crl, by=call.aws.caller(), at=datetime.now(UTC)):
            raise CommandFailed("another CRL is braked by now: look again")
        function = call.stack.enforcement_function
        call.aws.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")
        say("confirmed; a sweep begins now, and at the next schedule again if it should fail")
    return call.finish({"scope": state.scope, "crl": crl, "confirmed": not call.dry_run})


@writing_command("reject")
@scope_options
@work_options
def reject(call: Call, *, scopes: Scopes, options: WorkOptions) -> ExitCode:
    """Refuse a CRL that newly lists too many devices, and make them ACTIVE again.

    The CRL is refused from then on, also by sweeps. Only devices that were ACTIVE before the brake come back; more than
    1,000 are brought back by the account. Safe to interrupt: started again, it goes on where it stopped. Publish a
    corrected CRL with a higher number.
    """
    per_second = options.rate or float(call.stack.bulk_tps)
    work = _undoing(call, scopes, per_second)
    call.announce()
    say_braked(work.state)
    waiting = work.waiting()
    plan = JobPlan(
        kind=JobKind.REJECT,
        ca_certificate_id=work.ca_certificate_id,
        total=sum(len(row.certificate_ids) for row in waiting),
        scope=work.state.scope,
        crl=work.state.braked,
    )
    away, bulk = in_account(plan, options), Bulk.of(call)
    say(f"{len(waiting)} devices to bring back, which takes about {len(waiting) / per_second / 60:.0f} minutes")
    if away:
        bulk.say_effort(plan, options)
        verify_no_other(bulk.jobs, plan)
    if not call.confirm("Refuse this CRL and make them ACTIVE?"):
        return call.finish({"scope": work.state.scope, "crl": work.state.braked, **_counted(work)})
    at, crl = datetime.now(UTC), work.state.braked or ""
    if not work.versions.reject(work.state.scope, crl, by=call.aws.caller(), at=at):
        raise CommandFailed("another CRL is braked by now: look again")
    if away:
        return _in_account(bulk, plan, options, waiting)
    with progress("bringing back", total=len(waiting)) as bar:
        if not work.run(bar):
            raise CommandFailed("refused; but a sweep of it is running: start this again when it ended", ExitCode.AWS)
    _say_done(work)
    return call.finish({"scope": work.state.scope, "crl": work.state.braked, **_counted(work)})


def _in_account(bulk: Bulk, plan: JobPlan, options: WorkOptions, waiting: list[RegistryRow]) -> ExitCode:
    """Let the account bring devices back: their ids are written down, so that nothing is read from the CRL again."""
    ids = [each for row in waiting for each in sorted(row.certificate_ids)]
    job_id = new_job_id(JobKind.REJECT)
    return bulk.ended(bulk.start(job_id, replace(plan, list_of=job_id), options, away=True, listed=ids))


def _undoing(call: Call, scopes: Scopes, rate: float) -> BrakeUndoing:
    iot, table, named = scopes.iot, scopes.table, scopes.ca_certificate_id
    state = scopes.only(lambda each: each.braked, what="CRL is braked")
    known = [named] if named else [each.ca_certificate_id for each in CaRecords(table).records()]
    enforced = EnforcedCrls(call.aws.client("s3"), call.stack.crl_bucket, call.aws.account())
    ca_certificate_id, ca = ca_of(iot, state.scope, known)
    return BrakeUndoing(
        iot=iot,
        ca_certificate_id=ca_certificate_id,
        rows=Registry(table),
        versions=scopes.versions,
        state=state,
        crl=braked_crl(enforced, state, ca),
        pace=Pace(rate, now=time.monotonic, sleep=time.sleep),
        disconnecting=disconnecting_of(call.aws, call.stack),
        owner=f"reject-{uuid.uuid4()}",
        clock=lambda: datetime.now(UTC),
    )


def _counted(work: BrakeUndoing) -> dict[str, int]:
    return {each.value: work.counted[each] for each in Undone}


def _say_done(work: BrakeUndoing) -> None:
    counted = _counted(work)
    say(
        f"{counted['back']} are ACTIVE again; {counted['not_active_before']} were INACTIVE before and stay so, "
        f"{counted['decided_since']} were revoked by something else meanwhile, {counted['gone']} are gone or REVOKED"
    )
    if counted["unreadable"]:
        say(f"{counted['unreadable']} stay off, because they cannot be read: they are named above")


@writing_command("reset")
@scope_options
def reset(call: Call, *, scopes: Scopes) -> ExitCode:
    """Forget the accepted CRL number and thisUpdate of one scope, after a CA had to start again.

    From then on an old CRL can hide newer revocations from new devices; what is off stays off. The actor and the time
    of the reset are kept in the state table.
    """
    state = scopes.only(lambda each: each.accepted, what="CRL version was accepted")
    number = state.accepted.number if state.accepted else None
    call.announce()
    say(f"CRL {address(state.scope)}")
    say_accepted(state)
    if call.confirm("Accept older CRLs than this one?"):
        scopes.versions.reset(state.scope, by=call.aws.caller(), at=datetime.now(UTC))
        say("reset; the next CRL that is read becomes the accepted one, and every entry of it is looked at again")
    return call.finish(
        {
            "scope": state.scope,
            "number": json_number(number),
            "this_update": this_update(state),
            "reset": not call.dry_run,
        }
    )


@writing_command("forget")
@scope_options
def forget(call: Call, *, scopes: Scopes) -> ExitCode:
    """Look no more at an address of a CRL that certificates named, and that no device needs any more.

    For a partition whose certificates are gone, or a server that never comes back. What was accepted there is kept: if
    a certificate names the address again, nothing older is accepted. ACTIVE devices whose certificates name no other
    address are counted as uncovered from then on, with an alarm. For CAs whose crl is "cdp".
    """
    records = CaRecords(scopes.table)
    found = [
        (record.ca_certificate_id, location)
        for record in records.records()
        for location in record.locations
        if scopes.ca_certificate_id in (None, record.ca_certificate_id) and location.endswith(scopes.ending or "")
    ]
    if len(found) != 1:
        for ca_certificate_id, location in found:
            say(f"  {location} of CA {ca_certificate_id}")
        raise CommandFailed(
            "more than one address is looked at: name one with --scope or --ca-certificate-id"
            if found
            else "no such address is looked at because certificates name it; one of the fleet file is changed there"
        )
    ((ca_certificate_id, location),) = found
    call.announce()
    say(f"CRL {location}")
    say(f"  looked at for CA {ca_certificate_id}, because certificates of activated devices name it")
    done = call.confirm("Look at it no more?") and records.forget(
        ca_certificate_id, location, by=call.aws.caller(), at=datetime.now(UTC)
    )
    if done:
        say("forgotten; a device whose certificate names it and that becomes ACTIVE brings it back")
    return call.finish({"ca_certificate_id": ca_certificate_id, "location": location, "forgotten": bool(done)})
