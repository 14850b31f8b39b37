"""Reads the certificate file of a CA: one PEM block, a CA, valid now, a key that AWS IoT accepts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from jitr.certificates import (
    MINIMUM_RSA_BITS,
    Certificate,
    Unreadable,
    certificate_blocks,
    load_certificate,
    read_certificate,
)
from jitr.certificates.contents import CERTIFICATE, held
from jitr.certificates.der import DerError
from jitr.certificates.signature import SignatureRefused

_ONE_BLOCK = "expected: one block -----BEGIN CERTIFICATE----- with the CA that directly signs the devices"


class CaCertificateError(ValueError):
    """A file that is no usable CA certificate: what was `found` in it, and what is `allowed`."""

    def __init__(self, found: str, allowed: str) -> None:
        super().__init__(f"{found}; {allowed}")
        self.found = found
        self.allowed = allowed


@dataclass(frozen=True, kw_only=True)
class CaCertificate:
    """A CA certificate: `pem` normalised (one block, text around it dropped), `fingerprint` SHA-256 of the DER."""

    pem: str
    fingerprint: str
    not_before: datetime
    not_after: datetime

    def verify_signs(self) -> None:
        """Raise CaCertificateError if the CA may not sign certificates (keyUsage, where present)."""
        if not load_certificate(self.pem).may_sign_certificates:
            raise CaCertificateError("its keyUsage does not have keyCertSign", "expected: a CA that may sign devices")

    def verify_begun(self, *, at: datetime) -> None:
        """Raise CaCertificateError if the CA is not valid yet: AWS IoT would not register it."""
        if at < self.not_before:
            raise CaCertificateError(
                f"the certificate is not valid before {self.not_before.isoformat()}",
                "expected: a CA that is valid by now",
            )

    def verify_not_expired(self, *, at: datetime) -> None:
        """Raise CaCertificateError if the CA's validity has ended."""
        if at > self.not_after:
            raise CaCertificateError(
                f"the certificate expired at {self.not_after.isoformat()}",
                'expected: a CA that is valid; keep an old one for the devices it has with status = "retired"',
            )


def read_ca_certificate(file: Path) -> CaCertificate:
    """Read a CA certificate from a PEM file; raises CaCertificateError. What is checked: `parse_ca_certificate`."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CaCertificateError(f"{file} cannot be read: {error.strerror}", "expected: a PEM file") from error
    return parse_ca_certificate(data, name=str(file))


def parse_ca_certificate(data: bytes, *, name: str) -> CaCertificate:
    """Read a CA certificate from PEM; `name` is what messages call it. Raises CaCertificateError.

    A certificate without basicConstraints is accepted if it is version 1, as old factory CAs are. Not checked: who
    signed it, validity, keyUsage, names. AWS IoT refuses RSA keys under 2,048 bits (Device Defender, CA key quality).
    """
    certificate = _load(data, name)
    _verify_is_ca(certificate)
    _verify_key(certificate)
    return CaCertificate(
        pem=certificate.pem,
        fingerprint=certificate.fingerprint,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _load(data: bytes, name: str) -> Certificate:
    if b"PRIVATE KEY-----" in data:
        raise CaCertificateError(f"{name} holds a private key", "keep the key elsewhere; " + _ONE_BLOCK)
    blocks = data.count(b"-----BEGIN CERTIFICATE-----")
    if blocks > 1 or (blocks == 0 and held(data) == CERTIFICATE):
        raise CaCertificateError(f"{name} holds {blocks} certificates in PEM", _ONE_BLOCK)
    try:
        (block,) = certificate_blocks(data)
    except ValueError as error:
        raise CaCertificateError(f"{name} holds no readable certificate: {error}", _ONE_BLOCK) from error
    found = read_certificate(block)
    if isinstance(found, Unreadable):
        raise CaCertificateError(f"{name} holds no readable certificate: {found.why}", _ONE_BLOCK)
    return found


def _verify_is_ca(certificate: Certificate) -> None:
    try:
        is_ca = certificate.is_ca or certificate.version == 1
        certificate.may_sign_certificates  # noqa: B018 - reads it
    except DerError as error:
        raise CaCertificateError(f"the certificate's extensions cannot be read: {error}", _ONE_BLOCK) from error
    if not is_ca:
        raise CaCertificateError(
            "the certificate is no CA (basicConstraints does not say CA:TRUE)", "expected: the CA, not a device"
        )


def _verify_key(certificate: Certificate) -> None:
    try:
        key = certificate.public_key()
    except SignatureRefused as refusal:
        raise CaCertificateError(refusal.message, "AWS IoT accepts RSA and elliptic-curve keys") from refusal
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MINIMUM_RSA_BITS:
            raise CaCertificateError(
                f"the CA's RSA key has {key.key_size} bits", f"AWS IoT requires {MINIMUM_RSA_BITS} or more"
            )
    elif not isinstance(key, ec.EllipticCurvePublicKey):
        raise CaCertificateError("the CA's key is neither RSA nor elliptic-curve", "AWS IoT accepts these two")
