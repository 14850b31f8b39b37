"""Who signs device certificates: a CA whose key is on this computer, or AWS Private CA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from jitr.certificates import load_certificate
from jitr_cli.console.call import Call
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import load_issuer_to_sign, zulu
from jitr_cli.device.folders import DeviceFolders
from jitr_cli.devices.lists import NewDevice
from jitr_cli.signing.key import load_ca_key
from jitr_cli.signing.private_ca import PrivateCa
from jitr_fleet.issuing.devices import IssuingCa, new_serial, verify_may_issue
from jitr_fleet.issuing.signers import NotIssued

# For clients alone (AWS Private CA User Guide, "Using AWS Private CA certificate templates").
_TEMPLATE = "EndEntityClientAuthCertificate/V1"

Issue = Callable[[x509.CertificateSigningRequest, NewDevice], x509.Certificate]


@dataclass(frozen=True, kw_only=True)
class Signer:
    """What signs: the CA's certificate, and how a request becomes a certificate."""

    ca: x509.Certificate
    issue: Issue


@dataclass(frozen=True, kw_only=True)
class Order:
    """What was asked for, beside who signs: devices, kind of key, for how long, into which folder.

    `request` is what the one device made itself, with a key of its own.
    """

    wanted: list[NewDevice]
    key_type: str
    lifetime: timedelta
    distribution_point: str | None
    folders: DeviceFolders
    request: x509.CertificateSigningRequest | None = None

    def missing(self, ca: x509.Certificate) -> list[NewDevice]:
        """Return the devices that are not finished; raises CommandFailed where something else is in their place."""
        return [
            each
            for each in self.wanted
            if self.folders.finished(each.common_name, ca, keyless=self.request is not None) is None
        ]


def local_signer(
    order: Order, ca_certificate: Path | None, ca_key: Path | None, passphrase_file: Path | None
) -> Signer:
    """Return a CA on this computer; its passphrase is asked for only after everything else is known to be right."""
    if ca_certificate is None or ca_key is None:
        raise CommandFailed("give --ca-certificate and --ca-key, or --private-ca")
    ca = load_issuer_to_sign(ca_certificate)
    at = datetime.now(UTC)
    try:
        verify_may_issue(ca, at=at)
        order.missing(ca)
        signing = IssuingCa.of(ca, load_ca_key(ca_key, passphrase_file=passphrase_file), at=at)
    except NotIssued as refusal:
        raise CommandFailed(f"{ca_certificate}: {refusal}") from refusal
    if at + order.lifetime > ca.not_valid_after_utc:
        raise CommandFailed(
            f"{ca_certificate} ends at {zulu(ca.not_valid_after_utc)}, before its devices would: fewer --days"
        )

    def issue(request: x509.CertificateSigningRequest, device: NewDevice) -> x509.Certificate:
        return signing.issue(
            request,
            serial=new_serial() if device.serial is None else device.serial,
            lifetime=order.lifetime,
            distribution_point=order.distribution_point,
            at=datetime.now(UTC),
        )

    return Signer(ca=ca, issue=issue)


def private_signer(call: Call, order: Order, arn: str) -> Signer:
    """Return an AWS Private CA, and say which; raises CommandFailed for an order that it cannot carry out."""
    if order.distribution_point is not None:
        raise CommandFailed("--crl-url: AWS Private CA writes its own distribution point into certificates")
    if any(each.serial is not None for each in order.wanted):
        raise CommandFailed("AWS Private CA chooses serial numbers itself")
    authority = PrivateCa.at(call.aws, arn)
    call.announce_account(f"Private CA {arn.rpartition('/')[2]}")
    authority.verify_active()

    def issue(request: x509.CertificateSigningRequest, _: NewDevice) -> x509.Certificate:
        csr = request.public_bytes(Encoding.PEM)
        certificate, _chain = authority.issue(csr, template=_TEMPLATE, days=order.lifetime.days)
        return load_certificate(certificate).for_library()

    return Signer(ca=load_certificate(authority.certificate()).for_library(), issue=issue)
