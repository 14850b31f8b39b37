"""One certificate as everybody reads it: the fields that decide, each from its own bytes.

Devices in the field carry certificates that no strict library takes as a whole (a default value written out, a name in
another string type), or of version 1. Whether such a certificate is listed can be said all the same, and here it is
said the same everywhere: activation, enforcement, import and commands read through this class. Where it is DER, it is
read strictly; what else is read is listed in repairs.py. What an activation needs beyond that is in agreement.py.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from jitr.certificates import extensions as ext
from jitr.certificates.der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    DerError,
    Tlv,
    content,
    elements,
    expect,
    integer,
    named_bits,
    only,
    read,
    time,
    two,
    whole,
)
from jitr.certificates.names import name_text
from jitr.certificates.signature import SignedFrame, frame, load_public_key

_VERSION, _ISSUER_ID, _SUBJECT_ID, _EXTENSIONS = 0xA0, 0x81, 0x82, 0xA3
_KEY_CERT_SIGN, _CRL_SIGN = 5, 6  # RFC 5280 section 4.2.1.3
_VERSION_WITH_EXTENSIONS = 3
_PEM_LINE = 64
_FIELDS = (
    ("the serial number", INTEGER),
    ("the signature algorithm", SEQUENCE),
    ("the issuer", SEQUENCE),
    ("the validity", SEQUENCE),
    ("the subject", SEQUENCE),
    ("the public key", SEQUENCE),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Certificate:
    """One certificate; `serial_number` may be negative, names and public key are DER.

    Properties raise DerError where their own part cannot be read, and nothing else does. Two are equal whose DER is.
    """

    der: bytes
    framed: SignedFrame
    version: int
    serial_number: int
    issuer: bytes
    subject: bytes
    public_key_info: bytes
    validity: Tlv
    _extension_list: Tlv | None

    @classmethod
    def of(cls, certificate: AnyCertificate) -> Certificate:
        """Return a certificate of the library as one of ours; raises DerError. Ours is returned as it is."""
        if isinstance(certificate, Certificate):
            return certificate
        return cls.from_der(certificate.public_bytes(Encoding.DER))

    @classmethod
    def from_der(cls, der: bytes) -> Certificate:
        """Read a certificate; raises DerError. Not checked: signature, validity, anything inside extensions."""
        with _reading("the certificate"):
            framed = frame(der)
        at, end = framed.signed.body, framed.signed.end
        with _reading("the version"):
            version = read(der, at, end)
            number = 1
            if version.tag == _VERSION:
                number = integer(der, only(der, version.body, version.end, INTEGER)) + 1
                at = version.end
        found = {}
        for field, tag in _FIELDS:
            with _reading(field):
                found[field] = expect(der, at, end, tag)
                at = found[field].end
        serial, algorithm, issuer, validity, subject, public_key = found.values()
        if whole(der, algorithm) != framed.algorithm:
            raise DerError("the signature algorithm: the signed and the unsigned one differ")
        with _reading("the serial number"):
            serial_number = integer(der, serial)
        with _reading("the extensions"):
            extension_list = _extension_list(der, at, end)
        return cls(
            der=der,
            framed=framed,
            version=number,
            serial_number=serial_number,
            issuer=whole(der, issuer),
            subject=whole(der, subject),
            public_key_info=whole(der, public_key),
            validity=validity,
            _extension_list=extension_list,
        )

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same certificate, octet for octet."""
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        """Return the hash of its DER."""
        return hash(self.der)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the DER in lower-case hex, which is AWS IoT's certificate id."""
        return hashlib.sha256(self.der).hexdigest()

    @cached_property
    def not_valid_before_utc(self) -> datetime:
        """When its validity begins."""
        return self._moments[0]

    @cached_property
    def not_valid_after_utc(self) -> datetime:
        """When its validity ends."""
        return self._moments[1]

    @cached_property
    def _moments(self) -> tuple[datetime, datetime]:
        with _reading("the validity"):
            before, after = two(self.der, self.validity)
            return time(self.der, before, seconds_needed=False), time(self.der, after, seconds_needed=False)

    @property
    def begins(self) -> datetime | None:
        """When its validity begins, None where that cannot be read."""
        return self._moment(0)

    @property
    def ends(self) -> datetime | None:
        """When its validity ends, None where that cannot be read."""
        return self._moment(1)

    def _moment(self, index: int) -> datetime | None:
        try:
            return self._moments[index]
        except DerError:
            return None

    @property
    def subject_text(self) -> str:
        """The subject as text for people."""
        return name_text(self.subject)

    @property
    def issuer_text(self) -> str:
        """The issuer as text for people."""
        return name_text(self.issuer)

    @cached_property
    def pem(self) -> str:
        """The certificate in PEM, as the library writes it: lines of 64 characters."""
        text = base64.b64encode(self.der).decode("ascii")
        lines = (text[at : at + _PEM_LINE] for at in range(0, len(text), _PEM_LINE))
        return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))

    def for_library(self) -> x509.Certificate:
        """Return the certificate as the library reads it, for what makes certificates; raises DerError if it cannot."""
        try:
            return x509.load_der_x509_certificate(self.der)
        except Exception as error:
            raise DerError(f"the library that makes certificates cannot read it: {error}") from error

    def public_key(self) -> object:
        """Return the public key; raises SignatureRefused for one that cannot be loaded."""
        return load_public_key(self.public_key_info)

    @cached_property
    def extensions(self) -> dict[bytes, ext.Extension]:
        """The extensions by object identifier; empty where there are none."""
        listed = self._extension_list
        if listed is None:
            return {}
        with _reading("the extensions"):
            return dict(ext.read_extensions(self.der, listed, explicit_false=True))

    def extension(self, identifier: bytes) -> ext.Extension | None:
        """Return one extension, whatever is wrong with the others; None where it is not there.

        Raises DerError where it cannot be read, or where what cannot be read may be this one.
        """
        listed = self._extension_list
        if listed is None:
            return None
        with _reading("the extensions"):
            return ext.read_extension(self.der, listed, identifier)

    @property
    def is_ca(self) -> bool:
        """Whether basicConstraints says cA; a written-out FALSE counts as what it says."""
        if (extension := self.extension(ext.BASIC_CONSTRAINTS)) is None:
            return False
        outer = only(extension.value, 0, len(extension.value), SEQUENCE)
        if outer.body == outer.end:
            return False
        first = read(extension.value, outer.body, outer.end)
        return first.tag == BOOLEAN and content(extension.value, first) != b"\x00"

    @property
    def path_length(self) -> int | None:
        """The pathLenConstraint of basicConstraints, None where there is none."""
        if (extension := self.extension(ext.BASIC_CONSTRAINTS)) is None:
            return None
        outer = only(extension.value, 0, len(extension.value), SEQUENCE)
        found = [each for each in elements(extension.value, outer.body, outer.end) if each.tag == INTEGER]
        return integer(extension.value, found[0]) if found else None

    @property
    def has_key_usage(self) -> bool:
        """Whether it says at all what its key may be used for; certificates before version 3 cannot."""
        return self.extension(ext.KEY_USAGE) is not None

    @property
    def may_sign_crls(self) -> bool:
        """Whether keyUsage, where there is one, has cRLSign."""
        return self._may(_CRL_SIGN)

    @property
    def may_sign_certificates(self) -> bool:
        """Whether keyUsage, where there is one, has keyCertSign."""
        return self._may(_KEY_CERT_SIGN)

    @cached_property
    def may_be_ca(self) -> bool:
        """Whether nothing in it says that it is no CA: cA in version 3, keyCertSign where there is a key usage."""
        return (self.is_ca or self.version < _VERSION_WITH_EXTENSIONS) and self.may_sign_certificates

    def _may(self, usage: int) -> bool:
        if (extension := self.extension(ext.KEY_USAGE)) is None:
            return True
        return usage in named_bits(extension.value, only(extension.value, 0, len(extension.value), BIT_STRING))

    @property
    def subject_key_identifier(self) -> bytes | None:
        """The subject key identifier, if there is one."""
        if (extension := self.extension(ext.SUBJECT_KEY_IDENTIFIER)) is None:
            return None
        return content(extension.value, only(extension.value, 0, len(extension.value), OCTET_STRING))


AnyCertificate = Certificate | x509.Certificate


@contextmanager
def _reading(field: str) -> Iterator[None]:
    """Let errors say which field could not be read."""
    try:
        yield
    except DerError as error:
        raise DerError(f"{field}: {error}") from error


def _extension_list(der: bytes, at: int, end: int) -> Tlv | None:
    """Return the list of extensions; the unique identifiers before it, which nobody uses, are passed over."""
    rest = list(elements(der, at, end))
    tags = [each.tag for each in rest]
    if tags != [tag for tag in (_ISSUER_ID, _SUBJECT_ID, _EXTENSIONS) if tag in tags]:
        raise DerError(f"an element that does not belong there after the public key at byte {at}")
    if not rest or rest[-1].tag != _EXTENSIONS:
        return None
    return only(der, rest[-1].body, rest[-1].end, SEQUENCE)
