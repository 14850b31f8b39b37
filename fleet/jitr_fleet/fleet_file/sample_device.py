"""Reads a device's certificate that shows, before a deploy, which CA really signs the devices.

AWS IoT looks at no chain: registered has to be the CA that signed the device itself. From the CA's certificate alone
nobody can tell whether that one signs devices or only other CAs; from one device's certificate everybody can.
"""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from jitr import certificates
from jitr.errors import Reason, Rejected, Waiting
from jitr.settings import ThingNameSource
from jitr_fleet.issuing.ca_certificate import CaCertificateError

_EXPECTED = "expected: PEM with the certificate of one device, of a chain the first"


def read_sample_device(file: Path, *, ca: str, thing_name: ThingNameSource) -> str:
    """Return the certificate in PEM if an activation would take it; `ca` is the CA's. Raises CaCertificateError.

    Checked is what step 4 of an activation checks, but for the validity, which `outside_validity` tells. Not checked:
    whether it is revoked.
    """
    certificate, issuer = _load(file), x509.load_pem_x509_certificate(ca.encode("ascii"))
    try:
        certificates.verify_issued_by(certificate, issuer)
        certificates.verify_strength(certificate)
        certificates.thing_name(certificate, thing_name)
    except Rejected as refusal:
        raise _refused(certificate, issuer, refusal) from refusal
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def outside_validity(sample: str, *, at: datetime) -> str | None:
    """Return why a certificate that `read_sample_device` returned would not be activated now, None if it would."""
    try:
        certificates.verify_validity(x509.load_pem_x509_certificate(sample.encode("ascii")), at=at)
    except (Rejected, Waiting) as refusal:
        return refusal.message
    return None


def _load(file: Path) -> x509.Certificate:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CaCertificateError(f"{file} cannot be read: {error.strerror}", _EXPECTED) from error
    if b"PRIVATE KEY-----" in data:
        raise CaCertificateError(f"{file} holds a private key", "keep the key elsewhere; " + _EXPECTED)
    try:
        with warnings.catch_warnings():
            # What is odd about it is for the rules to say, with a reason.
            warnings.simplefilter("ignore")
            return x509.load_pem_x509_certificates(data)[0]
    except Exception as error:
        # Parsers of hostile bytes raise more kinds than they document.
        raise CaCertificateError(f"{file} holds no readable certificate", _EXPECTED) from error


def _refused(certificate: x509.Certificate, ca: x509.Certificate, refusal: Rejected) -> CaCertificateError:
    if refusal.reason is not Reason.WRONG_SIGNATURE:
        return CaCertificateError(
            f"a device with this certificate would stay out: {refusal.message} ({refusal.reason})",
            "expected: the certificate of a device that is to get in",
        )
    return CaCertificateError(
        f"this CA did not sign the device; {_issuer(certificate, ca)} did",
        "give that CA as `certificate`: the one that directly signs the devices, not a root above it",
    )


def _issuer(certificate: x509.Certificate, ca: x509.Certificate) -> str:
    try:
        if certificate.issuer == ca.subject:
            return "another CA of the same name"
        return repr(certificate.issuer.rfc4514_string())
    except ValueError:
        return "a CA whose name cannot be read"
