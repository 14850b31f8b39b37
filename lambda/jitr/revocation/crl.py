"""Reading and verifying one CRL: from bytes of unknown origin to a CRL that the CA vouches for.

Nothing but the outermost elements is read before the signature holds. Afterwards everything is read strictly, since
also a CA's own software makes mistakes, and none of them may hide a serial number.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from jitr.certificates import der
from jitr.certificates import extensions as ext
from jitr.certificates.certificate import AnyCertificate, Certificate
from jitr.certificates.names import same_name
from jitr.certificates.signature import SignatureRefused, verify_signature
from jitr.errors import Reason
from jitr.revocation.crl_fields import CrlFields, check_size, read_piece
from jitr.revocation.crl_profile import CrlProfile, check_profile
from jitr.revocation.entries import Entry
from jitr.revocation.pem import written_crls
from jitr.revocation.refusal import DEFAULT_OPTIONS, CrlRefused, Options
from jitr.revocation.scope import IssuingDistributionPoint

_KEY_IDENTIFIER = 0x80
_VERSION_WITH_EXTENSIONS = 3  # of a certificate


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

    def is_of(self, ca: Certificate) -> bool:
        """Return whether this CA, or another certificate of its name and key, is the one that vouches for the CRL."""
        return self.issuer_public_key == ca.public_key_info and same_name(self.issuer, ca.subject)


def verify_crl(
    data: bytes, ca: AnyCertificate, *, at: datetime | None, options: Options = DEFAULT_OPTIONS
) -> VerifiedCrl:
    """Return the CRL in `data` (DER or PEM) if the CA vouches for it and it is usable at `at` (an aware datetime).

    Without `at` its age does not matter.
    Of several CRLs in one file (Puppet writes those of root and leaf CA) the CA's own counts; of several of its own,
    the newest, where they have one scope. RFC 5280 section 6.3.3 (a), (b)(1) in part, (c), (f), (g) and (l); the
    numbers are explained in verdict.py. Raises CrlRefused with one of these reasons, checked in this order: too_large,
    malformed, issuer_mismatch, not_crl_signer, unsupported_algorithm, bad_signature, then malformed, issuer_mismatch
    (key identifiers), delta, indirect, reasons, out_of_scope, unknown_critical, and last not_yet_valid, too_old,
    expired. Not checked: the CA certificate's own validity, and what depends on the certificate in question (scope).
    """
    check_size(data, options)
    pieces, odd = written_crls(data)
    if len(pieces) == 1:
        return verify_piece(pieces[0], odd, ca, at=at, options=options)
    own = _own_pieces(pieces, ca)
    odd = (*odd, f"it is one of {len(pieces)} CRLs in one file")
    found: list[VerifiedCrl] = []
    refusals: list[CrlRefused] = []
    for piece in own:
        try:
            found.append(verify_piece(piece, odd, ca, at=at, options=options))
        except CrlRefused as refusal:
            refusals.append(refusal)
    # A delta beside its base would be passed over with what it lists.
    if not found or any(each.reason is Reason.DELTA for each in refusals):
        raise next((each for each in refusals if each.reason is Reason.DELTA), refusals[0])
    if len({crl.point.der if crl.point else None for crl in found}) > 1:
        raise CrlRefused(Reason.MALFORMED, f"it holds {len(found)} CRLs of this CA for different certificates")
    numbered = all(crl.number is not None for crl in found)
    return max(found, key=lambda crl: (crl.number if numbered else 0, crl.this_update, crl.der))


def verify_piece(
    piece: bytes, odd: tuple[str, ...], ca: AnyCertificate, *, at: datetime | None, options: Options = DEFAULT_OPTIONS
) -> VerifiedCrl:
    """Do the same with one CRL in DER that was taken from a file; `odd` is what is unusual about how it was written."""
    check_size(piece, options)
    fields = read_piece(piece)
    try:
        issuer = Certificate.of(ca)
        issuer_public_key = verify_issuer(fields, issuer, options)
        profile = check_profile(fields, options)
    except der.DerError as error:
        raise CrlRefused(Reason.MALFORMED, f"it is no well-formed CRL: {error}") from error
    crl = VerifiedCrl(
        der=fields.der,
        issuer=fields.issuer,
        issuer_public_key=issuer_public_key,
        this_update=fields.this_update,
        next_update=fields.next_update,
        profile=replace(profile, warnings=(*odd, *_issuer_warnings(issuer), *profile.warnings)),
    )
    if at is not None:
        check_fresh(crl, at=at, options=options)
    return crl


def _own_pieces(pieces: tuple[bytes, ...], ca: AnyCertificate) -> list[bytes]:
    """Return those of a file's CRLs that name the CA as issuer, and those that cannot be read, which may."""
    own = []
    for piece in pieces:
        try:
            if same_name(read_piece(piece).issuer, Certificate.of(ca).subject):
                own.append(piece)
        except (CrlRefused, der.DerError):
            own.append(piece)
    if not own:
        raise CrlRefused(Reason.ISSUER_MISMATCH, f"it holds {len(pieces)} CRLs, all issued by other CAs")
    return own


def _issuer_warnings(ca: Certificate) -> tuple[str, ...]:
    if ca.version >= _VERSION_WITH_EXTENSIONS and not ca.has_key_usage:
        return ("the CA certificate has no keyUsage, so it does not say that it may sign CRLs (RFC 10007)",)
    return ()


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


def verify_issuer(fields: CrlFields, ca: AnyCertificate, options: Options = DEFAULT_OPTIONS) -> bytes:
    """Check who issued a CRL: name (b)(1), right to sign it (f), signature (g), key identifiers.

    Returns the CA's public key (DER). Raises DerError or CrlRefused (issuer_mismatch, not_crl_signer,
    unsupported_algorithm, bad_signature).
    """
    issuer = Certificate.of(ca)
    if not same_name(fields.issuer, issuer.subject):
        raise CrlRefused(Reason.ISSUER_MISMATCH, "it was issued by another CA")
    if not issuer.may_sign_crls:
        raise CrlRefused(Reason.NOT_CRL_SIGNER, "the CA certificate's keyUsage does not allow to sign CRLs")
    if options.require_crl_sign and issuer.version >= _VERSION_WITH_EXTENSIONS and not issuer.has_key_usage:
        raise CrlRefused(Reason.NOT_CRL_SIGNER, "the CA certificate has no keyUsage, and cRLSign is required here")
    try:
        verify_signature(fields.der, fields.framed, issuer.public_key())
    except SignatureRefused as refusal:
        raise CrlRefused(refusal.reason, refusal.message) from refusal
    theirs, ours = _authority_key_identifier(fields), issuer.subject_key_identifier
    if theirs is not None and ours is not None and theirs != ours:
        raise CrlRefused(Reason.ISSUER_MISMATCH, "its authority key identifier is not the CA's subject key identifier")
    return issuer.public_key_info


def _authority_key_identifier(fields: CrlFields) -> bytes | None:
    if (extension := fields.extensions.get(ext.AUTHORITY_KEY_IDENTIFIER)) is None:
        return None
    value = extension.value
    outer = der.only(value, 0, len(value), der.SEQUENCE)
    parts = {element.tag: element for element in der.elements(value, outer.body, outer.end)}
    return der.content(value, parts[_KEY_IDENTIFIER]) if _KEY_IDENTIFIER in parts else None
