"""`jitr device explain`: why a device is not active.

Exit codes: 0 active, and everything as it should be; 1 not so, for a definite reason; 2 it could not be determined.
"""

from __future__ import annotations

from jitr.activation.candidate import Candidate
from jitr.authorities.obstacles import Obstacle, obstacles
from jitr.aws.iot import CertificateStatus, RegisteredCertificate
from jitr.certificates import Certificate, verify_issued_by
from jitr.errors import Reason, Rejected, Undecided
from jitr.settings import ManagedCa
from jitr_cli.authorities.registry import CaRegistry
from jitr_cli.console.aws import Aws
from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.output import progress
from jitr_cli.devices.naming import Named, certificate_argument
from jitr_cli.devices.refusals import AWS_FAILURES
from jitr_cli.devices.services import DeviceServices
from jitr_cli.explain.connection import look_at_connections
from jitr_cli.explain.evidence import gather
from jitr_cli.explain.findings import DeviceFindings, Standing, StepFound, conclude
from jitr_cli.explain.inspection import Inspection
from jitr_cli.explain.report import as_data, print_words

EXIT_CODES = {
    Standing.ACTIVE: ExitCode.DONE,
    Standing.INCONSISTENT: ExitCode.NO,
    Standing.NOT_ACTIVE: ExitCode.NO,
    Standing.UNDETERMINED: ExitCode.UNDETERMINED,
}
# What keeps AWS IoT from registering an unknown device.
_UNREGISTERED = {
    Obstacle.INACTIVE: "is INACTIVE: its devices are not registered",
    Obstacle.AUTO_REGISTRATION_OFF: "registers no devices by itself",
}


@reading_command("explain")
@certificate_argument
def command(call: Call, *, certificate: Named) -> ExitCode:
    """Say at which step a device stands, why, and what to do; DEVICE is its file, or what `jitr device list` shows.

    Reads certificate, CA, CRL, registry row, Thing, policy, dead letters and the functions' last log lines, and writes
    nothing. With the file even a device that has never connected is explained.
    """
    services = DeviceServices.of(call.aws, call.stack)
    call.announce()
    with progress("looking", total=None):
        found = _looked_at(call.aws, services, certificate)
        found.connections = look_at_connections(call.aws, services, found)
        evidence = gather(call.aws, call.stack, certificate.certificate_id)
    verdict, stands = conclude(found)
    return call.finish(
        as_data(found, verdict, stands, evidence),
        EXIT_CODES[verdict],
        words=lambda: print_words(found, verdict, stands, evidence),
    )


def _looked_at(aws: Aws, services: DeviceServices, named: Named) -> DeviceFindings:
    try:
        return Inspection(services).look(named.certificate_id)
    except Undecided as failure:
        if failure.reason in AWS_FAILURES:
            raise
        return _unregistered(aws, services, named)


def _unregistered(aws: Aws, services: DeviceServices, named: Named) -> DeviceFindings:
    """Explain a certificate that AWS IoT does not know: whether it would be registered, and what then."""
    found = DeviceFindings(certificate_id=named.certificate_id)
    message = "AWS IoT knows no such certificate here: it has never connected, or not with its CA's certificate and SNI"
    reason = "not_registered"
    if not isinstance(named.certificate, Certificate):
        unread = named.certificate
        why = "with the certificate's file more could be said" if unread is None else f"the file: {unread.why}"
        found.notes.append(why)
        Inspection(services).look_by_id(found)
    elif (issuer := _issuer(services, named.certificate)) is None:
        reason, message = "unmanaged_ca", "no CA that this deployment manages is seen to have issued it"
    else:
        managed, ca = issuer
        found = Inspection(services).foresee(_candidate(services, named.certificate_id, named.certificate, managed, ca))
        found.notes += [f"then, at step {each.step}: {each.message} ({each.reason})" for each in found.failures()]
        found.steps.clear()
        registration = CaRegistry(aws.client("iot")).find(managed.ca_certificate_id)
        if registration is None:
            reason, message = "ca_not_registered", f"CA {managed.name} is not registered in AWS IoT here"
        else:
            kept_out = obstacles(registration.facts, at=services.clock())
            if Obstacle.PROVISIONING_TEMPLATE in kept_out:
                found.notes.append(
                    "the CA has a provisioning template (JITP): AWS IoT activates its devices past every check"
                )
            for obstacle in kept_out:
                if obstacle in _UNREGISTERED:
                    reason, message = obstacle.value, f"CA {managed.name} {_UNREGISTERED[obstacle]}"
                    break
    found.steps[2] = StepFound(step=2, outcome="rejected", reason=str(reason), message=message)
    return found


def _issuer(services: DeviceServices, certificate: Certificate) -> tuple[ManagedCa, Certificate] | None:
    at = services.clock()
    for managed in services.authorities.all(at=at):
        try:
            ca = services.authorities.certificate(managed, at=at)
            verify_issued_by(certificate, ca)
        except Rejected as refusal:
            if refusal.reason is not Reason.WEAK_SIGNATURE or certificate.issuer != ca.subject:
                continue
        except Undecided:
            continue
        return managed, ca
    return None


def _candidate(
    services: DeviceServices,
    certificate_id: str,
    certificate: Certificate,
    managed: ManagedCa,
    ca: Certificate,
) -> Candidate:
    """Return the certificate as it would be right after its registration."""
    registered = RegisteredCertificate(
        certificate_id=certificate_id,
        arn="",
        ca_certificate_id=managed.ca_certificate_id,
        owner=services.environment.account,
        status=CertificateStatus.PENDING_ACTIVATION,
        pem="",
    )
    return Candidate(
        registered=registered, described_at=services.clock(), certificate=certificate, ca=managed, ca_certificate=ca
    )
