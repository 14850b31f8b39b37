"""`jitr device reinstate`: make an INACTIVE device ACTIVE again, after every check that an activation makes.

Exit codes: 0 ACTIVE, 1 refused for a definite reason, 2 it could not be determined, 69 AWS unreachable or refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import click

from jitr.activation.candidate import Candidate
from jitr.activation.operator_checks import ThingToTake, find_candidate, find_thing_to_take, step, verify_candidate
from jitr.aws.iot import CertificateStatus
from jitr.errors import Reason, Rejected, Undecided, Waiting
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.files import openssl_serial
from jitr_cli.console.output import progress, say
from jitr_cli.devices.naming import Named, certificate_argument
from jitr_cli.devices.refusals import Refusal, answer, refused
from jitr_cli.devices.services import DeviceServices, finish_open, new_owner, verify_acts, verify_clock


@dataclass(frozen=True, kw_only=True)
class Reinstatement:
    """What is to be done: `thing` is a Thing to take over; nothing at all where `done` says why."""

    candidate: Candidate
    thing: ThingToTake | None = None
    done: str | None = None


@writing_command("reinstate")
@certificate_argument
@click.option("--take-thing", is_flag=True, help="take its Thing back from another certificate, which goes INACTIVE")
def command(call: Call, *, certificate: Named, take_thing: bool) -> ExitCode:
    """Make an INACTIVE device ACTIVE again; DEVICE is what `jitr device list` shows of it.

    Everything is checked first that an activation checks: CA, certificate, CRL, allow-list, registry, Thing. A
    certificate that the CRL lists, or that is REVOKED, does not come back.
    """
    services = DeviceServices.of(call.aws, call.stack, activating=True)
    verify_acts(services)
    call.announce()
    try:
        with progress("checking", total=None):
            found = _prepare(services, certificate.certificate_id, take_thing=take_thing, dry_run=call.dry_run)
        outcome, replaced = _carry_out(call, services, found)
    except (Refusal, Rejected, Waiting, Undecided) as failure:
        return refused(call, failure, certificate.certificate_id)
    candidate = found.candidate
    return call.finish(
        answer(candidate.certificate_id, outcome=outcome, step=8, replaced=replaced, thing=candidate.thing_name)
    )


def _prepare(services: DeviceServices, certificate_id: str, *, take_thing: bool, dry_run: bool) -> Reinstatement:
    """Run every check, with nothing written but what an earlier run left open; raises as the checks do."""
    examination = services.examination(writes=False)
    candidate = find_candidate(examination, certificate_id)
    status = candidate.registered.status
    if status is CertificateStatus.ACTIVE:
        return Reinstatement(candidate=candidate, done=finish_open(services, candidate, dry_run=dry_run))
    if status is CertificateStatus.REVOKED:
        with step(2):
            raise Rejected(Reason.REVOKED, "the certificate is REVOKED, which AWS IoT makes final: issue another one")
    if status is not CertificateStatus.INACTIVE:
        raise Refusal(
            "not_inactive", f"the certificate is {status}: `jitr device explain` says what it waits for", step=2
        )
    candidate = verify_candidate(examination, services.rows, candidate)
    thing = find_thing_to_take(services.registry, candidate)
    if thing is not None and not take_thing:
        with step(7):
            raise Rejected(
                Reason.THING_IN_USE, f"Thing {thing.thing_name} belongs to {_holder(thing)}: --take-thing takes it back"
            )
    return Reinstatement(candidate=candidate, thing=thing)


def _carry_out(call: Call, services: DeviceServices, found: Reinstatement) -> tuple[str, str | None]:
    """Ask and activate; returns the outcome and the certificate that lost the Thing, if one did."""
    if found.done is not None:
        say(found.done)
        return "already_active", None
    _describe(found)
    if not call.dry_run:
        verify_clock(call.aws)
    if not call.confirm("Make it ACTIVE?"):
        return "would_reinstate", None
    activation = services.operator_activation()
    with progress("activating", total=None):
        replaced = activation.reinstate(found.candidate, owner=new_owner(call.aws), take=found.thing)
    say("ACTIVE; its next connect is admitted")
    return "reinstated", replaced


def _describe(found: Reinstatement) -> None:
    candidate = found.candidate
    say(f"reinstate {candidate.certificate_id}")
    serial = openssl_serial(candidate.certificate.serial_number)
    say(f"  CA {candidate.ca.name}, serial {serial}, Thing {candidate.thing_name or 'none'}")
    if found.thing is not None:
        say(f"  Thing {found.thing.thing_name} is taken from {_holder(found.thing)}, which becomes INACTIVE")


def _holder(thing: ThingToTake) -> str:
    return thing.holder or "a certificate that is not known"
