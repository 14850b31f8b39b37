"""`jitr device explain`: why a device is not active.

Exit codes: 0 active, and everything as it should be; 1 not so, for a definite reason; 2 it could not be determined.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
from cryptography import x509

from jitr.activation.candidate import Candidate
from jitr.authorities.obstacles import Obstacle, obstacles
from jitr.aws.iot import CertificateStatus, RegisteredCertificate
from jitr.certificates import verify_issued_by
from jitr.errors import Reason, Rejected, Undecided
from jitr.settings import ManagedCa
from jitr_cli.authorities.registry import CaRegistry
from jitr_cli.console.advice import page
from jitr_cli.console.aws import Aws, aws_options, deployment_option, json_option
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.files import zulu
from jitr_cli.console.output import emit_json, printable, progress, say
from jitr_cli.device.services import AWS_FAILURES, DeviceServices, Named, certificate_argument
from jitr_cli.explain.evidence import Evidence, gather
from jitr_cli.explain.findings import TITLES, Found, StepFound, Verdict, advice_for, conclude
from jitr_cli.explain.inspection import Inspection

EXIT_CODES = {
    Verdict.ACTIVE: ExitCode.DONE,
    Verdict.INCONSISTENT: ExitCode.NO,
    Verdict.NOT_ACTIVE: ExitCode.NO,
    Verdict.UNDETERMINED: ExitCode.UNDETERMINED,
}
# What keeps AWS IoT from registering an unknown device.
_UNREGISTERED = {
    Obstacle.INACTIVE: "is INACTIVE: its devices are not registered",
    Obstacle.AUTO_REGISTRATION_OFF: "registers no devices by itself",
}
_MARKS = {"passed": "ok  ", "undecided": "?   ", "waiting": "wait"}


@click.command()
@certificate_argument
@deployment_option
@json_option
@aws_options
def command(*, aws: Aws, certificate: Named, deployment: str | None, as_json: bool) -> ExitCode:
    """Say at which step a device stands, why, and what to do; CERTIFICATE is its file or its id.

    Reads certificate, CA, CRL, registry row, Thing, policy, dead letters and the functions' last log lines, and writes
    nothing. With the file even a device that has never connected is explained.
    """
    stack = aws.deployment(deployment)
    services = DeviceServices.of(aws, stack)
    say(f"account {services.environment.account} · Region {aws.region} · deployment {stack.deployment}")
    with progress("looking", total=None):
        found = _found(aws, services, certificate)
        evidence = gather(aws, stack, certificate.certificate_id)
    verdict, stands = conclude(found)
    if as_json:
        emit_json(_as_data(found, verdict, stands, evidence))
    else:
        _print(found, verdict, stands, evidence)
    return EXIT_CODES[verdict]


def _found(aws: Aws, services: DeviceServices, named: Named) -> Found:
    try:
        return Inspection(services).look(named.certificate_id)
    except Undecided as failure:
        if failure.reason in AWS_FAILURES:
            raise
        return _unregistered(aws, services, named)


def _unregistered(aws: Aws, services: DeviceServices, named: Named) -> Found:
    """Explain a certificate that AWS IoT does not know: whether it would be registered, and what then."""
    found = Found(certificate_id=named.certificate_id)
    message = "AWS IoT knows no such certificate here: it has never connected, or not with its CA's certificate and SNI"
    reason = "not_registered"
    if named.certificate is None:
        found.notes.append("with the certificate's file more could be said")
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


def _issuer(services: DeviceServices, certificate: x509.Certificate) -> tuple[ManagedCa, x509.Certificate] | None:
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
    certificate: x509.Certificate,
    managed: ManagedCa,
    ca: x509.Certificate,
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


def _as_data(found: Found, verdict: Verdict, stands: StepFound, evidence: Evidence) -> dict[str, Any]:
    candidate, row = found.candidate, found.row
    crls = [] if found.check is None else [each.crl for each in found.check.used]
    return {
        "certificate_id": found.certificate_id,
        "verdict": verdict.value,
        "status": None if found.status is None else found.status.value,
        "step": stands.step,
        "outcome": stands.outcome,
        "reason": stands.reason,
        "message": stands.message or "active, and everything as it should be",
        "advice": advice_for(found, stands),
        "see": page(stands.reason),
        "ca": None
        if candidate is None
        else {
            "name": candidate.ca.name,
            "ca_certificate_id": candidate.ca.ca_certificate_id,
            "crl": candidate.ca.crl,
            "policy": candidate.ca.policy,
        },
        "serial": None if candidate is None else f"{candidate.certificate.serial_number:x}",
        "not_after": None if candidate is None else zulu(candidate.certificate.not_valid_after_utc),
        "steps": [{"title": TITLES[number], **asdict(found.steps[number])} for number in sorted(found.steps)],
        "crls": [
            {"number": crl.number, "this_update": zulu(crl.this_update), "next_update": zulu(crl.next_update)}
            for crl in crls
        ],
        "row": None
        if row is None
        else {"state": row.state.value, "wanted": row.wanted, "replaces": row.replaces, "braked_by": row.braked_by},
        "thing": None
        if candidate is None or candidate.thing_name is None
        else {
            "name": candidate.thing_name,
            "holder": found.thing_holder,
            "attached": candidate.thing_name in found.things,
        },
        "policies": list(found.policies),
        "dead_letters": evidence.dead_letters,
        "log": evidence.log,
        "notes": found.notes,
        "not_read": evidence.missing,
    }


def _thing(found: Found) -> dict[str, Any] | None:
    name = found.candidate.thing_name if found.candidate else None
    if name is None:
        return None
    return {"name": name, "holder": found.thing_holder, "attached": name in found.things}


def _print(found: Found, verdict: Verdict, stands: StepFound, evidence: Evidence) -> None:
    click.echo(f"{found.certificate_id}: {found.status or 'not registered'}")
    for number in sorted(found.steps):
        step = found.steps[number]
        told = "" if step.passed else f": {printable(step.message)} ({step.reason})"
        click.echo(f"  {_MARKS.get(step.outcome, 'no  ')} {number} {TITLES[number]}{told}")
    for letter in evidence.dead_letters:
        click.echo(
            f"  dead letter since {letter['dead_since']}: step {letter['step']}, {printable(str(letter['reason']))}: "
            f"{printable(str(letter['message']))}"
        )
    for line in evidence.log:
        where = "" if line["step"] is None else f"step {line['step']}, "
        click.echo(f"  log {line['at']}: {where}{line['outcome']}: {printable(str(line['message']))}")
    for note in found.notes:
        say(f"note: {printable(note)}")
    for missing in evidence.missing:
        say(f"not read: {missing}")
    if verdict is Verdict.ACTIVE:
        click.echo("active, and everything as it should be")
        return
    click.echo(f"{verdict.replace('_', ' ')}: stands at step {stands.step}: {stands.reason}")
    click.echo(f"what to do: {advice_for(found, stands)}")
    click.echo(f"more: {page(stands.reason)}")
