"""Steps 5 and 6: decide on a CRL, write the row with a lease, and see that this CRL is still the one that counts.

Enforcement writes the version that it accepts before it reads rows: so either it sees the lease, or we its version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from jitr.activation.candidate import Candidate
from jitr.activation.closing import Closing
from jitr.activation.examination import Examination
from jitr.aws.iot import CertificateStatus
from jitr.crls.cache import CurrentCrl
from jitr.errors import Reason, Rejected, Undecided, Waiting
from jitr.messages.result import Progress
from jitr.registry.row import RegistryRow, RowState, id_key
from jitr.registry.rows import Registry
from jitr.revocation import RevocationStatus

# One CRL revokes for good at most this many devices as they knock; further ones stay PENDING_ACTIVATION (I7).
IRREVERSIBLE_REJECTIONS = 100
_CRL_ATTEMPTS = 3

T = TypeVar("T")


def on_newest_crl(
    examination: Examination,
    *,
    check: Callable[[bool], tuple[CurrentCrl, ...]],
    write: Callable[[], T | None],
    give_up: Callable[[], None],
) -> T | None:
    """Check (5) and write (6), again from 5 while another CRL is accepted meanwhile; returns what was written.

    `check` is told whether it has to ask every source again, and returns the CRLs that it used. `write` returns None
    where there is nothing left to do. `give_up` takes back what was written. Raises what they raise, and Undecided.
    """
    for attempt in range(_CRL_ATTEMPTS):
        used = check(attempt > 0)
        written = write()
        if written is None or not any(examination.is_outdated(crl) for crl in used):
            return written
        give_up()
    raise Undecided(Reason.ROLLBACK, "a newer CRL was accepted than the source still offers")


@dataclass(frozen=True, kw_only=True)
class Leasing:
    """Steps 5 and 6 for one event; `lease` is how long its invocation has the row to itself, `clock` is UTC."""

    examination: Examination
    rows: Registry
    closing: Closing
    lease: timedelta
    clock: Callable[[], datetime]

    def take(self, candidate: Candidate, *, owner: str, progress: Progress) -> Candidate | None:
        """Decide on a CRL and write the row.

        Returns None where another event of the certificate was quicker, and has activated it since step 2. Raises
        Rejected, Waiting or Undecided.
        """
        row = on_newest_crl(
            self.examination,
            check=lambda newest: self._check(candidate, progress, newest=newest),
            write=lambda: self._write(candidate, owner, progress),
            give_up=lambda: self.rows.release_lease(candidate.row, owner=owner),
        )
        return None if row is None else replace(candidate, replaces=row.replaces)

    # (5)

    def _check(self, candidate: Candidate, progress: Progress, *, newest: bool) -> tuple[CurrentCrl, ...]:
        progress.step = 5
        status = self.examination.revocation(candidate, newest=newest)
        progress.warnings = status.warnings
        verdict = status.verdict
        if verdict is None or verdict.status is RevocationStatus.GOOD:
            self.examination.verify_allowed(candidate)
            return status.used
        if verdict.status is RevocationStatus.REVOKED:
            self._reject_revoked(candidate, status.listing, is_hold=verdict.is_hold)
        raise Undecided(verdict.reason or Reason.MALFORMED, "the CRL does not say whether the certificate is revoked")

    def _reject_revoked(self, candidate: Candidate, current: CurrentCrl, *, is_hold: bool) -> None:
        if is_hold:
            raise Rejected(Reason.CERTIFICATE_HOLD, "the CRL lists the certificate as on hold")
        versions = self.examination.crls.versions
        if versions.state(current.scope).rejected == current.crl.sha256:
            raise Waiting(
                Reason.CRL_REJECTED,
                "an operator refused the CRL that lists the certificate: it stays pending until a corrected one is "
                "published",
            )
        # Nothing final on a CRL that may be superseded: the newest one may be the correction.
        if current.failure is not None:
            raise Undecided(current.failure.reason, "listed on a kept CRL whose source does not answer")
        if self.examination.is_outdated(current):
            raise Undecided(Reason.ROLLBACK, "listed on a CRL that is older than one that was accepted")
        if versions.count_rejection(current.scope) > IRREVERSIBLE_REJECTIONS:
            raise Rejected(
                Reason.REVOCATION_BRAKED,
                f"the CRL lists the certificate, but has revoked {IRREVERSIBLE_REJECTIONS} already: it stays pending",
            )
        self.rows.want_revocation(
            candidate.row,
            certificate_id=candidate.certificate_id,
            wanted=CertificateStatus.REVOKED,
            facts=candidate.facts,
        )
        self.rows.remember(candidate.certificate_id, candidate.row)
        self.closing.switch_off(candidate)
        raise Rejected(Reason.REVOKED, "the CRL lists the certificate; it is now REVOKED")

    # (6)

    def _write(self, candidate: Candidate, owner: str, progress: Progress) -> RegistryRow | None:
        progress.step = 6
        self._verify_id(candidate)
        at = self.clock()
        written = self.rows.begin_activation(
            candidate.row,
            certificate_id=candidate.certificate_id,
            owner=owner,
            lease_until=at + self.lease,
            at=at,
            facts=candidate.facts,
            described_at=candidate.described_at,
        )
        if written is None:
            self._verify_activated(candidate, owner)
        return written

    def _verify_id(self, candidate: Candidate) -> None:
        """Check that nobody switched it off by its id, when its serial number or its CA could not be read."""
        key = id_key(candidate.certificate_id)
        row = self.rows.row(key)
        if row is None or not row.state.refuses_activation:
            return
        if row.state is RowState.REVOKE_WANTED:
            self.closing.switch_off(candidate, key)
            raise Rejected(Reason.REVOKED, "an operator switched this certificate off by its id")
        raise Rejected(Reason.REVOKED_BEFORE, "an operator switched this certificate off by its id before")

    def _verify_activated(self, candidate: Candidate, owner: str) -> None:
        """Say why the row refused; returns only if the certificate was activated meanwhile."""
        row = self.rows.row(candidate.row)
        if row is not None and row.state.refuses_activation:
            if row.state is RowState.REVOKE_WANTED:
                self.closing.switch_off(candidate)
                raise Rejected(Reason.REVOKED, "this certificate was marked for revocation before it was activated")
            raise Rejected(Reason.REVOKED_BEFORE, "this certificate was revoked before and registered again")
        if row is not None and candidate.certificate_id not in row.certificate_ids:
            raise Rejected(
                Reason.SERIAL_IN_USE, "another certificate of this CA with the same serial number is registered"
            )
        if row is not None and row.state is RowState.ACTIVE:
            return
        if row is not None and row.lease_owner == owner:
            raise delivered_twice()
        # The other invocation has an event of its own: if it dies, that one is delivered again.
        raise Waiting(Reason.LEASE_HELD, "another invocation is activating this certificate")


def delivered_twice() -> Undecided:
    """Return what a retry says while the lease of an earlier delivery of its event is open: it comes back later."""
    return Undecided(Reason.LEASE_HELD, "an earlier delivery of this event may still be activating the certificate")
