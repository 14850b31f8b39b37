"""The verified CRLs of each CA, kept per container: fetched conditionally, trusted only after verification.

S3 is asked before every decision whether the CRL is still the one that is kept: that costs some milliseconds and no
quota, and a revocation counts from the moment its CRL is published. HTTP servers are asked once a minute. Only verified
CRLs are kept. A source that does not answer leaves the verified copy in use until its nextUpdate and never past it; a
source that answers with anything but a usable CRL makes everything undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from jitr.certificates import AnyCertificate, issuer_key
from jitr.crls.fetched import Fetched
from jitr.crls.sources import CDP, HTTP_REFRESH, HTTP_SCHEMES, CrlSources, named_locations
from jitr.crls.versions import CrlVersion, CrlVersions
from jitr.errors import Reason, Undecided
from jitr.revocation import CrlRefused, Options, VerifiedCrl, check_fresh, verify_crl

# Only a source that did not answer leaves the kept CRL in use. Whatever it answered instead of a usable CRL (nothing,
# a forgery, a newer CRL that cannot be used) may be what hides a revocation: then nothing is known any more.
_TRANSPORT = frozenset({Reason.FETCH_FAILED})
# Together with the parts of one refresh this stays inside a function of 512 MB.
_MAXIMUM_KEPT_BYTES = 128 * 1024 * 1024
_ACCEPT_ATTEMPTS = 5
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class CurrentCrl:
    """A verified CRL in use; `scope` names issuer and address, `failure` why a newer content could not replace it."""

    scope: str
    crl: VerifiedCrl
    failure: Undecided | None

    @property
    def version(self) -> CrlVersion:
        """Return what orders this CRL among those of its scope."""
        return version_of(self.crl)


def version_of(crl: VerifiedCrl) -> CrlVersion:
    """Return what orders a verified CRL among those of its scope."""
    return CrlVersion(number=crl.number, this_update=crl.this_update, sha256=crl.sha256)


def scope_of(ca: AnyCertificate, location: str) -> str:
    """Return what accepted versions are kept by: the issuer's name and key, and the address of the CRL."""
    return f"{issuer_key(ca)}#{location}"


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """What is known of one scope: the last content seen (by its tag), the last verified CRL, what was wrong since."""

    etag: str | None = None
    crl: VerifiedCrl | None = None
    failure: Undecided | None = None
    asked_at: datetime = _NEVER


