"""What a file holds that is not what was expected: said in words, so that its user need not guess."""

from __future__ import annotations

import binascii
import re

from jitr.certificates.der import (
    BIT_STRING,
    GENERALIZED_TIME,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    UTC_TIME,
    DerError,
    content,
    elements,
    read,
)

CERTIFICATE, CRL = "a certificate", "a CRL"
UNREADABLE_DER, OTHER_DER = "DER that is cut off or broken", "DER of another kind"

_LABELS = {
    b"CERTIFICATE": CERTIFICATE,
    b"X509 CERTIFICATE": CERTIFICATE,
    b"TRUSTED CERTIFICATE": CERTIFICATE,
    b"X509 CRL": CRL,
    b"CRL": CRL,
    b"CERTIFICATE REQUEST": "a certificate signing request",
    b"NEW CERTIFICATE REQUEST": "a certificate signing request",
    b"PKCS7": "PKCS#7",
    b"CMS": "PKCS#7",
    b"PUBLIC KEY": "a public key",
}
_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,60})-----")
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]+=?\s*=?\s*")
_MARKS = (
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"-\x00", "UTF-16 text"),
    (b"\x00-", "UTF-16 text"),
    (b"<", "a web page (HTML) or XML"),
)
_SHAPES = (
    ((INTEGER, SEQUENCE, OCTET_STRING), "a private key"),
    ((INTEGER, SEQUENCE), "PKCS#12"),
    ((INTEGER,), "a private key"),
    ((SEQUENCE, BIT_STRING), "a public key"),
)
_SIGNED_DATA = bytes.fromhex("2a864886f70d0107")  # the arc of PKCS#7's content types
_VERSION = 0xA0
_TIMES = (UTC_TIME, GENERALIZED_TIME)
_PEEK = 4096  # bytes of a text that are looked at


def held(data: bytes) -> str:
    """Return in words what a file holds, as far as its beginning says."""
    start = data[:_PEEK].lstrip(b"\xef\xbb\xbf \t\r\n")
    if (found := next((words for mark, words in _MARKS if start.startswith(mark)), None)) is not None:
        return found
    if labels := list(dict.fromkeys(_label_words(each) for each in _LABEL.findall(data))):
        return " and ".join(labels[:3])
    if data[:1] == b"\x30":
        return of_der(data)
    return "neither DER nor PEM" if start else "nothing"


def of_der(data: bytes) -> str:
    """Return in words what DER holds, by its outermost elements."""
    try:
        outer = read(data, 0, len(data))
        first = list(elements(data, outer.body, outer.end))
        inner = list(elements(data, first[0].body, first[0].end)) if first and first[0].tag == SEQUENCE else []
    except DerError:
        return UNREADABLE_DER
    tags, inside = tuple(each.tag for each in first), [each.tag for each in inner]
    if tags[:1] == (OBJECT_IDENTIFIER,) and content(data, first[0]).startswith(_SIGNED_DATA):
        return "PKCS#7"
    if tags == (SEQUENCE, SEQUENCE, BIT_STRING):
        return _of_signed(inside)
    return next((words for start, words in _SHAPES if tags[: len(start)] == start), OTHER_DER)


def base64_without_armour(data: bytes) -> bytes | None:
    """Return the DER that bare base64 text holds, as `cfssl gencrl` prints it; None for anything else."""
    if data[:1] != b"M" or not _BASE64.fullmatch(data):  # base64 of 0x30 begins with M
        return None
    try:
        found = binascii.a2b_base64(data)
    except binascii.Error:
        return None
    return found if found[:1] == b"\x30" else None


def _of_signed(inside: list[int]) -> str:
    """Return what something signed is, by the tags inside what is signed."""
    tags = inside[1:] if inside[:1] == [_VERSION] else inside
    if inside[:1] == [_VERSION] or tags[:4] == [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE]:
        return CERTIFICATE
    if any(tag in _TIMES for tag in inside[2:4]):
        return CRL
    if tags[:3] == [INTEGER, SEQUENCE, SEQUENCE] and tags[3:4] == [_VERSION]:
        return "a certificate signing request"
    return OTHER_DER


def _label_words(label: bytes) -> str:
    if label.endswith(b"PRIVATE KEY"):
        return "a private key"
    return _LABELS.get(label, f"PEM labelled {label.decode('ascii')}")
