"""`jitr device rebind`: give a Thing to another certificate of the same device, which an activation refused to do.

Exit codes: 0 the new certificate is ACTIVE, 1 refused for a definite reason, 2 it could not be determined, 69 AWS
unreachable or refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from jitr import certificates
from jitr.activation.candidate import Candidate
from jitr.activation.operator_checks import ThingToTake, find_candidate, find_thing_to_take, step, verify_candidate
from jitr.aws.iot import CertificateStatus, RegisteredCertificate
from jitr.certificates import Certificate
from jitr.errors import Reason, Rejected, Undecided, Waiting
from jitr.messages.event import is_certificate_id
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.files import zulu
from jitr_cli.console.output import progress, say
from jitr_cli.devices.naming import Named, certificate_argument
from jitr_cli.devices.refusals import Refusal, answer, refused
from jitr_cli.devices.services import DeviceServices, finish_open, new_owner, verify_acts, verify_clock

_OFF = (CertificateStatus.INACTIVE, CertificateStatus.REVOKED)


@dataclass(frozen=True, kw_only=True)
class Rebinding:
    """What is to be done: `thing` None: an earlier run moved it; `holder` None: it is gone, or there was none."""

    candidate: Candidate
    thing: ThingToTake | None
    holder: RegisteredCertificate | None

    @property
    def thing_name(self) -> str:
        """Return the Thing's name."""
        return self.candidate.thing_name or ""


@writing_command("rebind")
@certificate_argument
def command(call: Call, *, certificate: Named) -> ExitCode:
    """Give the Thing that DEVICE asks for to this certificate, and make it ACTIVE.

    For a device with a renewed certificate that was turned away as thing_in_use. The old certificate goes INACTIVE once
    the new one is ACTIVE, and is detached from the Thing. `jitr device reinstate --take-thing` is the way back.
    """
    services = DeviceServices.of(call.aws, call.stack, activating=True)
    verify_acts(services)
    call.announce()
    replaced = None
    try:
        candidate = find_candidate(services.examination(writes=False), certificate.certificate_id)
        if candidate.registered.status is CertificateStatus.ACTIVE:
            candidate, outcome = _clean_up(services, candidate, dry_run=call.dry_run), "already_active"
        else:
            with progress("checking", total=None):
                rebinding = _prepare(services, candidate)
            candidate = rebinding.candidate
            outcome, replaced = _carry_out(call, services, rebinding)
    except (Refusal, Rejected, Waiting, Undecided) as failure:
        return refused(call, failure, certificate.certificate_id)
    return call.finish(
        answer(candidate.certificate_id, outcome=outcome, step=8, replaced=replaced, thing=candidate.thing_name)
    )


def _carry_out(call: Call, services: DeviceServices, rebinding: Rebinding) -> tuple[str, str | None]:
    """Ask and activate; returns the outcome and the certificate that lost the Thing, if one did."""
    _describe(rebinding)
    if not call.dry_run:
        verify_clock(call.aws)
    if not call.confirm("Give it the Thing?"):
        return "would_rebind", None
    candidate = rebinding.candidate
    with progress("activating", total=None):
        activation = services.operator_activation()
        replaced = activation.rebind(candidate, owner=new_owner(call.aws), take=rebinding.thing)
    say(f"ACTIVE; Thing {candidate.thing_name} is this certificate's")
    _detach(services, candidate)
    return "rebound", replaced


