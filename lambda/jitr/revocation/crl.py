"""Reading and verifying one CRL: from bytes that anybody may have sent to a CRL that the CA vouches for.

Nothing but the outermost elements is read before the signature holds. Afterwards everything is read strictly, since
also a CA's own software makes mistakes, and none of them may hide a serial number.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cryptography import x509

from jitr.errors import Reason
from jitr.revocation import der
from jitr.revocation import extensions as ext
from jitr.revocation.certificate_fields import CertificateFields
from jitr.revocation.entries import Entry, EntryIndex, index_entries
from jitr.revocation.names import same_name
from jitr.revocation.pem import split_crls
from jitr.revocation.refusal import DEFAULT_OPTIONS, CrlRefused, Options
from jitr.revocation.scope import IssuingDistributionPoint, read_issuing_distribution_point
from jitr.revocation.signature import SignedFrame, frame, public_key, verify_signature

_EXTENSIONS = 0xA0
_KEY_IDENTIFIER = 0x80
_LONGEST_NUMBER = 20  # octets, RFC 5280 section 5.2.3
_KNOWN = frozenset({ext.CRL_NUMBER, ext.ISSUING_DISTRIBUTION_POINT, ext.AUTHORITY_KEY_IDENTIFIER})


@dataclass(frozen=True, kw_only=True)
class CrlFields:
    """The parts of a CRL as it stands, nothing verified; `entries` are the bounds of the list, None where absent."""

    der: bytes
    framed: SignedFrame
    version: int
    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    entries: tuple[int, int] | None
    extensions: dict[bytes, ext.Extension]


@dataclass(frozen=True, kw_only=True)
class CrlProfile:
    """What a CRL says about itself, and its checked entries; `point` is None where it covers all certificates."""

    number: int | None
    point: IssuingDistributionPoint | None
    warnings: tuple[str, ...]
    entries: EntryIndex


@dataclass(frozen=True, kw_only=True, eq=False)
class VerifiedCrl:
    """A CRL that the CA signed and that passed every check that depends neither on a certificate nor on the hour.

    Keeps the DER bytes and a few positions, no objects per entry. `issuer` (DER name) and `issuer_public_key` (DER)
    say whose it is. It ages: `check_fresh` belongs before every use.
    """

    der: bytes
    issuer: bytes
    issuer_public_key: bytes
    this_update: datetime
    next_update: datetime | None
    profile: CrlProfile

    @property
    def number(self) -> int | None:
        """The cRLNumber, None where there is none."""
        return self.profile.number

    @property
    def point(self) -> IssuingDistributionPoint | None:
        """The issuing distribution point, None where the CRL covers all certificates of its issuer."""
        return self.profile.point

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is unusual about it, a sentence each."""
        return self.profile.warnings

    @property
    def size(self) -> int:
        """The size of the DER in bytes."""
        return len(self.der)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the DER in lower-case hex; computed when first asked for."""
        return hashlib.sha256(self.der).hexdigest()

    def find(self, serial: int) -> Entry | None:
        """Return the entry of a serial number, or None; one search of the bytes, nothing is parsed again."""
        return self.profile.entries.find(serial)

    def is_of(self, ca: CertificateFields) -> bool:
        """Return whether this CA, or another certificate of its name and key, is the one that vouches for the CRL."""
        return self.issuer_public_key == ca.public_key and same_name(self.issuer, ca.subject)


def read_crl(data: bytes, options: Options = DEFAULT_OPTIONS) -> CrlFields:
    """Read the one CRL in `data` (DER or PEM) without verifying anything but its form.

    Raises CrlRefused (`too_large`, `malformed`). Entries and the insides of extensions are not looked at.
    """
    if len(data) > options.max_size:
        raise CrlRefused(Reason.TOO_LARGE, f"it has {len(data)} bytes; {options.max_size} are allowed")
    crls = split_crls(data)
    if len(crls) > 1:
        raise CrlRefused(Reason.MALFORMED, f"it holds {len(crls)} CRLs where one is expected")
    try:
        return _fields(crls[0])
    except der.DerError as error:
        raise CrlRefused(Reason.MALFORMED, f"it is no well-formed CRL: {error}") from error


def verify_crl(data: bytes, ca: x509.Certificate, *, at: datetime, options: Options = DEFAULT_OPTIONS) -> VerifiedCrl:
    """Return the CRL in `data` (DER or PEM) if the CA vouches for it and it is usable at `at` (an aware datetime).

    RFC 5280 section 6.3.3 (a), (b)(1) in part, (c), (f), (g) and (l); the numbers are explained in verdict.py. Raises
    CrlRefused with one of these reasons, checked in this order: too_large, malformed, issuer_mismatch, not_crl_signer,
    unsupported_algorithm, bad_signature, then malformed, issuer_mismatch (key identifiers), delta, indirect, reasons,
    out_of_scope, unknown_critical, and last not_yet_valid, too_old, expired. Not checked: the CA certificate's own
    validity, and what depends on the certificate in question (scope).
    """
    fields = read_crl(data, options)
    try:
        issuer_public_key = verify_issuer(fields, ca)
        profile = check_profile(fields, options)
    except der.DerError as error:
        raise CrlRefused(Reason.MALFORMED, f"it is no well-formed CRL: {error}") from error
    crl = VerifiedCrl(
        der=fields.der,
        issuer=fields.issuer,
        issuer_public_key=issuer_public_key,
        this_update=fields.this_update,
        next_update=fields.next_update,
        profile=profile,
    )
    check_fresh(crl, at=at, options=options)
    return crl


def check_fresh(crl: VerifiedCrl, *, at: datetime, options: Options = DEFAULT_OPTIONS) -> None:
    """Check that a CRL speaks for `at`: RFC 5280 section 6.3.3 (a); both thisUpdate and nextUpdate are inside.

    Raises CrlRefused: not_yet_valid (thisUpdate is further ahead than the clock skew), expired (nextUpdate has passed),
    too_old (older than max_age; or without nextUpdate, and no max_age bounds its age).
    """
    if at.tzinfo is None:
        raise ValueError("the time must have a time zone")
    if crl.this_update > at + options.clock_skew:
        raise CrlRefused(Reason.NOT_YET_VALID, f"its thisUpdate lies ahead: {crl.this_update.isoformat()}")
    if options.max_age is not None and at - crl.this_update > options.max_age:
        raise CrlRefused(Reason.TOO_OLD, f"it was issued at {crl.this_update.isoformat()}, longer ago than allowed")
    if crl.next_update is None:
        if options.max_age is None:
            raise CrlRefused(Reason.TOO_OLD, "it has no nextUpdate and no maximum age was set")
    elif at > crl.next_update:
        raise CrlRefused(Reason.EXPIRED, f"its nextUpdate has passed: {crl.next_update.isoformat()}")


def _fields(data: bytes) -> CrlFields:
    """Read TBSCertList, RFC 5280 section 5.1."""
    framed = frame(data)
    at, end = framed.signed.body, framed.signed.end
    version = der.read(data, at, end)
    if version.tag == der.INTEGER:
        if der.integer(data, version) != 1:
            raise der.DerError("a version other than 1 and 2")
        at = version.end
    algorithm = der.expect(data, at, end, der.SEQUENCE)
    if der.whole(data, algorithm) != framed.algorithm:
        raise der.DerError("the signed and the unsigned signature algorithm differ")
    issuer = der.expect(data, algorithm.end, end, der.SEQUENCE)
    this_update = der.read(data, issuer.end, end)
    rest = list(der.elements(data, this_update.end, end))
    next_update = rest.pop(0) if rest and rest[0].tag in (der.UTC_TIME, der.GENERALIZED_TIME) else None
    entries = rest.pop(0) if rest and rest[0].tag == der.SEQUENCE else None
    extensions = rest.pop(0) if rest and rest[0].tag == _EXTENSIONS else None
    if rest:
        raise der.DerError(f"an element that does not belong there at byte {rest[0].start}")
    return CrlFields(
        der=data,
        framed=framed,
        version=2 if version.tag == der.INTEGER else 1,
        issuer=der.whole(data, issuer),
        this_update=der.time(data, this_update),
        next_update=der.time(data, next_update) if next_update else None,
        entries=(entries.body, entries.end) if entries else None,
        extensions=_extensions(data, extensions) if extensions else {},
    )


def _extensions(data: bytes, tagged: der.Tlv) -> dict[bytes, ext.Extension]:
    listed = der.only(data, tagged.body, tagged.end, der.SEQUENCE)
    return dict(ext.read_extensions(data, listed))


def verify_issuer(fields: CrlFields, ca: x509.Certificate) -> bytes:
    """Check who issued a CRL: name (b)(1), right to sign it (f), signature (g), key identifiers.

    Returns the CA's public key (DER). Raises DerError or CrlRefused (issuer_mismatch, not_crl_signer,
    unsupported_algorithm, bad_signature).
    """
    issuer = CertificateFields.of(ca)
    if not same_name(fields.issuer, issuer.subject):
        raise CrlRefused(Reason.ISSUER_MISMATCH, "it was issued by another CA")
    if not issuer.may_sign_crls:
        raise CrlRefused(Reason.NOT_CRL_SIGNER, "the CA certificate's keyUsage does not allow to sign CRLs")
    verify_signature(fields.der, fields.framed, public_key(ca))
    theirs, ours = _authority_key_identifier(fields), issuer.subject_key_identifier
    if theirs is not None and ours is not None and theirs != ours:
        raise CrlRefused(Reason.ISSUER_MISMATCH, "its authority key identifier is not the CA's subject key identifier")
    return issuer.public_key


def _authority_key_identifier(fields: CrlFields) -> bytes | None:
    if (extension := fields.extensions.get(ext.AUTHORITY_KEY_IDENTIFIER)) is None:
        return None
    value = extension.value
    outer = der.only(value, 0, len(value), der.SEQUENCE)
    parts = {element.tag: element for element in der.elements(value, outer.body, outer.end)}
    return der.content(value, parts[_KEY_IDENTIFIER]) if _KEY_IDENTIFIER in parts else None


def check_profile(fields: CrlFields, options: Options = DEFAULT_OPTIONS) -> CrlProfile:
    """Check what a CRL says about itself, then every entry: RFC 5280 sections 5.1 to 5.3.

    Raises DerError or CrlRefused (delta, malformed, indirect, reasons, out_of_scope, unknown_critical). Not checked:
    who signed it and whether it is fresh.
    """
    if fields.version == 1 and fields.extensions:
        raise der.DerError("a version 1 CRL with extensions")
    if ext.DELTA_CRL_INDICATOR in fields.extensions:
        raise CrlRefused(Reason.DELTA, "it is a delta CRL: it lists changes only")
    number = crl_number(fields)
    if number is None and options.require_number:
        raise CrlRefused(Reason.MALFORMED, "it has no CRL number, which is required here")
    point = None
    if (extension := fields.extensions.get(ext.ISSUING_DISTRIBUTION_POINT)) is not None:
        point = read_issuing_distribution_point(extension.value, fields.issuer)
    if any(extension.critical and name not in _KNOWN for name, extension in fields.extensions.items()):
        raise CrlRefused(Reason.UNKNOWN_CRITICAL, "it has an unknown critical extension")
    if fields.next_update is not None and fields.next_update < fields.this_update:
        raise der.DerError("its nextUpdate lies before its thisUpdate")
    start, end = fields.entries or (0, 0)
    entries = index_entries(fields.der, start, end, with_extensions=fields.version > 1)
    return CrlProfile(number=number, point=point, warnings=_warnings(fields), entries=entries)


def crl_number(fields: CrlFields) -> int | None:
    """Return the cRLNumber, None where there is none; raises DerError unless it is as RFC 5280 section 5.2.3 says."""
    if (extension := fields.extensions.get(ext.CRL_NUMBER)) is None:
        return None
    element = der.only(extension.value, 0, len(extension.value), der.INTEGER)
    number = der.integer(extension.value, element)
    if extension.critical or number < 0 or element.end - element.body > _LONGEST_NUMBER:
        raise der.DerError("a CRL number that is critical, negative or too long")
    return number


def _warnings(fields: CrlFields) -> tuple[str, ...]:
    """Return what is unusual about a CRL that is usable all the same."""
    found = []
    if fields.version == 1:
        found.append("it is a version 1 CRL: it has no extensions, so an older copy is harder to tell from a newer one")
    elif ext.CRL_NUMBER not in fields.extensions:
        found.append("it has no CRL number, so an older copy is harder to tell from a newer one")
    if fields.entries is not None and fields.entries[0] == fields.entries[1]:
        found.append("its list of entries is there but empty; RFC 5280 wants it left out")
    if ext.FRESHEST_CRL in fields.extensions:
        found.append("it points to delta CRLs, which are not used: revocations are seen with the next complete CRL")
    if fields.next_update is None:
        found.append("it has no nextUpdate")
    return tuple(found)
