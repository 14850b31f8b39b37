"""The decision: good, revoked or undetermined, from a certificate, its CA, CRLs and a time, and from nothing else.

The steps are those of RFC 5280 section 6.3.3; docs/revocation.md and the code use the same letters:

(a)     thisUpdate and nextUpdate: the CRL speaks for the time asked about (crl.py, check_fresh).
(b)(1)  The CRL was issued by the CA that issued the certificate; indirect CRLs are refused (crl.py).
(b)(2)  Its issuing distribution point covers the certificate (scope.py).
(c)     Deltas are never applied: one beside its base leaves the answer open unless the base lists the certificate.
(d)(e)  Reasons: CRLs for some reasons only are refused, so a usable CRL covers all of them (scope.py).
(f)     The CA may sign CRLs: cRLSign, where keyUsage is present (crl.py). The path to the CA is not validated here.
(g)     The signature by the CA's own key (signature.py).
(h)     Deltas: see (c).
(i)(j)  The entry of the serial number, on the complete CRL (entries.py).
(k)     removeFromCRL has no meaning in a complete CRL: whatever is listed is revoked, whatever reason or date.
(l)     Nothing is left open: one usable CRL decides, none leaves the answer undetermined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from jitr.certificates.certificate import AnyCertificate, Certificate
from jitr.certificates.der import DerError
from jitr.certificates.names import same_name
from jitr.certificates.signature import SignatureRefused, verify_signature
from jitr.errors import Reason
from jitr.revocation.crl import VerifiedCrl, check_fresh, verify_piece
from jitr.revocation.entries import Entry
from jitr.revocation.pem import written_crls
from jitr.revocation.refusal import DEFAULT_OPTIONS, CrlRefused, Options
from jitr.revocation.scope import check_scope

# Of several refusals the one that came closest to an answer is reported, whatever the order of the CRLs.
_CLOSEST_FIRST = (
    Reason.DELTA,
    Reason.EXPIRED,
    Reason.TOO_OLD,
    Reason.NOT_YET_VALID,
    Reason.OUT_OF_SCOPE,
    Reason.REASONS,
    Reason.INDIRECT,
    Reason.UNKNOWN_CRITICAL,
    Reason.NOT_CRL_SIGNER,
    Reason.UNSUPPORTED_ALGORITHM,
    Reason.BAD_SIGNATURE,
    Reason.TOO_LARGE,
    Reason.MALFORMED,
    Reason.ISSUER_MISMATCH,
)

_Piece = bytes | VerifiedCrl | CrlRefused


class RevocationStatus(StrEnum):
    """What is known about a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """One CRL that was not used: its index among those given, and why."""

    index: int
    reason: Reason
    message: str


@dataclass(frozen=True, kw_only=True)
class RevocationVerdict:
    """An answer, with the CRL that decided, and its entry where the certificate is listed.

    `reason` and `message` say why it is undetermined; `revocation_reason` and `revoked_at` why and when the certificate
    was revoked, as far as the CRL says.
    """

    status: RevocationStatus
    reason: Reason | None = None
    message: str = ""
    revocation_reason: str | None = None
    revoked_at: datetime | None = None
    entry: Entry | None = None
    crl: VerifiedCrl | None = None
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_hold(self) -> bool:
        """Whether the certificate is listed in a way that may be taken back (entries.py, Entry)."""
        return self.status is RevocationStatus.REVOKED and self.entry is not None and self.entry.is_hold


def decide(
    certificate: AnyCertificate,
    ca: AnyCertificate,
    crls: Sequence[bytes | VerifiedCrl],
    *,
    at: datetime,
    options: Options = DEFAULT_OPTIONS,
) -> RevocationVerdict:
    """Return whether the CA's CRLs list the certificate at `at` (an aware datetime).

    `crls` are files (DER, or PEM with one or more) or CRLs that were verified before. Never raises on their content nor
    on the certificate's; whatever cannot be used is skipped and reported. Of the usable ones of one scope the highest
    CRL number counts, then the latest thisUpdate; of different scopes, any that lists the certificate. Not checked: the
    validity of the certificate and of the CA, and rollback against CRLs seen earlier.
    """
    if at.tzinfo is None:
        raise ValueError("the time must have a time zone")
    try:
        device, issuer = Certificate.of(certificate), _issuer_fields(ca)
        _check_issued_by(device, issuer)
    except CrlRefused as refusal:
        return _undetermined(refusal.reason, refusal.message)
    except Exception as error:  # noqa: BLE001 - hostile certificates must not end the decision with anything but this
        return _undetermined(Reason.MALFORMED, f"the certificate or its CA's cannot be read: {_described(error)}")
    if not crls:
        return _undetermined(Reason.NO_CRL, "there is no CRL")
    usable: list[VerifiedCrl] = []
    skipped: list[Skipped] = []
    for index, piece, odd in _pieces(crls):
        try:
            crl = _verified(piece, odd, issuer, at=at, options=options)
            check_scope(crl.point, device, options=options)
            usable.append(crl)
        except CrlRefused as refusal:
            skipped.append(Skipped(index=index, reason=refusal.reason, message=refusal.message))
        except Exception as error:  # noqa: BLE001 - hostile CRLs likewise: one that breaks the reading is unusable
            skipped.append(Skipped(index=index, reason=Reason.MALFORMED, message=_described(error)))
    return _verdict(device.serial_number, usable, tuple(skipped))


