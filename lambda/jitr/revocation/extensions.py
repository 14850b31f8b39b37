"""Lists of extensions as certificates, CRLs and CRL entries carry them (RFC 5280 section 4.1.2.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jitr.revocation.der import (
    BOOLEAN,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    DerError,
    Tlv,
    boolean,
    content,
    elements,
    expect,
    object_identifier,
    only,
    read,
)

# Object identifiers by their content octets; all lie under 2.5.29.
SUBJECT_KEY_IDENTIFIER = b"\x55\x1d\x0e"
KEY_USAGE = b"\x55\x1d\x0f"
BASIC_CONSTRAINTS = b"\x55\x1d\x13"
CRL_NUMBER = b"\x55\x1d\x14"
REASON_CODE = b"\x55\x1d\x15"
INVALIDITY_DATE = b"\x55\x1d\x18"
DELTA_CRL_INDICATOR = b"\x55\x1d\x1b"
ISSUING_DISTRIBUTION_POINT = b"\x55\x1d\x1c"
CERTIFICATE_ISSUER = b"\x55\x1d\x1d"
CRL_DISTRIBUTION_POINTS = b"\x55\x1d\x1f"
AUTHORITY_KEY_IDENTIFIER = b"\x55\x1d\x23"
FRESHEST_CRL = b"\x55\x1d\x2e"


@dataclass(frozen=True)
class Extension:
    """One extension: whether it is critical, and the DER inside its OCTET STRING."""

    critical: bool
    value: bytes


def read_extensions(data: bytes, listed: Tlv, *, explicit_false: bool = False) -> Mapping[bytes, Extension]:
    """Return the extensions of a SEQUENCE OF Extension by object identifier.

    `explicit_false` accepts `critical FALSE` written out, which is no DER but found in certificates in the field.
    Raises DerError for an empty list, for an extension that is there twice and for anything that is no DER.
    """
    found: dict[bytes, Extension] = {}
    for element in elements(data, listed.body, listed.end):
        identifier, extension = _extension(data, element, explicit_false=explicit_false)
        if identifier in found:
            raise DerError(f"an extension that is there twice at byte {element.start}")
        found[identifier] = extension
    if listed.tag != SEQUENCE or not found:
        raise DerError(f"no list of extensions at byte {listed.start}")
    return found


def _extension(data: bytes, element: Tlv, *, explicit_false: bool) -> tuple[bytes, Extension]:
    if element.tag != SEQUENCE:
        raise DerError(f"no extension at byte {element.start}")
    identifier = expect(data, element.body, element.end, OBJECT_IDENTIFIER)
    following = read(data, identifier.end, element.end)
    critical = False
    if following.tag == BOOLEAN:
        critical = boolean(data, following)
        if not critical and not explicit_false:
            raise DerError(f"a default value written out at byte {following.start}")
        value = only(data, following.end, element.end, OCTET_STRING)
    else:
        value = only(data, identifier.end, element.end, OCTET_STRING)
    return object_identifier(data, identifier), Extension(critical=critical, value=content(data, value))