@dataclass(frozen=True)
class CrlCache:
    """Verified CRLs by scope; one object per container."""

    sources: CrlSources
    versions: CrlVersions
    _entries: dict[str, _Entry] = field(default_factory=dict)

    def usable(
        self,
        source: str,
        ca: AnyCertificate,
        points: Sequence[str],
        *,
        at: datetime,
        options: Options = Options(),  # noqa: B008 - frozen
        newest: bool = False,
    ) -> tuple[CurrentCrl, ...]:
        """Return the verified CRLs behind a source, at least one; `points` are the certificate's distribution points.

        Every address is tried. `newest` asks each again and refuses a kept CRL where the source's cannot be used.
        Raises Undecided with the reason code of the first that failed when none is usable.
        """
        found: list[CurrentCrl] = []
        failures: list[Undecided] = []
        for location in self.sources.locations(source, points):
            try:
                found.append(self.current(location, ca, at=at, options=options, newest=newest, named=source == CDP))
            except Undecided as failure:
                failures.append(failure)
        if not found:
            raise failures[0]
        return tuple(found)

    def current(
        self,
        location: str,
        ca: AnyCertificate,
        *,
        at: datetime,
        options: Options = Options(),  # noqa: B008 - frozen
        newest: bool = False,
        named: bool = False,
    ) -> CurrentCrl:
        """Return the verified CRL of one address that is fresh at `at`; for `newest` see `usable`.

        `named`: it is certificates that name the address, so a CRL that is tied to a distribution point has to name it,
        too. Raises Undecided with the reason code of whatever stands in the way.
        """
        scope = scope_of(ca, location)
        entry = self._entries.get(scope, _Entry())
        if newest or _due(entry, location, at):
            entry = self._refreshed(entry, scope, location, ca, at=at, options=options, named=named)
            self._keep(scope, entry)
        if entry.crl is None or (entry.failure is not None and (newest or entry.failure.reason not in _TRANSPORT)):
            raise entry.failure or Undecided(Reason.NO_CRL, f"there is no CRL at {location}")
        try:
            check_fresh(entry.crl, at=at, options=options)
            if named:
                self._verify_named(entry.crl, location)
        except CrlRefused as refusal:
            raise entry.failure or Undecided(refusal.reason, refusal.message) from refusal
        return CurrentCrl(scope=scope, crl=entry.crl, failure=entry.failure)

    def _refreshed(
        self,
        entry: _Entry,
        scope: str,
        location: str,
        ca: AnyCertificate,
        *,
        at: datetime,
        options: Options,
        named: bool,
    ) -> _Entry:
        entry = replace(entry, asked_at=at)
        try:
            fetched = self.sources.fetch(location, etag=entry.etag)
        except Undecided as failure:
            # Nothing was read, so the next look must not be conditional on content that may be gone.
            return replace(entry, etag=None, failure=failure)
        if fetched is None:
            return entry
        try:
            crl = verify_crl(fetched.data, ca, at=at, options=options)
            if named:
                # Before it is accepted: another partition's CRL must not make the right one look like a rollback.
                self._verify_named(crl, location)
            self._accept(scope, version_of(crl), lambda: self._unchanged(location, fetched))
        except CrlRefused as refusal:
            # What lies in the future comes right by itself; all else stays wrong until the content changes.
            etag = None if refusal.reason is Reason.NOT_YET_VALID else fetched.etag or None
            return replace(entry, etag=etag, failure=Undecided(refusal.reason, refusal.message))
        except Undecided as failure:
            # The table, not the content, may be at fault: look at the content again next time.
            return replace(entry, etag=None, failure=failure)
        return replace(entry, etag=fetched.etag or None, crl=crl, failure=None)

    def _keep(self, scope: str, entry: _Entry) -> None:
        """Keep an entry as the one used last; those used longest ago go when the CRLs get too many bytes."""
        self._entries.pop(scope, None)
        self._entries[scope] = entry
        kept = sum(each.crl.size for each in self._entries.values() if each.crl is not None)
        for oldest in list(self._entries)[:-1]:
            if kept <= _MAXIMUM_KEPT_BYTES:
                return
            dropped = self._entries.pop(oldest)
            kept -= dropped.crl.size if dropped.crl is not None else 0

    def _accept(self, scope: str, version: CrlVersion, unchanged: Callable[[], bool]) -> None:
        """Record the version for all containers, unless it is older than what one of them accepted before.

        Of two CRLs with one number and thisUpdate (RFC 5280 5.2.3 forbids them; `openssl ca -gencrl` twice in a second
        makes them) the source offers one: it is asked again once the accepted one is known, and what it offers then was
        published later.
        """
        for _ in range(_ACCEPT_ATTEMPTS):
            seen = self.versions.acceptance(scope)
            if seen.version == version:
                return
            if seen.version is not None and version.goes_back_from(seen.version):
                raise Undecided(Reason.ROLLBACK, "the CRL is older than one that was accepted before")
            if seen.version is not None and version.contradicts(seen.version) and not unchanged():
                break
            if self.versions.accept(scope, version, after=seen):
                return
        raise Undecided(Reason.ROLLBACK, "the CRL was replaced while it was read")

    def _verify_named(self, crl: VerifiedCrl, location: str) -> None:
        """Check that a CRL is not another distribution point's (RFC 5280 section 6.3.3 (b)(2)); raises CrlRefused."""
        if crl.point is None or crl.point.names is None:
            return
        if not any(location in named_locations((uri,), self.sources.own_bucket) for uri in crl.point.uris):
            raise CrlRefused(Reason.OUT_OF_SCOPE, f"it is for another distribution point than {location}")

    def _unchanged(self, location: str, fetched: Fetched) -> bool:
        again = self.sources.fetch(location, etag=fetched.etag or None)
        return again is None or again.data == fetched.data


def _due(entry: _Entry, location: str, at: datetime) -> bool:
    """Return whether the source has to be asked: S3 always, HTTP once a minute and when the kept CRL has run out."""
    if not location.startswith(HTTP_SCHEMES) or at - entry.asked_at >= HTTP_REFRESH:
        return True
    return entry.crl is not None and entry.crl.next_update is not None and at > entry.crl.next_update
