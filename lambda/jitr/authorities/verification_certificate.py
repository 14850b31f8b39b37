"""Verification certificates: how the owner of a CA proves to AWS IoT that the CA's key is theirs.

A CA in DEFAULT mode is registered together with a certificate that the CA signed for the account's and Region's
registration code. Its key proves nothing and is not needed afterwards. AWS IoT Core Developer Guide, "Register your
CA certificate". Pure: codes, keys and certificates go in.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from jitr.certificates import AnyCertificate, Certificate, verify_issued_by
from jitr.certificates.der import DerError
from jitr.certificates.names import COMMON_NAME, texts_of
from jitr.errors import Rejected

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
VALIDITY = timedelta(days=1)
_CLOCK_SKEW = timedelta(minutes=5)
_CODE = re.compile(r"[0-9a-fA-F]{64}")


class NotVerifying(ValueError):  # noqa: N818 - a refusal, not a defect
    """A certificate that AWS IoT would not take as a verification certificate; the message is one sentence."""


def new_key() -> SigningKey:
    """Make a key (P-256) for a verification certificate."""
    return ec.generate_private_key(ec.SECP256R1())


def request_verification(code: str, key: SigningKey) -> x509.CertificateSigningRequest:
    """Return the request for a verification certificate; `code` is the registration code."""
    return x509.CertificateSigningRequestBuilder().subject_name(_subject(code)).sign(key, hashes.SHA256())


def sign_verification(code: str, *, ca: x509.Certificate, ca_key: SigningKey, at: datetime) -> x509.Certificate:
    """Make a verification certificate with the CA's own key; it is valid for a day, within the CA's validity.

    Not checked: that the key is the CA's; `verify_verification` does that to what comes out.
    """
    start = max((at - _CLOCK_SKEW).replace(microsecond=0), ca.not_valid_before_utc)
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(code))
        .issuer_name(ca.subject)
        .public_key(new_key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(min(start + VALIDITY, ca.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(ca_key, hashes.SHA256())
    )


def verify_verification(certificate: AnyCertificate, *, ca: AnyCertificate, code: str, at: datetime) -> None:
    """Check what AWS IoT checks: the code as the one common name, the CA's signature, the validity.

    Raises NotVerifying. Not checked: revocation, and whether the code is the account's.
    """
    try:
        device = Certificate.of(certificate)
        names = list(texts_of(device.subject, COMMON_NAME))
        begins, ends = device.not_valid_before_utc, device.not_valid_after_utc
    except DerError as error:
        raise NotVerifying(f"it cannot be read: {error}") from error
    if names != [code]:
        raise NotVerifying(_about_names(names))
    try:
        verify_issued_by(certificate, ca)
    except Rejected as refusal:
        raise NotVerifying("it was not signed by the key of this CA") from refusal
    if at > ends:
        raise NotVerifying(f"it expired at {ends.isoformat()}")
    if at < begins:
        raise NotVerifying(f"it is not valid before {begins.isoformat()}")


def _about_names(names: list[str]) -> str:
    if len(names) != 1:
        return f"its subject has {len(names)} common names; exactly one is required, the registration code"
    if _CODE.fullmatch(names[0]):
        return (
            "its common name is another registration code: that of another account or Region, or one that was deleted "
            "since; make the request again with `jitr ca csr`"
        )
    return "its common name is not the registration code; make the request with `jitr ca csr`"


def _subject(code: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, code)])
