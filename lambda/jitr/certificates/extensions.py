"""Lists of extensions as certificates, CRLs and CRL entries carry them (RFC 5280 section 4.1.2.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jitr.certificates.der import (
    BOOLEAN,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    DerError,
    Tlv,
    boolean,
    content,
    dotted,
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


_NAMES = {
    SUBJECT_KEY_IDENTIFIER: "subjectKeyIdentifier",
    KEY_USAGE: "keyUsage",
    BASIC_CONSTRAINTS: "basicConstraints",
    CRL_NUMBER: "cRLNumber",
    REASON_CODE: "reasonCode",
    INVALIDITY_DATE: "invalidityDate",
    DELTA_CRL_INDICATOR: "deltaCRLIndicator",
    ISSUING_DISTRIBUTION_POINT: "issuingDistributionPoint",
    CERTIFICATE_ISSUER: "certificateIssuer",
    CRL_DISTRIBUTION_POINTS: "cRLDistributionPoints",
    AUTHORITY_KEY_IDENTIFIER: "authorityKeyIdentifier",
    FRESHEST_CRL: "freshestCRL",
}


def name_of(identifier: bytes) -> str:
    """Return an extension's name in RFC 5280, or its object identifier with dots."""
    return _NAMES.get(identifier) or dotted(identifier)


def critical_beside(extensions: Mapping[bytes, Extension], known: frozenset[bytes]) -> str | None:
    """Return the name of a critical extension that is none of `known`, None where there is none."""
    unknown = (name for name, extension in extensions.items() if extension.critical and name not in known)
    found = next(unknown, None)
    return None if found is None else name_of(found)


def read_extensions(data: bytes, listed: Tlv, *, explicit_false: bool = False) -> Mapping[bytes, Extension]:
    """Return the extensions of a SEQUENCE OF Extension by object identifier.

    `explicit_false` accepts `critical FALSE` written out, which is no DER but found in certificates in the field.
    Raises DerError for an empty list, for an extension that is there twice and for anything that is no DER.
    """
    found: dict[bytes, Extension] = {}
    for element in elements(data, listed.body, listed.end):
        identifier, extension = _extension(data, element, explicit_false=explicit_false)
        if identifier in found:
            raise DerError(f"extension {name_of(identifier)} is there twice, at byte {element.start}")
        found[identifier] = extension
    if listed.tag != SEQUENCE or not found:
        raise DerError(f"no list of extensions at byte {listed.start}")
    return found


def read_extension(data: bytes, listed: Tlv, wanted: bytes) -> Extension | None:
    """Return one extension of a certificate's list, whatever is wrong with the others; None: it is certainly not there.

    Raises DerError where it cannot be read, is there twice, or may be what nobody can read. `critical FALSE` written
    out is accepted.
    """
    found, doubt = None, None
    elements_left = elements(data, listed.body, listed.end)
    while True:
        try:
            element = next(elements_left, None)
            if element is None:
                break
            if _is_another(data, element, wanted):
                continue
            _, extension = _extension(data, element, explicit_false=True)
        except DerError as error:
            # The list itself may have ended here: a generator that raised has no more elements.
            doubt = doubt or error
            continue
        if found is not None:
            raise DerError(f"extension {name_of(wanted)} is there twice, at byte {element.start}")
        found = extension
    if found is None and doubt is not None:
        raise doubt
    return found


def _is_another(data: bytes, element: Tlv, wanted: bytes) -> bool:
    """Return whether an element is an extension of another kind; raises DerError where its kind cannot be read."""
    if element.tag != SEQUENCE:
        raise DerError(f"no extension at byte {element.start}")
    return object_identifier(data, expect(data, element.body, element.end, OBJECT_IDENTIFIER)) != wanted


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
