"""Certificates as CAs and devices of the field write them: OpenSSL takes each, strict readers stumble over them.

Each kind is one way of writing a certificate of `device-1`, signed by a CA that is at hand, so that the same kind can
go through activation, import, enforcement and commands.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from jitr_local import pki
from tests.worlds import raw_der
from tests.worlds.raw_der import sequence, tlv

UTF8, PRINTABLE, TELETEX, IA5, UNIVERSAL, BMP = 0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E
_ENCODINGS = {UTF8: "utf-8", UNIVERSAL: "utf-32-be", BMP: "utf-16-be"}
_ORGANIZATION, _COMMON_NAME = b"\x06\x03\x55\x04\x0a", b"\x06\x03\x55\x04\x03"
CA_NAME, ORGANIZATION, DEVICE = "Factory CA 1", "Example Devices", "device-1"
SHA256_WITH_NULL = bytes.fromhex("300c06082a8648ce3d0403020500")


@dataclass(frozen=True)
class Written:
    """A certificate that was written byte by byte, for whoever only asks for its bytes and serial number."""

    der: bytes
    serial_number: int

    def public_bytes(self, encoding: serialization.Encoding) -> bytes:
        """Return DER or PEM."""
        if encoding is serialization.Encoding.DER:
            return self.der
        text = base64.encodebytes(self.der).decode("ascii")
        return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n".encode("ascii")

    def fingerprint(self, algorithm: hashes.HashAlgorithm) -> bytes:
        """Return a hash of the DER."""
        digest = hashes.Hash(algorithm)
        digest.update(self.der)
        return digest.finalize()


def device(der: bytes, serial: int, key: pki.PrivateKey) -> pki.Device:
    """Return a device with a certificate that the library may not be able to read."""
    return pki.Device(certificate=cast("x509.Certificate", Written(der, serial)), key=key)


def attribute(kind: bytes, text: str, tag: int = UTF8) -> bytes:
    """Return one attribute of a name."""
    return sequence(kind, tlv(tag, text.encode(_ENCODINGS.get(tag, "latin-1"))))


def distinguished_name(common_name: str, tag: int = UTF8, organization: str = ORGANIZATION) -> bytes:
    """Return a name with an organization and a common name, both of one string type."""
    parts = (attribute(_ORGANIZATION, organization, tag), attribute(_COMMON_NAME, common_name, tag))
    return sequence(*(tlv(0x31, part) for part in parts))


def point(*urls: str) -> bytes:
    """Return cRLDistributionPoints, one point for each URL."""
    uris = (tlv(0x86, url.encode("ascii")) for url in urls)
    return raw_der.extension("cRLDistributionPoints", sequence(*(sequence(tlv(0xA0, tlv(0xA0, uri))) for uri in uris)))


def _issuer(tag: int, name: str = CA_NAME, organization: str = ORGANIZATION) -> Callable[..., bytes]:
    return lambda ca, serial, key: raw_der.certificate(
        ca, serial, issuer=distinguished_name(name, tag, organization), key=key
    )


def _extension(*written: bytes) -> Callable[..., bytes]:
    return lambda ca, serial, key: raw_der.certificate(ca, serial, *written, key=key)


def _subject(written: bytes) -> Callable[..., bytes]:
    return lambda ca, serial, key: raw_der.certificate(ca, serial, subject=written, key=key)


_WRITTEN_FALSE = raw_der.extension("keyUsage", b"\x03\x02\x07\x80").replace(
    b"\x06\x03\x55\x1d\x0f", b"\x06\x03\x55\x1d\x0f\x01\x01\x00"
)
_CRITICAL_FALSE = bytes((0x30, _WRITTEN_FALSE[1] + 3)) + _WRITTEN_FALSE[2:]
_BACKWARDS = sequence(
    tlv(0x31, attribute(_ORGANIZATION, ORGANIZATION), attribute(_COMMON_NAME, DEVICE)),
)
_NO_SECONDS = sequence(tlv(0x17, b"2501010000Z"), tlv(0x17, b"4901010000Z"))
_EDI_PARTY = raw_der.extension("subjectAltName", sequence(tlv(0xA5, tlv(0xA1, tlv(UTF8, b"party")))))
_X400 = raw_der.extension("subjectAltName", sequence(tlv(0xA3, tlv(0x30))))
_CA_FALSE = raw_der.extension("basicConstraints", sequence(b"\x01\x01\x00"))

# Every kind is harmless: it becomes ACTIVE where it is not listed, and goes off where it is.
KINDS: dict[str, Callable[..., bytes]] = {
    "issuer as PrintableString": _issuer(PRINTABLE),
    "issuer as TeletexString": _issuer(TELETEX),
    "issuer as IA5String": _issuer(IA5),
    "issuer as BMPString": _issuer(BMP),
    "issuer as UniversalString": _issuer(UNIVERSAL),
    "issuer in another case": _issuer(UTF8, "FACTORY ca 1"),
    "issuer with two spaces": _issuer(UTF8, " Factory  CA 1"),
    "critical FALSE written out": _extension(_CRITICAL_FALSE),
    "cA FALSE written out": _extension(_CA_FALSE),
    "a set of the subject not in order": _subject(_BACKWARDS),
    "times without seconds": lambda ca, serial, key: raw_der.certificate(ca, serial, validity=_NO_SECONDS, key=key),
    "NULL as parameters of ECDSA": lambda ca, serial, key: raw_der.certificate(
        ca, serial, algorithm=SHA256_WITH_NULL, key=key
    ),
    "PrintableString with an underscore": _subject(distinguished_name("device_1", PRINTABLE)),
    "PrintableString with an at sign": _subject(distinguished_name(DEVICE, PRINTABLE, "ops@example.com")),
    "TeletexString with Latin-1": _subject(
        sequence(tlv(0x31, attribute(_ORGANIZATION, "Müller", TELETEX)), tlv(0x31, attribute(_COMMON_NAME, DEVICE)))
    ),
    "alternative name with EDIPartyName": _extension(_EDI_PARTY),
    "alternative name with x400Address": _extension(_X400),
    "a distribution point that is no URL": _extension(point("http://[crl-host]/x")),
    "noRevAvail": _extension(raw_der.extension("noRevAvail", b"\x05\x00")),
    "noRevAvail marked critical": _extension(raw_der.extension("noRevAvail", b"\x05\x00", critical=True)),
    "version 1": lambda ca, serial, key: raw_der.certificate(ca, serial, version=b"", key=key),
}


# One of each cause: names compared by characters, an extension and an algorithm that the library refuses to load, a
# name that it refuses to read, and no extensions at all. Searches that take long go over these.
REPRESENTATIVES = (
    "issuer as PrintableString",
    "critical FALSE written out",
    "NULL as parameters of ECDSA",
    "TeletexString with Latin-1",
    "version 1",
)


def odd_device(kind: str, ca: pki.CertificateAuthority, serial: int) -> pki.Device:
    """Return a device of one kind."""
    key = pki.new_key()
    return device(KINDS[kind](ca, serial, key), serial, key)


def pointing_device(ca: pki.CertificateAuthority, serial: int, url: str) -> pki.Device:
    """Return a device whose distribution point is hidden from who reads extensions all or nothing: `cA FALSE`."""
    key = pki.new_key()
    return device(raw_der.certificate(ca, serial, _CA_FALSE, point(url), key=key), serial, key)


def odd_ca(name: bytes, *extensions: bytes) -> pki.CertificateAuthority:
    """Return a CA whose certificate has this name and, beside basicConstraints and keyUsage, these extensions."""
    key = pki.new_key()
    plain = pki.CertificateAuthority.create(key=key)
    der = raw_der.certificate(
        plain,
        4711,
        raw_der.extension("basicConstraints", sequence(b"\x01\x01\xff"), critical=True),
        raw_der.extension("keyUsage", b"\x03\x02\x01\x06", critical=True),
        *extensions,
        issuer=name,
        subject=name,
        key=key,
    )
    return pki.CertificateAuthority(certificate=cast("x509.Certificate", Written(der, 4711)), key=key)


def _length_in_long_form(der: bytes) -> bytes:
    """Return it with the outermost length written in one octet more than it needs, as BER allows."""
    body = der[2 + (der[1] & 0x7F) :]
    return b"\x30\x83" + len(body).to_bytes(3, "big") + body


def _length_indefinite(der: bytes) -> bytes:
    return b"\x30\x80" + der[2 + (der[1] & 0x7F) :] + b"\x00\x00"


def _without_serial(der: bytes) -> bytes:
    """Return it with a serial number of another type, which no reader takes for one."""
    return der.replace(raw_der.integer(UNREADABLE_SERIAL), raw_der.integer(UNREADABLE_SERIAL, tag=0x04), 1)


UNREADABLE_SERIAL = 0x51A7BEEF
# None can be read as a whole. Of the first three a lenient reader finds the serial number, of the last nobody.
UNREADABLE: dict[str, Callable[[bytes], bytes]] = {
    "a byte after its end": lambda der: der + b"\x00",
    "a length in more octets than it needs": _length_in_long_form,
    "an indefinite length": _length_indefinite,
    "no serial number": _without_serial,
}
WITHOUT_SERIAL = "no serial number"


def unreadable_device(kind: str, ca: pki.CertificateAuthority) -> pki.Device:
    """Return a device of one of the kinds that nobody can read as a whole; its serial number is UNREADABLE_SERIAL."""
    key = pki.new_key()
    der = UNREADABLE[kind](raw_der.certificate(ca, UNREADABLE_SERIAL, key=key))
    return device(der, UNREADABLE_SERIAL, key)
