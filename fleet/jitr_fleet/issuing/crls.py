"""Signing CRLs with a CA key at hand: entries in, a CRL out that the functions were seen to accept.

The CRL is assembled byte by byte around entries that are DER already, because a million entries must not become a
million objects of a library; what comes out goes through `verify_crl`, like any CRL, before anybody gets it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from jitr.certificates import der
from jitr.certificates import extensions as ext
from jitr.certificates.certificate import AnyCertificate, Certificate
from jitr.revocation import CrlRefused, VerifiedCrl, verify_crl
from jitr.revocation.entries import REASON_NAMES, read_entry
from jitr_fleet.issuing import signers
from jitr_fleet.issuing.signers import NotIssued, PrivateKey, authority_key_identifier, verify_pair

# removeFromCRL belongs to delta CRLs (RFC 5280 section 5.3.1).
REASON_CODES = {name: code for code, name in REASON_NAMES.items() if name != "removeFromCRL"}
UNSPECIFIED = REASON_NAMES[0]
_LONGEST_NUMBER_BITS = 159  # 20 octets with the sign, RFC 5280 section 5.2.3
_SHORT = 0x80
_VERSION_2 = b"\x02\x01\x01"
_SHA256_WITH_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_UTC_TIME_YEARS = range(1950, 2050)  # RFC 5280 section 5.1.2.4

Entries = dict[int, bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Revocation:
    """What an entry says; `reason` is RFC 5280's name, `invalid_since` when the key was compromised.

    Many entries share one: a million of them would take longer to make than to sign.
    """

    revoked_at: datetime | None = None
    reason: str | None = None
    invalid_since: datetime | None = None


UNSAID = Revocation()


@dataclass(frozen=True, kw_only=True)
class SigningCa:
    """A CA certificate and its private key, which were seen to belong together."""

    certificate: Certificate
    key: PrivateKey

    @classmethod
    def of(cls, certificate: AnyCertificate, key: object) -> SigningCa:
        """Pair a certificate with its key; raises NotIssued for a key of another kind or of another certificate."""
        ca = Certificate.of(certificate)
        return cls(certificate=ca, key=verify_pair(ca, key))


def verify_may_sign(ca: AnyCertificate) -> None:
    """Check that a certificate is a CA's and may sign CRLs; raises NotIssued.

    basicConstraints must say cA (version 1 certificates cannot), keyUsage, where present, cRLSign. Not checked: its
    validity, who signed it.
    """
    signers.verify_may_sign(ca, "CRLs", lambda read: read.may_sign_crls, "cRLSign")


def verify_previous(data: bytes, ca: AnyCertificate) -> VerifiedCrl:
    """Return a CRL that the CA signed at any time, fresh or not; raises CrlRefused."""
    return verify_crl(data, ca, at=None)


def encode_entries(revocations: Mapping[int, Revocation], *, at: datetime, known: Mapping[int, bytes]) -> Entries:
    """Return the DER of each entry by serial number; those that say no more than a serial stay as `known` has them.

    `at` is the revocation date of those that have none and are not known.
    """
    entries: Entries = {}
    for serial, revocation in revocations.items():
        if serial in known and revocation == UNSAID:
            entries[serial] = known[serial]
        else:
            entries[serial] = _element(der.SEQUENCE, der.encoded_integer(serial), _after_serial(revocation, at))
    return entries


def listed_entries(crl: VerifiedCrl) -> Entries:
    """Return the DER of each entry of a CRL by serial number; of several, one that is final."""
    index = crl.profile.entries
    data, at = index.data, index.start
    entries: Entries = {}
    while at < index.end:
        outer = der.read(data, at, index.end)
        number = der.read(data, outer.body, outer.end)
        serial = int.from_bytes(data[number.body : number.end], "big", signed=True)
        if serial not in entries or is_hold(entries[serial]):
            entries[serial] = data[at : outer.end]
        at = outer.end
    return entries


def is_hold(entry: bytes) -> bool:
    """Return whether an entry may be taken back, as its reason code says."""
    return read_entry(entry, 0, len(entry)).is_hold


def next_number(previous: VerifiedCrl | None, *, wanted: int | None, at: datetime) -> int:
    """Return the CRL number to use: `wanted`, else one more than the previous, else the milliseconds since 1970.

    Raises NotIssued where number or time would go back, or the number is longer than RFC 5280 allows.
    """
    before = previous.number if previous else None
    if previous is not None and previous.this_update > at:
        raise NotIssued(
            f"the previous CRL was issued at {previous.this_update.isoformat()}, which lies ahead of this computer's "
            "clock"
        )
    number = wanted
    if number is None:
        number = int(at.timestamp() * 1000) if before is None else before + 1
    if before is not None and number <= before:
        raise NotIssued(f"number {number} is not higher than the previous CRL's, {before}")
    if number < 0 or number.bit_length() > _LONGEST_NUMBER_BITS:
        raise NotIssued("a CRL number is not negative and has at most 20 octets")
    return number


def dropped(
    before: Iterable[int],
    entries: Mapping[int, bytes],
    *,
    expires: Mapping[int, datetime],
    allowed: frozenset[int],
    at: datetime,
) -> list[int]:
    """Return the serial numbers that would vanish although they may not: neither expired by `at` nor allowed.

    `expires` says when certificates expire; one that is not in it counts as unexpired.
    """
    gone = (serial for serial in before if serial not in entries and serial not in allowed)
    return sorted(serial for serial in gone if serial not in expires or expires[serial] > at)


def sign_crl(
    ca: SigningCa,
    entries: Mapping[int, bytes],
    *,
    number: int,
    this_update: datetime,
    next_update: datetime,
    point: bytes | None = None,
) -> VerifiedCrl:
    """Sign a version 2 CRL with SHA-256 and return it verified; times count in whole seconds.

    `entries` are DER by serial number; `point` is the value of an issuing distribution point to keep. RFC 5280 section
    5. Raises NotIssued if what was made is not what `verify_crl` accepts with as many entries.
    """
    algorithm = _SHA256_WITH_RSA if isinstance(ca.key, rsa.RSAPrivateKey) else _ECDSA_WITH_SHA256
    listed = b"".join(entries[serial] for serial in sorted(entries))
    extensions = _extensions(ca.certificate, number, point)
    signed = _element(
        der.SEQUENCE,
        _VERSION_2,
        algorithm,
        ca.certificate.subject,
        _time(this_update),
        _time(next_update),
        _element(der.SEQUENCE, listed) if listed else b"",
        _element(0xA0, _element(der.SEQUENCE, extensions)),
    )
    signature = _element(der.BIT_STRING, b"\x00", _sign(ca.key, signed))
    made = _element(der.SEQUENCE, signed, algorithm, signature)
    try:
        crl = verify_crl(made, ca.certificate, at=this_update)
    except CrlRefused as refusal:
        raise NotIssued(f"the CRL would not be accepted: {refusal.reason}: {refusal.message}") from refusal
    if crl.number != number or crl.profile.entries.count() != len(entries):
        raise NotIssued("the CRL does not hold what it should")
    return crl


def _sign(key: PrivateKey, signed: bytes) -> bytes:
    digest, prehashed = hashlib.sha256(signed).digest(), Prehashed(hashes.SHA256())
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(digest, padding.PKCS1v15(), prehashed)
    return key.sign(digest, ec.ECDSA(prehashed))


def _extensions(ca: Certificate, number: int, point: bytes | None) -> bytes:
    return b"".join(
        (
            _extension(ext.AUTHORITY_KEY_IDENTIFIER, authority_key_identifier(ca).public_bytes()),
            _extension(ext.CRL_NUMBER, x509.CRLNumber(number).public_bytes()),
            _extension(ext.ISSUING_DISTRIBUTION_POINT, point, critical=True) if point is not None else b"",
        )
    )


@lru_cache(maxsize=4096)
def _after_serial(revocation: Revocation, at: datetime) -> bytes:
    """Return what follows the serial number in an entry; few of a million differ."""
    extensions = b""
    # RFC 5280 section 5.3.1: unspecified should be left out.
    if revocation.reason is not None and revocation.reason != UNSPECIFIED:
        extensions += _extension(ext.REASON_CODE, bytes((der.ENUMERATED, 1, REASON_CODES[revocation.reason])))
    if revocation.invalid_since is not None:
        extensions += _extension(ext.INVALIDITY_DATE, _generalized_time(revocation.invalid_since))
    return _time(revocation.revoked_at or at) + (_element(der.SEQUENCE, extensions) if extensions else b"")


def _extension(identifier: bytes, value: bytes, *, critical: bool = False) -> bytes:
    flag = b"\x01\x01\xff" if critical else b""
    return _element(der.SEQUENCE, _element(der.OBJECT_IDENTIFIER, identifier), flag, _element(der.OCTET_STRING, value))


def _element(tag: int, *parts: bytes) -> bytes:
    size = sum(map(len, parts))
    if size < _SHORT:
        return b"".join((bytes((tag, size)), *parts))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return b"".join((bytes((tag, _SHORT | len(octets))), octets, *parts))


def _time(moment: datetime) -> bytes:
    moment = moment.astimezone(UTC)
    if moment.year not in _UTC_TIME_YEARS:
        return _generalized_time(moment)
    return _element(der.UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode("ascii"))


def _generalized_time(moment: datetime) -> bytes:
    # strftime does not pad years below 1000 everywhere.
    moment = moment.astimezone(UTC)
    return _element(der.GENERALIZED_TIME, f"{moment.year:04}{moment:%m%d%H%M%S}Z".encode("ascii"))
