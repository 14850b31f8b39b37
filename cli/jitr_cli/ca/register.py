"""`jitr ca register`: register a CA in AWS IoT, in SNI_ONLY mode unless told otherwise.

Exit codes: 0 registered, or registered like this already; 1 answered no; 64 AWS IoT would refuse it, or it is
registered in the other mode; 69 AWS refused; 130 interrupted. Nothing is written but on 0.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from jitr.aws.failures import error_code
from jitr.certificates import Certificate
from jitr_cli.authorities.management import (
    DeployedCas,
    announce,
    deployments_here,
    describe_management,
    managements,
)
from jitr_cli.authorities.registration import Sources, Wish, source_options, wish_options
from jitr_cli.authorities.registry import DESCRIBED_PER_SECOND, CaRegistry, CertificateMode, DescribedCa
from jitr_cli.authorities.verification import CandidateCa
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import zulu
from jitr_cli.console.output import say
from jitr_fleet.issuing.cas import is_root_for_cas

SAME_SUBJECT = 10  # AWS IoT API reference, RegisterCACertificate
_TAKEN = {
    CertificateMode.SNI_ONLY: "another registered it meanwhile",
    CertificateMode.DEFAULT: (
        "another registered it meanwhile, or another account of this Region has it in DEFAULT mode, which only one "
        "may; SNI_ONLY works beside that"
    ),
}


@writing_command("register")
@source_options
@wish_options
def command(call: Call, *, wish: Wish, sources: Sources) -> ExitCode:
    """Register a CA in AWS IoT, so that devices with its certificates may knock.

    Registering manages nothing: a deployment does, by its fleet file (registration = "existing") or after
    `jitr ca adopt`. A CA in the fleet file with registration = "SNI_ONLY" is registered by the deploy.
    """
    mode = sources.mode(wish.mode)
    ca, proof = sources.load(call.aws)
    if wish.device is not None:
        ca.verify_signs(wish.device)
    elif is_root_for_cas(ca.certificate):
        say("warning: this is a root that allows CAs below it; register the CA that directly signs the devices")
        say("         (--device with a device's certificate checks that)")
    registry = CaRegistry(call.aws.client("iot"))
    if (known := registry.find(ca.ca_certificate_id)) is not None:
        return _known(call, known, wish, mode)
    deployments = deployments_here(call)
    announce(call, deployments)
    _verify_room(registry, ca)
    state = _state(active=wish.active, auto_registration=wish.auto_registration)
    say(f"register CA {ca.ca_certificate_id}, valid until {zulu(ca.certificate.not_valid_after_utc)}")
    say(f"  in {mode} mode, {state}")
    _say_managed(deployments, ca.ca_certificate_id)
    verification = None
    if mode is CertificateMode.SNI_ONLY:
        say("  devices have to send SNI (the account's endpoint name), or nothing registers them")
    elif call.dry_run and sources.private_ca is not None:
        say("  AWS Private CA would be asked to sign a verification certificate")
    else:
        verification = proof.verification(ca, registry.registration_code())
    if call.confirm("Register this CA?"):
        _register(registry, ca, wish, mode, verification)
        say("registered")
    return call.finish(
        _as_data(
            ca.ca_certificate_id,
            mode,
            active=wish.active,
            auto_registration=wish.auto_registration,
            created=not call.dry_run,
        )
    )


def _known(call: Call, known: DescribedCa, wish: Wish, mode: CertificateMode) -> ExitCode:
    """Answer for a CA that is registered: done where it is in the wanted mode; raises CommandFailed."""
    if known.mode is not mode:
        raise CommandFailed(
            f"this CA is registered in {known.mode} mode, and AWS IoT changes no CA's mode: deactivate it, delete it "
            f"(jitr ca deactivate, jitr ca delete) and register it again with --mode {mode}. Its devices keep "
            "their certificates and mode; no new ones get in meanwhile"
        )
    state = _state(active=known.active, auto_registration=known.auto_registration)
    say(f"this CA is registered already, in {known.mode} mode, {state}; nothing to do")
    if known.active != wish.active:
        say(f"note: to change that: jitr ca {'activate' if wish.active else 'deactivate'}")
    if known.auto_registration != wish.auto_registration:
        say(f"note: to change that: jitr ca auto-registration {'on' if wish.auto_registration else 'off'}")
    return call.finish(
        _as_data(
            known.ca_certificate_id,
            known.mode,
            active=known.active,
            auto_registration=known.auto_registration,
            created=False,
        )
    )


def _verify_room(registry: CaRegistry, ca: CandidateCa) -> None:
    """Say which CAs have the same subject; raises CommandFailed where AWS IoT takes no further one."""
    registered = registry.described(per_second=DESCRIBED_PER_SECOND, label="looking at the registered CAs")
    same = [each.ca_certificate_id for each in registered if _has_subject(each, ca)]
    if same:
        say(f"note: {len(same)} registered CAs have the same subject: {', '.join(each[:12] + '…' for each in same)}")
    if len(same) >= SAME_SUBJECT:
        raise CommandFailed(
            f"AWS IoT takes {SAME_SUBJECT} CAs with one subject in an account and Region, and there are {len(same)}; "
            "delete one that signs no devices any more"
        )


def _has_subject(known: DescribedCa, ca: CandidateCa) -> bool:
    """Return whether a registered CA has the subject of another one; not where it cannot be read."""
    found = known.read
    return isinstance(found, Certificate) and found.subject == ca.certificate.subject


def _say_managed(deployments: list[DeployedCas], ca_certificate_id: str) -> None:
    found = managements(deployments, ca_certificate_id)
    for management in found:
        say(f"  {describe_management(management)}")
    if not found:
        say(f"  no deployment manages it yet: jitr ca adopt --ca-certificate-id {ca_certificate_id} --crl …")


def _register(
    registry: CaRegistry, ca: CandidateCa, wish: Wish, mode: CertificateMode, verification: str | None
) -> None:
    try:
        registry.register(
            ca.pem,
            mode=mode,
            verification=verification,
            active=wish.active,
            auto_registration=wish.auto_registration,
        )
    except ClientError as error:
        raise _refused(error, mode) from error


def _refused(error: ClientError, mode: CertificateMode) -> CommandFailed:
    """Say what AWS IoT's refusal means, with its own words."""
    said = error.response.get("Error", {}).get("Message", "")
    meanings = {
        "RegistrationCodeValidationException": "the registration code was changed meanwhile; run the command again",
        "CertificateValidationException": "AWS IoT does not accept the CA or the verification certificate",
        "LimitExceededException": f"there are {SAME_SUBJECT} CAs with this subject",
        "ResourceAlreadyExistsException": _TAKEN[mode],
    }
    code = error_code(error)
    meaning = meanings.get(code, "AWS IoT refused to register the CA")
    return CommandFailed(f"{meaning} ({code}: {said})", ExitCode.AWS)


def _state(*, active: bool, auto_registration: bool) -> str:
    return f"{'ACTIVE' if active else 'INACTIVE'}, auto-registration {'on' if auto_registration else 'off'}"


def _as_data(
    identifier: str, mode: CertificateMode, *, active: bool, auto_registration: bool, created: bool
) -> dict[str, Any]:
    return {
        "ca_certificate_id": identifier,
        "mode": mode.value,
        "status": "ACTIVE" if active else "INACTIVE",
        "auto_registration": auto_registration,
        "registered_now": created,
    }