def _prepare(services: DeviceServices, candidate: Candidate) -> Rebinding:
    status = candidate.registered.status
    if status is not CertificateStatus.PENDING_ACTIVATION:
        raise Refusal(
            "not_pending",
            f"the certificate is {status}; only one that waits (PENDING_ACTIVATION) is given a Thing here: an INACTIVE "
            "one comes back with `jitr device reinstate --take-thing`",
            step=2,
        )
    candidate = verify_candidate(services.examination(writes=False), services.rows, candidate)
    if candidate.thing_name is None:
        raise Refusal("no_thing", f"the devices of CA {candidate.ca.name} have no Things", step=7)
    if services.registry.find_thing(candidate.thing_name) is None:
        raise Refusal(
            "thing_is_free",
            f"there is no Thing {candidate.thing_name} yet: the device's next connect does it all",
            step=7,
        )
    thing = find_thing_to_take(services.registry, candidate)
    with step(7):
        holder = _holder(services, thing)
        if holder is not None:
            _verify_same_device(certificates.load_certificate(holder.pem), candidate)
    return Rebinding(candidate=candidate, thing=thing, holder=holder)


def _holder(services: DeviceServices, thing: ThingToTake | None) -> RegisteredCertificate | None:
    """Return the certificate that has the Thing; None where it is gone, or the Thing names no certificate."""
    if thing is None or thing.holder is None or not is_certificate_id(thing.holder):
        return None
    try:
        return services.registry.describe_certificate(thing.holder)
    except Undecided as error:
        if error.reason is not Reason.CERTIFICATE_NOT_FOUND:
            raise
        return None


def _verify_same_device(old: Certificate, candidate: Candidate) -> None:
    """Check that the names agree: a Thing does not move from one device to another."""
    if certificates.common_name(old) != certificates.common_name(candidate.certificate):
        raise Rejected(
            Reason.THING_IN_USE,
            f"Thing {candidate.thing_name} belongs to a certificate with another common name: not the same device",
        )


def _describe(rebinding: Rebinding) -> None:
    new = rebinding.candidate.certificate
    say(f"rebind Thing {rebinding.thing_name}")
    say(f"  to   {rebinding.candidate.certificate_id}: CA {rebinding.candidate.ca.name}, {_life(new)}")
    if rebinding.thing is None:
        say("  an earlier run moved the Thing: only the activation is left to do")
        return
    if rebinding.holder is None:
        say(f"  from {rebinding.thing.holder or 'no certificate'}, which AWS IoT does not know")
        return
    old = certificates.load_certificate(rebinding.holder.pem)
    say(f"  from {rebinding.holder.certificate_id}: {rebinding.holder.status}, {_life(old)}; it becomes INACTIVE")
    if rebinding.holder.ca_certificate_id != rebinding.candidate.ca.ca_certificate_id:
        say("  warning: the old certificate was registered under another CA")
    if new.begins is None or old.begins is None or new.begins <= old.begins:
        say("  warning: the new certificate is not the later one of the two")


def _life(certificate: Certificate) -> str:
    return f"valid {zulu(certificate.begins) or 'unreadable'} to {zulu(certificate.ends) or 'unreadable'}"


def _clean_up(services: DeviceServices, candidate: Candidate, *, dry_run: bool) -> Candidate:
    """Finish for a certificate that is ACTIVE already what an interrupted run may have left open."""
    named = services.examination(writes=False).verify_certificate(candidate)
    if (thing := find_thing_to_take(services.registry, named)) is not None:
        raise Refusal(
            "not_pending", f"the certificate is ACTIVE, although Thing {thing.thing_name} is not its own", step=2
        )
    say(finish_open(services, named, dry_run=dry_run))
    if not dry_run:
        _detach(services, named)
    return named


def _detach(services: DeviceServices, candidate: Candidate) -> None:
    """Detach from the Thing whatever other certificate is attached and off."""
    if candidate.thing_name is None:
        return
    for arn in services.registry.principals_of(candidate.thing_name):
        certificate_id = arn.rpartition("/")[2]
        if arn == candidate.registered.arn or not is_certificate_id(certificate_id):
            continue
        status = services.registry.describe_certificate(certificate_id).status
        if status in _OFF:
            services.registry.detach_thing(candidate.thing_name, arn)
            say(f"detached {certificate_id}, which is {status}")
        else:
            say(f"warning: {certificate_id} is attached to Thing {candidate.thing_name} too, and {status}")
