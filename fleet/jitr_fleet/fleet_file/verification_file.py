"""Reads the file with a verification certificate: what AWS IoT would refuse is found before a deploy begins."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from jitr.authorities.verification_certificate import NotVerifying, verify_verification
from jitr.certificates import (
    Certificate,
    Unreadable,
    certificate_blocks,
    common_name,
    load_certificate,
    read_certificate,
)
from jitr.certificates.der import DerError
from jitr.certificates.names import COMMON_NAME, texts_of
from jitr_fleet.issuing.ca_certificate import CaCertificateError

_EXPECTED = "expected: one certificate in PEM, the CA's signature under the request of `jitr ca csr`"
_CODE = re.compile(r"[0-9a-fA-F]{64}")


def read_verification_certificate(file: Path, *, ca: str, at: datetime) -> str:
    """Return the certificate in PEM; `ca` is the CA's. Raises CaCertificateError.

    Not checked: that the code in it is the account's and Region's, which only AWS IoT knows.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CaCertificateError(f"{file} cannot be read: {error.strerror}", _EXPECTED) from error
    certificate = _load(data, file)
    try:
        names = texts_of(certificate.subject, COMMON_NAME)
    except DerError as error:
        raise CaCertificateError(f"its subject cannot be read: {error}", _EXPECTED) from error
    if len(names) != 1 or not _CODE.fullmatch(names[0]):
        raise CaCertificateError(
            "its common name is no registration code (64 hexadecimal digits)",
            "expected: the CN that `jitr ca csr` wrote into the request",
        )
    try:
        verify_verification(certificate, ca=load_certificate(ca), code=names[0], at=at)
    except NotVerifying as refusal:
        raise CaCertificateError(
            str(refusal), f'{_EXPECTED}; for a CA that is registered by now say registration = "existing"'
        ) from refusal
    return certificate.pem


def registration_code(verification: str) -> str:
    """Return the registration code in a verification certificate that `read_verification_certificate` returned."""
    return common_name(load_certificate(verification)).lower()


def _load(data: bytes, file: Path) -> Certificate:
    if b"PRIVATE KEY-----" in data:
        raise CaCertificateError(f"{file} holds a private key", _EXPECTED)
    if b"CERTIFICATE REQUEST-----" in data:
        raise CaCertificateError(f"{file} is the request", "expected: what the CA's owner signed; " + _EXPECTED)
    try:
        (block,) = certificate_blocks(data)
    except ValueError as error:
        raise CaCertificateError(f"{file} holds not one readable certificate", _EXPECTED) from error
    found = read_certificate(block)
    if isinstance(found, Unreadable):
        raise CaCertificateError(f"{file} holds no readable certificate: {found.why}", _EXPECTED)
    return found
