"""Comparing distinguished names as RFC 5280 section 7.1 asks: by their characters, not by their encoding."""

from __future__ import annotations

import unicodedata

from jitr.revocation.der import OBJECT_IDENTIFIER, SEQUENCE, SET, DerError, Tlv, content, elements, expect, only, read

_ENCODINGS = {
    0x0C: "utf-8",  # UTF8String
    0x13: "ascii",  # PrintableString
    0x14: "latin-1",  # TeletexString, as issuers use it
    0x16: "ascii",  # IA5String
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}

Attribute = tuple[bytes, str | bytes]
Rdn = tuple[Attribute, ...]
ComparableName = tuple[Rdn, ...]


def same_name(one: bytes, other: bytes) -> bool:
    """Return whether two DER names match; equal bytes always do. Raises DerError for what is no name."""
    return one == other or comparable_name(one) == comparable_name(other)


def comparable_name(der: bytes) -> ComparableName:
    """Return a name in a form that is equal for matching names. Raises DerError."""
    name = only(der, 0, len(der), SEQUENCE)
    rdns = list(elements(der, name.body, name.end))
    if any(rdn.tag != SET for rdn in rdns):
        raise DerError("a name that is no sequence of sets")
    return tuple(comparable_rdn(der, rdn) for rdn in rdns)


def comparable_rdn(der: bytes, rdn: Tlv) -> Rdn:
    """Return the attributes of one relative distinguished name, whatever its tag, in one order. Raises DerError."""
    attributes = [_attribute(der, element) for element in elements(der, rdn.body, rdn.end)]
    if not attributes:
        raise DerError(f"an empty relative distinguished name at byte {rdn.start}")
    return tuple(sorted(attributes, key=repr))


def _attribute(der: bytes, element: Tlv) -> Attribute:
    if element.tag != SEQUENCE:
        raise DerError(f"no attribute at byte {element.start}")
    kind = expect(der, element.body, element.end, OBJECT_IDENTIFIER)
    value = read(der, kind.end, element.end)
    if value.end != element.end:
        raise DerError(f"bytes after an attribute at byte {value.end}")
    return content(der, kind), _folded(der, value)


def _folded(der: bytes, value: Tlv) -> str | bytes:
    encoding = _ENCODINGS.get(value.tag)
    octets = content(der, value)
    if encoding is None:
        return der[value.start : value.end]
    try:
        text = octets.decode(encoding)
    except UnicodeDecodeError as error:
        raise DerError(f"characters that do not exist at byte {value.start}") from error
    # RFC 4518: fold case, compose, and let any run of spaces count as one, none at the ends.
    return " ".join(unicodedata.normalize("NFKC", text.casefold()).split())
