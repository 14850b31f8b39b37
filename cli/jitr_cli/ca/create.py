"""`jitr ca create`: a CA for development and tests, its key in a file; or one in AWS Private CA.

Exit codes: 0 made, 1 answered no, 64 something given is not right and nothing was written, 69 AWS refused, 130
interrupted.
"""

from __future__ import annotations

from typing import Any

from cryptography import x509

from jitr.authorities.signing_terms import ROOT_TEMPLATE, SUBORDINATE_TEMPLATE
from jitr.certificates import fingerprint
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import zulu
from jitr_cli.console.new_files import PUBLIC, verify_new, write_new
from jitr_cli.console.output import say
from jitr_cli.signing.creation import PrivateCaWish, Properties, private_ca_options, property_options
from jitr_cli.signing.new_ca import NewCa, new_ca_options
from jitr_cli.signing.private_ca import KEY_ALGORITHMS, PrivateCa


@writing_command("create", deployment=None)
@property_options
@new_ca_options
@private_ca_options
def command(call: Call, *, properties: Properties, new_ca: NewCa, wish: PrivateCaWish) -> ExitCode:
    """Make a CA that signs devices: on this computer, its key in a file; or with --private-ca in AWS Private CA.

    The key of the first is encrypted unless --no-passphrase says otherwise, and no file is ever overwritten. Register
    the CA with `jitr ca register`, or put its certificate into the fleet file.
    """
    if wish.is_given():
        return _create_private(call, properties, new_ca, wish)
    if wish.parent or wish.crl_bucket:
        raise CommandFailed("--parent and --crl-bucket are for AWS Private CA: give --private-ca too")
    if call.dry_run:
        raise CommandFailed("--dry-run is for AWS Private CA; on this computer nothing is overwritten")
    if properties.common_name is None:
        raise CommandFailed("give --common-name")
    certificate = new_ca.make(
        common_name=properties.common_name,
        organization=properties.organization,
        days=properties.days,
        key_type=properties.key_type,
    )
    _say(certificate)
    say(f"certificate: {new_ca.files.out}; key: {new_ca.files.key_out}, which never leaves this computer by itself")
    return call.finish(
        {
            "ca_certificate_id": fingerprint(certificate),
            "certificate": str(new_ca.files.out),
            "key": str(new_ca.files.key_out),
            "not_after": zulu(certificate.not_valid_after_utc),
        }
    )


def _create_private(call: Call, properties: Properties, new_ca: NewCa, wish: PrivateCaWish) -> ExitCode:
    _verify_wish(properties, new_ca, wish)
    out = new_ca.files.out
    if out is not None:
        verify_new(out)
    parent = PrivateCa.at(call.aws, wish.parent) if wish.parent else None
    if parent is not None:
        parent.verify_active()
    unfinished = PrivateCa.at(call.aws, wish.finish) if wish.finish else None
    if unfinished is not None:
        _verify_unfinished(unfinished, parent)
    call.announce_account("AWS Private CA")
    what = f"finish {wish.finish}" if wish.finish else f"create a {wish.kind} CA {properties.common_name!r}"
    say(f"{what}, valid for {properties.days} days; AWS charges for it by the month until it is deleted")
    if not wish.finish and wish.crl_bucket is None:
        say("note: without --crl-bucket AWS Private CA publishes no CRL: nothing could be revoked by it")
    if not call.confirm("Create it?"):
        return call.finish({"arn": wish.finish, "ca_certificate_id": None, "certificate": None, "not_after": None})
    ca = unfinished or PrivateCa.create(call.aws, _request(properties, wish))
    say(f"{ca.arn}; if this is interrupted: jitr ca create --finish {ca.arn}")
    certificate = _install(ca, parent, days=properties.days)
    if out is not None:
        write_new(out, certificate.encode("ascii"), mode=PUBLIC)
    loaded = x509.load_pem_x509_certificate(certificate.encode("ascii"))
    _say(loaded)
    return call.finish(
        {
            "arn": ca.arn,
            "ca_certificate_id": fingerprint(loaded),
            "certificate": str(out) if out else None,
            "not_after": zulu(loaded.not_valid_after_utc),
        }
    )


def _verify_wish(properties: Properties, new_ca: NewCa, wish: PrivateCaWish) -> None:
    if new_ca.is_mentioned():
        raise CommandFailed("with AWS Private CA there is no key file, no --issuer and no --path-length")
    if wish.finish and (wish.kind or wish.crl_bucket or properties.common_name):
        raise CommandFailed("--finish goes on with a CA as it was created: only --parent, --days and --out go with it")
    if not wish.finish and properties.common_name is None:
        raise CommandFailed("give --common-name")
    if wish.kind == "root" and wish.parent:
        raise CommandFailed("a root has no --parent")
    if wish.kind == "subordinate" and not wish.parent:
        raise CommandFailed("a subordinate CA needs --parent, the CA that signs it")


def _verify_unfinished(ca: PrivateCa, parent: PrivateCa | None) -> None:
    state = ca.state()
    if state.status not in ("CREATING", "PENDING_CERTIFICATE"):
        raise CommandFailed(f"{ca.arn} is {state.status}: there is nothing to finish")
    if (state.kind == "SUBORDINATE") != (parent is not None):
        raise CommandFailed(f"{ca.arn} is a {state.kind} CA: --parent is for subordinate ones, and they need it")


def _request(properties: Properties, wish: PrivateCaWish) -> dict[str, Any]:
    subject = {"CommonName": properties.common_name, "Organization": properties.organization}
    algorithm = KEY_ALGORITHMS[properties.key_type]
    hashing = {"EC_secp384r1": "SHA384"}.get(algorithm, "SHA256")
    kind = "ECDSA" if algorithm.startswith("EC_") else "RSA"
    return {
        "CertificateAuthorityType": (wish.kind or "root").upper(),
        "CertificateAuthorityConfiguration": {
            "KeyAlgorithm": algorithm,
            "SigningAlgorithm": f"{hashing}WITH{kind}",
            "Subject": {name: text for name, text in subject.items() if text is not None},
        },
        "RevocationConfiguration": wish.revocation(),
        "UsageMode": "GENERAL_PURPOSE",
    }


def _install(ca: PrivateCa, parent: PrivateCa | None, *, days: int) -> str:
    """Have the CA's certificate signed, by itself or its parent, and give it to the CA."""
    template = ROOT_TEMPLATE if parent is None else SUBORDINATE_TEMPLATE
    certificate, chain = (parent or ca).issue(ca.request(), template=template, days=days)
    ca.install(certificate, chain if parent is not None else None)
    return certificate


def _say(certificate: x509.Certificate) -> None:
    say(f"CA {fingerprint(certificate)}, valid until {zulu(certificate.not_valid_after_utc)}")
