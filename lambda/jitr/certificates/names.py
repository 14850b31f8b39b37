"""Comparing distinguished names as RFC 5280 section 7.1 asks: by their characters, not by their encoding."""

from __future__ import annotations

import unicodedata
import warnings

from cryptography import x509

from jitr.certificates.der import (
    OBJECT_IDENTIFIER,
    SEQUENCE,
    SET,
    DerError,
    Tlv,
    content,
    dotted,
    elements,
    expect,
    only,
    read,
    two,
)

_ENCODINGS = {
    0x0C: "utf-8",  # UTF8String
    # Octets above ASCII break the rules of the next four; they are read as Latin-1, as OpenSSL does.
    0x13: "latin-1",  # PrintableString
    0x14: "latin-1",  # TeletexString
    0x16: "latin-1",  # IA5String
    0x1A: "latin-1",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}

COMMON_NAME = bytes.fromhex("550403")

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
    text = _text(der, value)
    if text is None:
        return der[value.start : value.end]
    # RFC 4518: fold case, compose, and let any run of spaces count as one, none at the ends.
    return " ".join(unicodedata.normalize("NFKC", text.casefold()).split())


def _text(der: bytes, value: Tlv) -> str | None:
    """Return the text of a string type, None for a value that is none."""
    encoding = _ENCODINGS.get(value.tag)
    if encoding is None:
        return None
    try:
        return content(der, value).decode(encoding)
    except UnicodeDecodeError as error:
        raise DerError(f"characters that do not exist at byte {value.start}") from error


def texts_of(name: bytes, kind: bytes) -> tuple[str, ...]:
    """Return the texts of all attributes of one kind (its object identifier's content) in a DER name.

    Raises DerError, also for a value of that kind that is no text.
    """
    found = []
    outer = only(name, 0, len(name), SEQUENCE)
    for rdn in elements(name, outer.body, outer.end):
        for attribute in elements(name, rdn.body, rdn.end):
            identifier, value = two(name, attribute)
            if identifier.tag != OBJECT_IDENTIFIER or content(name, identifier) != kind:
                continue
            if (text := _text(name, value)) is None:
                raise DerError(f"a name's attribute that is no text at byte {value.start}")
            found.append(text)
    return tuple(found)


def name_text(name: bytes) -> str:
    """Return a DER name as RFC 4514 text, for people; as hex where it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return x509.Name.from_bytes(name).rfc4514_string()
    except Exception:  # noqa: BLE001 - parsers of hostile bytes raise more kinds than they document
        return _plain_text(name)


def _plain_text(name: bytes) -> str:
    try:
        return ",".join(reversed([_rdn_text(rdn) for rdn in comparable_name(name)]))
    except DerError:
        return f"#{name.hex()}"


def _rdn_text(rdn: Rdn) -> str:
    return "+".join(f"{dotted(kind)}={value if isinstance(value, str) else '#' + value.hex()}" for kind, value in rdn)
