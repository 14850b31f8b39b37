"""Reads a device's certificate that shows, before a deploy, which CA really signs the devices.

AWS IoT looks at no chain: registered has to be the CA that signed the device itself. From the CA's certificate alone
nobody can tell whether that one signs devices or only other CAs; from one device's certificate everybody can.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from jitr import certificates
from jitr.certificates import Certificate, Unreadable
from jitr.certificates.der import DerError
from jitr.certificates.names import same_name
from jitr.errors import Reason, Rejected, Waiting
from jitr.settings import ThingNameSource
from jitr_fleet.issuing.ca_certificate import CaCertificateError

_EXPECTED = "expected: PEM with the certificate of one device, which may have its chain beside it"


def read_sample_device(file: Path, *, ca: str, thing_name: ThingNameSource) -> str:
    """Return the certificate in PEM if an activation would take it; `ca` is the CA's. Raises CaCertificateError.

    Checked is what step 4 of an activation checks, but for the validity, which `outside_validity` tells. Not checked:
    whether it is revoked.
    """
    certificate, issuer = _load(file), certificates.load_certificate(ca)
    if certificate == issuer:
        raise CaCertificateError(f"{file} holds the CA's own certificate", _EXPECTED)
    try:
        certificates.verify_issued_by(certificate, issuer)
        certificates.verify_one_reading(certificate)
        certificates.verify_strength(certificate)
        certificates.thing_name(certificate, thing_name)
    except Rejected as refusal:
        raise _refused(certificate, issuer, refusal) from refusal
    return certificate.pem


def outside_validity(sample: str, *, at: datetime) -> str | None:
    """Return why a certificate that `read_sample_device` returned would not be activated now, None if it would."""
    try:
        certificates.verify_validity(certificates.load_certificate(sample), at=at)
    except (Rejected, Waiting) as refusal:
        return refusal.message
    return None


def _load(file: Path) -> Certificate:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CaCertificateError(f"{file} cannot be read: {error.strerror}", _EXPECTED) from error
    if b"PRIVATE KEY-----" in data:
        raise CaCertificateError(f"{file} holds a private key", "keep the key elsewhere; " + _EXPECTED)
    try:
        blocks = certificates.certificate_blocks(data)
    except DerError as error:
        raise CaCertificateError(f"{file} holds no readable certificate: {error}", _EXPECTED) from error
    found = []
    for each in map(certificates.read_certificate, blocks):
        if isinstance(each, Unreadable):
            raise CaCertificateError(f"{file} holds no readable certificate: {each.why}", _EXPECTED)
        found.append(each)
    devices = certificates.ends_of_chain(found)
    if len(devices) != 1:
        raise CaCertificateError(f"{file} holds {len(devices)} certificates that issued none of the others", _EXPECTED)
    return devices[0]


def _refused(certificate: Certificate, ca: Certificate, refusal: Rejected) -> CaCertificateError:
    if refusal.reason is not Reason.WRONG_SIGNATURE:
        return CaCertificateError(
            f"a device with this certificate would stay out: {refusal.message} ({refusal.reason})",
            "expected: the certificate of a device that is to get in",
        )
    return CaCertificateError(
        f"this CA did not sign the device; {_issuer(certificate, ca)} did",
        "give that CA as `certificate`: the one that directly signs the devices, not a root above it",
    )


def _issuer(certificate: Certificate, ca: Certificate) -> str:
    try:
        if same_name(certificate.issuer, ca.subject):
            return "another CA of the same name"
    except DerError:
        return "a CA whose name cannot be read"
    return repr(certificate.issuer_text)
