"""From the bytes of a file or the PEM of AWS IoT to certificates, or to the reason why not."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from jitr.certificates.certificate import Certificate
from jitr.certificates.contents import CERTIFICATE, OTHER_DER, UNREADABLE_DER, held, of_der
from jitr.certificates.der import INTEGER, SEQUENCE, DerError
from jitr.certificates.names import same_name
from jitr.errors import Reason, Rejected, Undecided

# Certificates that are kept: each device's activation asks for that of its CA again and again.
_KEPT = 64
_BLOCK = re.compile(rb"-----BEGIN ((?:X509 )?CERTIFICATE)-----(.*?)-----END \1-----", re.DOTALL)
_VERSION = 0xA0
_LONG_LENGTH = 0x80
_LONGEST_SERIAL = 64  # octets; RFC 5280 allows 20


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A certificate that cannot be read as a whole: why, and its serial number where at least that can be."""

    why: str
    serial_number: int | None = None
    sha256: str = ""


def certificate_blocks(data: bytes) -> tuple[bytes, ...]:
    """Return the certificates of a file as DER, unread: the file itself if it is DER, else its PEM blocks.

    Raises DerError, whose message says what the file holds instead.
    """
    if data[:1] == b"\x30":
        if (words := of_der(data)) not in (CERTIFICATE, UNREADABLE_DER, OTHER_DER):
            raise DerError(f"it holds {words}, not a certificate")
        return (data,)
    blocks = tuple(_decoded(body) for _, body in _BLOCK.findall(data))
    if not blocks:
        words = held(data)
        if words == CERTIFICATE:
            raise DerError("its PEM is cut off or damaged")
        raise DerError(f"it holds {words}, not a certificate" if data else "it is empty")
    return blocks


def read_certificate(der: bytes) -> Certificate | Unreadable:
    """Read one certificate, or what can be read of it."""
    try:
        return Certificate.from_der(der)
    except DerError as error:
        return Unreadable(why=str(error), serial_number=_any_serial(der), sha256=hashlib.sha256(der).hexdigest())


def ends_of_chain(found: Iterable[Certificate]) -> list[Certificate]:
    """Return those of some certificates that issued none of the others, by their names: of a chain the device's one.

    In any order, each once. Not checked: signatures.
    """
    each_once = list({each.der: each for each in found}.values())
    return [each for each in each_once if not any(_names_issuer(other, each) for other in each_once if other != each)]


def _names_issuer(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        return same_name(certificate.issuer, issuer.subject)
    except DerError:
        return False


@lru_cache(maxsize=_KEPT)
def read_pem(pem: str) -> Certificate | Unreadable:
    """Read the one certificate of AWS IoT's PEM, or what can be read of it."""
    try:
        blocks = certificate_blocks(pem.encode("utf-8"))
    except DerError as error:
        return Unreadable(why=str(error))
    if len(blocks) != 1:
        return Unreadable(why=f"it holds {len(blocks)} certificates instead of one")
    return read_certificate(blocks[0])


def load_certificate(pem: str) -> Certificate:
    """Read the one certificate of a PEM text; raises Undecided (`malformed_certificate`) for anything else."""
    found = read_pem(pem)
    if isinstance(found, Unreadable):
        raise Undecided(Reason.MALFORMED_CERTIFICATE, f"AWS IoT returned no readable certificate: {found.why}")
    return found


def load_registered(pem: str, certificate_id: str) -> Certificate:
    """Read the certificate of an id in AWS IoT; raises Undecided or Rejected, both `malformed_certificate`.

    Rejected where the bytes are those of the id: they will never be others.
    """
    found = read_pem(pem)
    if not isinstance(found, Unreadable):
        return found
    if found.sha256 == certificate_id:
        raise Rejected(Reason.MALFORMED_CERTIFICATE, f"the certificate cannot be read: {found.why}")
    raise Undecided(Reason.MALFORMED_CERTIFICATE, f"AWS IoT returned no readable certificate: {found.why}")


def _decoded(body: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as error:
        raise DerError("its PEM is cut off or damaged") from error


def _any_serial(der: bytes) -> int | None:
    """Return the serial number that a lenient reader finds (BER lengths, whatever follows), None where there is none.

    Good for switching off only: to say what a certificate is, its bytes have to have one reading.
    """
    try:
        at = _inside(der, _inside(der, 0, SEQUENCE), SEQUENCE)
        if der[at] == _VERSION:
            version = _inside(der, at, _VERSION)
            inner = _inside(der, version, INTEGER)
            at = inner + _length(der, version + 1)
            # A version of indefinite length ends with two zero octets.
            at += 2 if der[at : at + 2] == b"\x00\x00" else 0
        body, size = _inside(der, at, INTEGER), _length(der, at + 1)
    except (IndexError, DerError):
        return None
    octets = der[body : body + size]
    return int.from_bytes(octets, "big", signed=True) if 0 < len(octets) == size <= _LONGEST_SERIAL else None


def _inside(der: bytes, at: int, tag: int) -> int:
    """Return where the content of the element begins that has to have this tag."""
    if der[at] != tag:
        raise DerError(f"tag {der[at]:#04x} instead of {tag:#04x} at byte {at}")
    first = der[at + 1]
    return at + 2 + (first - _LONG_LENGTH if first > _LONG_LENGTH else 0)


def _length(der: bytes, at: int) -> int:
    """Return the length that begins at a byte; 0 for an indefinite one."""
    first = der[at]
    if first <= _LONG_LENGTH:
        return first & ~_LONG_LENGTH if first < _LONG_LENGTH else 0
    return int.from_bytes(der[at + 1 : at + 1 + first - _LONG_LENGTH], "big")
