"""The few fields of a certificate that revocation depends on, read from its DER and only when they are needed.

Device certificates in the field carry extensions that no strict parser takes as a whole (a written-out `CA:FALSE`),
or are version 1. Whether such a certificate is revoked can be said all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from jitr.revocation import extensions as ext
from jitr.revocation.der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    DerError,
    Tlv,
    content,
    expect,
    integer,
    named_bits,
    only,
    read,
    whole,
)
from jitr.revocation.signature import SignedFrame, frame

_VERSION = 0xA0
_EXTENSIONS = 0xA3
_CRL_SIGN = 6  # RFC 5280 section 4.2.1.3


@dataclass(frozen=True, kw_only=True)
class CertificateFields:
    """One certificate; `serial` may be negative, names and public key are DER. Properties raise DerError."""

    der: bytes
    framed: SignedFrame
    version: int
    serial: int
    issuer: bytes
    subject: bytes
    public_key: bytes
    _extension_list: Tlv | None

    @classmethod
    def of(cls, certificate: x509.Certificate) -> CertificateFields:
        """Read a certificate; raises DerError. Not checked: signature, validity, anything inside extensions."""
        der = certificate.public_bytes(Encoding.DER)
        framed = frame(der)
        at, end = framed.signed.body, framed.signed.end
        version = read(der, at, end)
        number = 1
        if version.tag == _VERSION:
            number = integer(der, only(der, version.body, version.end, INTEGER)) + 1
            at = version.end
        serial = expect(der, at, end, INTEGER)
        algorithm = expect(der, serial.end, end, SEQUENCE)
        issuer = expect(der, algorithm.end, end, SEQUENCE)
        validity = expect(der, issuer.end, end, SEQUENCE)
        subject = expect(der, validity.end, end, SEQUENCE)
        public_key = expect(der, subject.end, end, SEQUENCE)
        if whole(der, algorithm) != framed.algorithm:
            raise DerError("the certificate names two signature algorithms")
        return cls(
            der=der,
            framed=framed,
            version=number,
            serial=integer(der, serial),
            issuer=whole(der, issuer),
            subject=whole(der, subject),
            public_key=whole(der, public_key),
            _extension_list=_extension_list(der, public_key.end, end),
        )

    @cached_property
    def extensions(self) -> dict[bytes, ext.Extension]:
        """The extensions by object identifier; empty where there are none."""
        if self._extension_list is None:
            return {}
        return dict(ext.read_extensions(self.der, self._extension_list, explicit_false=True))

    @property
    def is_ca(self) -> bool:
        """Whether basicConstraints says cA; a written-out FALSE counts as what it says."""
        if (extension := self.extensions.get(ext.BASIC_CONSTRAINTS)) is None:
            return False
        outer = only(extension.value, 0, len(extension.value), SEQUENCE)
        if outer.body == outer.end:
            return False
        first = read(extension.value, outer.body, outer.end)
        return first.tag == BOOLEAN and content(extension.value, first) != b"\x00"

    @property
    def may_sign_crls(self) -> bool:
        """Whether keyUsage, where there is one, has cRLSign."""
        if (extension := self.extensions.get(ext.KEY_USAGE)) is None:
            return True
        return _CRL_SIGN in named_bits(extension.value, only(extension.value, 0, len(extension.value), BIT_STRING))

    @property
    def subject_key_identifier(self) -> bytes | None:
        """The subject key identifier, if there is one."""
        if (extension := self.extensions.get(ext.SUBJECT_KEY_IDENTIFIER)) is None:
            return None
        return content(extension.value, only(extension.value, 0, len(extension.value), OCTET_STRING))


def _extension_list(der: bytes, at: int, end: int) -> Tlv | None:
    while at < end:
        element = read(der, at, end)
        if element.tag == _EXTENSIONS:
            return only(der, element.body, element.end, SEQUENCE)
        at = element.end
    return None
