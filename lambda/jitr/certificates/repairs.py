"""The harmless ways in which certificates of the field are not what a strict library reads, and what they mean.

Each kind says the same to every reader that takes it at all, OpenSSL among them; only how it is written breaks a rule.
A repaired copy has the same content as the rules want it written, for the library to read. Nobody signed the copy:
signatures are verified over the bytes that were received.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from jitr.certificates.certificate import Certificate
from jitr.certificates.der import (
    BOOLEAN,
    OBJECT_IDENTIFIER,
    SEQUENCE,
    SET,
    UTC_TIME,
    DerError,
    Tlv,
    content,
    elements,
    encoded,
    expect,
    lacks_seconds,
    read,
    whole,
)

_ECDSA = bytes.fromhex("2a8648ce3d0403")  # the arc of ecdsa-with-SHA2, RFC 5758
_NULL = b"\x05\x00"
_UTF8_STRING, _PRINTABLE_STRING, _TELETEX_STRING = 0x0C, 0x13, 0x14
_EXTENSIONS = 0xA3
_PRINTABLE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?")
_ASCII_END = 0x80


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """A certificate as the rules want it written; `oddities` say what was not, each once. Its signature is void."""

    der: bytes
    oddities: tuple[str, ...]


def repaired(certificate: Certificate) -> Repaired:
    """Return a certificate with every harmless oddity repaired; raises DerError for parts that are no DER."""
    work = _Repair(certificate.der)
    der, framed = certificate.der, certificate.framed
    outer = read(der, 0, len(der))
    signed, algorithm, signature = elements(der, outer.body, outer.end)
    inner = encoded(framed.signed.tag, b"".join(work.fields(signed)))
    written = encoded(SEQUENCE, inner + work.algorithm(algorithm) + whole(der, signature))
    return Repaired(der=written, oddities=tuple(work.oddities))


@dataclass(frozen=True)
class _Repair:
    data: bytes
    oddities: dict[str, None] = field(default_factory=dict)

    def fields(self, signed: Tlv) -> list[bytes]:
        """Return the fields of TBSCertificate (RFC 5280 section 4.1), each repaired."""
        found = list(elements(self.data, signed.body, signed.end))
        head = 0 if found[0].tag == 0x02 else 1  # noqa: PLR2004 - the version is left out in version 1
        repairs: list[Callable[[Tlv], bytes]] = [self.as_is, self.algorithm, self.name, self.validity, self.name]
        rest = found[head + len(repairs) :]
        return [
            *(self.as_is(each) for each in found[:head]),
            *(repair(each) for repair, each in zip(repairs, found[head:], strict=False)),
            *(self.extensions(each) if each.tag == _EXTENSIONS else self.as_is(each) for each in rest),
        ]

    def as_is(self, element: Tlv) -> bytes:
        """Return an element's bytes."""
        return whole(self.data, element)

    def algorithm(self, element: Tlv) -> bytes:
        """Leave out the NULL that Mbed TLS writes as ECDSA's parameters."""
        identifier = expect(self.data, element.body, element.end, OBJECT_IDENTIFIER)
        parameters = self.data[identifier.end : element.end]
        if not content(self.data, identifier).startswith(_ECDSA) or parameters != _NULL:
            return self.as_is(element)
        self.oddities["NULL as the parameters of an ECDSA signature algorithm"] = None
        return encoded(SEQUENCE, self.as_is(identifier))

    def name(self, element: Tlv) -> bytes:
        """Put sets in order, and text that its string type does not allow into a UTF8String."""
        return encoded(SEQUENCE, b"".join(self.rdn(each) for each in elements(self.data, element.body, element.end)))

    def rdn(self, element: Tlv) -> bytes:
        """Return one relative distinguished name with its attributes in DER's order."""
        if element.tag != SET:
            raise DerError(f"a name that is no sequence of sets at byte {element.start}")
        written = list(elements(self.data, element.body, element.end))
        attributes = [self.as_is(each) for each in written]
        if attributes != sorted(attributes):
            self.oddities["a set in a name that is not in DER's order"] = None
        return encoded(SET, b"".join(sorted(self.attribute(each) for each in written)))

    def attribute(self, element: Tlv) -> bytes:
        """Return one attribute of a name, its text in a type that allows it."""
        kind = expect(self.data, element.body, element.end, OBJECT_IDENTIFIER)
        value = read(self.data, kind.end, element.end)
        octets = content(self.data, value)
        if value.tag == _PRINTABLE_STRING and not _PRINTABLE.issuperset(octets) and max(octets) < _ASCII_END:
            self.oddities["a PrintableString with characters that it does not allow"] = None
        elif value.tag == _TELETEX_STRING and octets and max(octets) >= _ASCII_END:
            self.oddities["a TeletexString with Latin-1 characters"] = None
            octets = octets.decode("latin-1").encode("utf-8")
        else:
            return self.as_is(element)
        return encoded(SEQUENCE, self.as_is(kind) + encoded(_UTF8_STRING, octets) + self.data[value.end : element.end])

    def validity(self, element: Tlv) -> bytes:
        """Add the seconds to times that have none."""
        return encoded(SEQUENCE, b"".join(map(self.moment, elements(self.data, element.body, element.end))))

    def moment(self, element: Tlv) -> bytes:
        """Return a time with seconds."""
        if not lacks_seconds(self.data, element):
            return self.as_is(element)
        self.oddities["a UTCTime without seconds"] = None
        return encoded(UTC_TIME, content(self.data, element)[:-1] + b"00Z")

    def extensions(self, tagged: Tlv) -> bytes:
        """Leave out `critical FALSE` where it is written out, as it is the default."""
        listed = expect(self.data, tagged.body, tagged.end, SEQUENCE)
        each = b"".join(map(self.extension, elements(self.data, listed.body, listed.end)))
        return encoded(tagged.tag, encoded(SEQUENCE, each) + self.data[listed.end : tagged.end])

    def extension(self, element: Tlv) -> bytes:
        """Return one extension without a critical that says FALSE."""
        identifier = expect(self.data, element.body, element.end, OBJECT_IDENTIFIER)
        following = read(self.data, identifier.end, element.end)
        if following.tag != BOOLEAN or content(self.data, following) != b"\x00":
            return self.as_is(element)
        self.oddities["`critical FALSE` written out in an extension"] = None
        return encoded(SEQUENCE, self.as_is(identifier) + self.data[following.end : element.end])