@lru_cache(maxsize=64)  # the same CA for every device of it
def _issuer_fields(ca: AnyCertificate) -> Certificate:
    return Certificate.of(ca)


def _check_issued_by(device: Certificate, issuer: Certificate) -> None:
    """Check that the CA is one, and issued the certificate: a serial number means nothing under another issuer."""
    if not same_name(device.issuer, issuer.subject):
        raise CrlRefused(Reason.ISSUER_MISMATCH, "the certificate names another issuer")
    if not issuer.may_be_ca:
        raise CrlRefused(
            Reason.NOT_CRL_SIGNER, "the issuer is no CA: its basicConstraints or keyUsage says so (cA, keyCertSign)"
        )
    try:
        verify_signature(device.der, device.framed, issuer.public_key())
    except SignatureRefused as refusal:
        if refusal.reason is Reason.BAD_SIGNATURE:
            raise CrlRefused(Reason.ISSUER_MISMATCH, "the certificate was not signed by this issuer's key") from refusal
        raise CrlRefused(refusal.reason, f"the certificate's signature: {refusal.message}") from refusal


def _pieces(crls: Iterable[bytes | VerifiedCrl]) -> Iterator[tuple[int, _Piece, tuple[str, ...]]]:
    """Yield every CRL of every file with the index of its file, and what is unusual about how it is written."""
    for index, given in enumerate(crls):
        if isinstance(given, VerifiedCrl):
            yield index, given, ()
            continue
        try:
            pieces, odd = written_crls(given)
        except CrlRefused as refusal:
            yield index, refusal, ()
            continue
        if len(pieces) > 1:
            odd = (*odd, f"it is one of {len(pieces)} CRLs in one file")
        for piece in pieces:
            yield index, piece, odd


def _verified(
    given: _Piece, odd: tuple[str, ...], issuer: Certificate, *, at: datetime, options: Options
) -> VerifiedCrl:
    if isinstance(given, CrlRefused):
        raise given
    if not isinstance(given, VerifiedCrl):
        return verify_piece(given, odd, issuer, at=at, options=options)
    if not given.is_of(issuer):
        raise CrlRefused(Reason.ISSUER_MISMATCH, "it was verified for another CA")
    check_fresh(given, at=at, options=options)
    return given


def _verdict(serial: int, usable: Sequence[VerifiedCrl], skipped: tuple[Skipped, ...]) -> RevocationVerdict:
    current = _current(usable)
    listing = [(entry, crl) for crl in current if (entry := crl.find(serial)) is not None]
    if listing:
        entry, crl = min(listing, key=lambda found: found[0].is_hold)
        return _revoked(entry, crl, skipped)
    delta = next((each for each in skipped if each.reason is Reason.DELTA), None)
    if current and delta is None:
        return RevocationVerdict(
            status=RevocationStatus.GOOD, crl=current[0], skipped=skipped, warnings=current[0].warnings
        )
    closest = delta or min(skipped, key=lambda each: _CLOSEST_FIRST.index(each.reason))
    return _undetermined(closest.reason, closest.message, skipped)


def _current(usable: Sequence[VerifiedCrl]) -> list[VerifiedCrl]:
    """Return the newest CRLs of each scope, newest scope first, in an order that depends on their content only.

    Where one has no number, thisUpdate orders them all: numbers cannot be compared with what is not there.
    """
    numbered = all(crl.number is not None for crl in usable)

    def age(crl: VerifiedCrl) -> tuple[float, float]:
        issued, number = crl.this_update.timestamp(), crl.number if crl.number is not None else -1
        return (number, issued) if numbered else (issued, number)

    scopes: dict[bytes | None, list[VerifiedCrl]] = {}
    for crl in usable:
        scopes.setdefault(crl.point.der if crl.point else None, []).append(crl)
    newest = [crl for scope in scopes.values() for crl in scope if age(crl) == max(map(age, scope))]
    # Two CRLs of one number and date are the issuer's mistake; the tie is broken by their bytes.
    return sorted(newest, key=lambda crl: (age(crl), crl.der), reverse=True)


def _revoked(entry: Entry, crl: VerifiedCrl, skipped: tuple[Skipped, ...]) -> RevocationVerdict:
    return RevocationVerdict(
        status=RevocationStatus.REVOKED,
        revocation_reason=entry.reason,
        revoked_at=entry.revoked_at,
        entry=entry,
        crl=crl,
        skipped=skipped,
        warnings=crl.warnings,
    )


def _undetermined(reason: Reason, message: str, skipped: tuple[Skipped, ...] = ()) -> RevocationVerdict:
    return RevocationVerdict(status=RevocationStatus.UNDETERMINED, reason=reason, message=message, skipped=skipped)


def _described(error: Exception) -> str:
    return str(error) if isinstance(error, DerError) else type(error).__name__
