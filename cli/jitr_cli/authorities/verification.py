"""A CA that is to be registered, checked as AWS IoT would, and the proof of its key that DEFAULT mode wants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from jitr.authorities.signing_terms import END_ENTITY_TEMPLATE
from jitr.authorities.verification_certificate import (
    VALIDITY,
    NotVerifying,
    new_key,
    request_verification,
    sign_verification,
    verify_verification,
)
from jitr.certificates import Certificate, load_certificate, verify_issued_by
from jitr.certificates.der import DerError
from jitr.errors import Rejected
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import MAXIMUM_CERTIFICATE_BYTES, parse_certificate, parse_device, read_file
from jitr_cli.console.output import say
from jitr_cli.signing.key import load_ca_key
from jitr_cli.signing.private_ca import PrivateCa
from jitr_fleet.issuing.ca_certificate import CaCertificateError, parse_ca_certificate
from jitr_fleet.issuing.signers import NotIssued, verify_pair

_DER = b"\x30"


@dataclass(frozen=True, kw_only=True)
class CandidateCa:
    """A CA certificate that AWS IoT would take."""

    certificate: Certificate
    pem: str
    ca_certificate_id: str

    @classmethod
    def of(cls, data: bytes, *, name: str, at: datetime) -> CandidateCa:
        """Check a certificate in PEM or DER: a CA, one, a key AWS IoT takes, valid, may sign; raises CommandFailed."""
        if data[:1] == _DER:
            data = _as_pem(data, name)
        try:
            found = parse_ca_certificate(data, name=name)
            found.verify_begun(at=at)
            found.verify_not_expired(at=at)
        except CaCertificateError as error:
            raise CommandFailed(str(error)) from error
        certificate = load_certificate(found.pem)
        if not certificate.may_sign_certificates:
            raise CommandFailed(f"{name}: its keyUsage does not allow to sign certificates (keyCertSign)")
        return cls(certificate=certificate, pem=found.pem, ca_certificate_id=found.fingerprint)

    def verify_signs(self, device: Path) -> None:
        """Check that a device certificate was signed by this CA, and not by one below it; raises CommandFailed."""
        try:
            certificate = parse_device(read_file(device, maximum=MAXIMUM_CERTIFICATE_BYTES))
        except ValueError as error:
            raise CommandFailed(f"{device} holds no readable certificate: {error}") from error
        try:
            verify_issued_by(certificate, self.certificate)
        except Rejected as refusal:
            issuer = certificate.issuer_text
            raise CommandFailed(
                f"{device} was not signed by this CA ({refusal.message}); its issuer is {issuer!r}. Register the CA "
                "that directly signs the devices, not a root above it"
            ) from refusal


@dataclass(frozen=True, kw_only=True)
class Proof:
    """How the key's owner proves it: by a certificate they signed, the key itself, AWS Private CA, or not at all."""

    certificate: Path | None
    ca_key: Path | None
    passphrase_file: Path | None
    private_ca: PrivateCa | None

    def verification(self, ca: CandidateCa, code: str) -> str:
        """Return a verification certificate in PEM that AWS IoT would take; raises CommandFailed."""
        at = datetime.now(UTC)
        if self.certificate is not None:
            found, name = _load_verification(self.certificate), str(self.certificate)
        elif self.ca_key is not None:
            found, name = self._sign(ca, code, at), "the verification certificate"
        elif self.private_ca is not None:
            found, name = self._issue(self.private_ca, code), "the verification certificate"
        else:
            raise CommandFailed(
                "DEFAULT mode wants a proof of the CA's key: give --verification-certificate (request it with "
                "`jitr ca csr`), --ca-key, or a CA in AWS Private CA; or use SNI_ONLY, which wants none"
            )
        try:
            verify_verification(found, ca=ca.certificate, code=code, at=datetime.now(UTC))
        except NotVerifying as refusal:
            raise CommandFailed(f"{name} would be refused: {refusal}") from refusal
        return found.pem

    def _sign(self, ca: CandidateCa, code: str, at: datetime) -> Certificate:
        if self.ca_key is None:
            raise CommandFailed("give --ca-key")
        try:
            certificate = ca.certificate.for_library()
            key = verify_pair(certificate, load_ca_key(self.ca_key, passphrase_file=self.passphrase_file))
        except (NotIssued, DerError) as error:
            raise CommandFailed(f"{self.ca_key}: {error}") from error
        return Certificate.of(sign_verification(code, ca=certificate, ca_key=key, at=at))

    def _issue(self, private_ca: PrivateCa, code: str) -> Certificate:
        csr = request_verification(code, new_key()).public_bytes(Encoding.PEM)
        say("having AWS Private CA sign the verification certificate")
        pem, _ = private_ca.issue(csr, template=END_ENTITY_TEMPLATE, days=VALIDITY.days)
        return load_certificate(pem)


def _load_verification(path: Path) -> Certificate:
    data = read_file(path, maximum=MAXIMUM_CERTIFICATE_BYTES)
    if b"-----BEGIN CERTIFICATE REQUEST-----" in data or b"-----BEGIN NEW CERTIFICATE REQUEST-----" in data:
        raise CommandFailed(f"{path} is the request; its owner has to sign it first: a certificate is wanted here")
    if b"PRIVATE KEY-----" in data:
        raise CommandFailed(f"{path} holds a private key; the verification certificate is wanted here")
    try:
        return parse_certificate(data)
    except ValueError as error:
        raise CommandFailed(f"{path} holds no readable certificate: {error}") from error


def _as_pem(data: bytes, name: str) -> bytes:
    try:
        return parse_certificate(data).pem.encode("ascii")
    except ValueError as error:
        raise CommandFailed(f"{name} holds no readable certificate: {error}") from error
