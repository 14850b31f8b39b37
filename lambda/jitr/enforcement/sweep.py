"""Enforcement: what a CRL lists after activation is switched off in AWS IoT too.

One sweep of one scope (a CA's key and one address of its CRL), whose numbers appear in the code, in log lines and in
docs/enforcement.md:

E1. Lease of the scope: one sweep at a time. Another run has it: `busy`.
E2. Fetch and verify. The version is written as accepted *before* anything else, so that no activation goes on with an
    older one. The CRL that an operator rejected, or that is enforced already: nothing to do.
E3. Compare with the CRL enforced last: newly listed, newly on hold, vanished.
E4. Read the registry rows of the newly listed serial numbers, consistently. Serials without a row were never activated.
E5. The brake: more of them registered than max(100, 1 % of the CA's ACTIVE devices), together with what the scope's
    other CRLs of the last 24 hours newly listed? Then INACTIVE instead of REVOKED, until an operator confirms or
    rejects the CRL.
E6. For each row: mark it, switch its certificates off, record it.
E7. Activations that held a lease when they were marked may still have asked for ACTIVE: once their leases have ended,
    switch these certificates off once more.
E8. Only now: this CRL is enforced. Keep a copy to compare the next one with. Not so if an import or an operator asked
    meanwhile for every entry to be looked at again.

Killed anywhere, the next sweep begins at E1 and ends in the same state: rows that are done are skipped, and the brake's
decision is kept before it is acted upon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.certificates import AnyCertificate, issuer_key
from jitr.crls.cache import CrlCache, scope_of
from jitr.crls.versions import CrlVersions, NewlyListed, ScopeState
from jitr.enforcement.brake import Brake
from jitr.enforcement.changes import CrlChanges, changes_of
from jitr.enforcement.copies import EnforcedCrls
from jitr.enforcement.one_by_one import OneByOne
from jitr.errors import Reason, Undecided
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.notes import DeviceNote, Report, failure_note, unreported
from jitr.registry.row import RegistryRow, RowState, row_key
from jitr.registry.rows import Damaged, Registry, skip_damaged
from jitr.registry.switching_off import Marked, SwitchingOff, Told
from jitr.revocation import Options, VerifiedCrl

# Longer than a function may run at all (15 minutes): whoever finds it ended knows that its owner is dead.
SWEEP_LEASE = timedelta(minutes=16)

_READ_AT_ONCE = 100


class SweepOutcome(StrEnum):
    """How a sweep ended."""

    BUSY = "busy"
    REJECTED = "rejected"
    UNCHANGED = "unchanged"
    ENFORCED = "enforced"
    BRAKED = "braked"


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What one sweep did: certificates switched off, registered devices that vanished from the CRL."""

    scope: str
    outcome: SweepOutcome
    crl: VerifiedCrl | None = None
    switched_off: int = 0
    vanished: int = 0


@dataclass(frozen=True, kw_only=True)
class _Order:
    """What one CRL asks for its devices: a status, why, and its brake's name where an operator may take it back."""

    crl: VerifiedCrl
    location: str
    wanted: CertificateStatus
    reason: Reason
    braked_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Enforcement:
    """The use case. `pace` waits before each quota-limited call; `sleep` takes seconds; `clock` is in UTC.

    `report` is told of each certificate that was switched off.
    """

    registry: IotRegistry
    rows: Registry
    crls: CrlCache
    enforced: EnforcedCrls
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    pace: Callable[[], None]
    report: Report = unreported
    disconnecting: Disconnecting | None = None
    brake: Brake = Brake()  # noqa: RUF009 - frozen

    @property
    def versions(self) -> CrlVersions:
        """What is known of each scope."""
        return self.crls.versions

    def sweep(
        self,
        location: str,
        ca: AnyCertificate,
        *,
        devices: int,
        owner: str,
        options: Options = Options(),  # noqa: B008 - frozen
        named: bool = False,
    ) -> Sweep:
        """Enforce the CRL at one address; `devices` is how many the CA has, `owner` names this run.

        `named`: certificates name the address (CrlCache.current).

        Raises Undecided when the CRL cannot be used or an AWS call fails; the next sweep takes over.
        """
        scope = scope_of(ca, location)
        # (E1)
        at = self.clock()
        if not self.versions.lease(scope, owner=owner, until=at + SWEEP_LEASE, at=at):
            return Sweep(scope=scope, outcome=SweepOutcome.BUSY)
        try:
            # (E2)
            crl = self.crls.current(location, ca, at=self.clock(), options=options, newest=True, named=named).crl
            return self._sweep(scope, location, ca, devices, crl)
        finally:
            self.versions.release(scope, owner=owner)

    def _sweep(self, scope: str, location: str, ca: AnyCertificate, devices: int, crl: VerifiedCrl) -> Sweep:
        state = self.versions.state(scope)
        if state.rejected == crl.sha256:
            return Sweep(scope=scope, outcome=SweepOutcome.REJECTED, crl=crl)
        if state.enforced == crl.sha256:
            return Sweep(scope=scope, outcome=SweepOutcome.UNCHANGED, crl=crl)
        # (E3)
        previous = self.enforced.load(scope, state.enforced, ca) if state.enforced else None
        changes = changes_of(state, previous, crl)
        issuer = issuer_key(ca)
        # (E4), (E5)
        braked = self._braked(scope, state, crl, self._registered(issuer, changes.revoked), devices)
        # (E6)
        if braked:
            self.enforced.store(scope, crl)
        work = OneByOne(failed=lambda failure: self.report(failure_note(failure, "not switched off")))
        switched_off, off = self._switch_off(issuer, changes, _orders(crl, location, braked=braked), work)
        # (E7)
        self._once_more(off)
        # What could not be switched off is what the next sweep begins with: this CRL is not enforced.
        work.raise_first()
        # (E8)
        self.enforced.store(scope, crl)
        self.versions.record_enforced(scope, crl.sha256, seen=state.forgotten)
        self._tidy(scope, state)
        return Sweep(
            scope=scope,
            outcome=SweepOutcome.BRAKED if braked else SweepOutcome.ENFORCED,
            crl=crl,
            switched_off=switched_off,
            vanished=self._vanished(issuer, changes),
        )

    def _tidy(self, scope: str, before: ScopeState) -> None:
        """Give up copies that the scope's state does not name any more; what fails is done by a later sweep."""
        now = self.versions.state(scope).crls
        try:
            self.enforced.give_up_others(scope, now, before=before.crls, at=self.clock())
        except Undecided as failure:
            self.report(failure_note(failure, "copies of earlier CRLs stay"))

    def _registered(
        self, issuer: str, serials: Iterable[int], *, damaged: Damaged = skip_damaged
    ) -> Iterator[RegistryRow]:
        """Yield the rows of serial numbers, a hundred read at once, so that a million entries need little memory."""
        keys = (row_key(issuer, serial) for serial in serials)
        while batch := list(islice(keys, _READ_AT_ONCE)):
            yield from self.rows.rows(batch, damaged=damaged)

    def _braked(
        self, scope: str, state: ScopeState, crl: VerifiedCrl, rows: Iterator[RegistryRow], devices: int
    ) -> bool:
        """Decide whether this CRL lists too many, and keep the decision: a retry sees some rows done already."""
        at = self.clock()
        judged = self.brake.judge(
            state, crl.sha256, lambda most: count_affected(rows, at_most=most), active=devices, at=at
        )
        if judged.braked and not judged.decided:
            self.versions.record_brake(scope, crl.sha256, judged.affected)
        elif judged.affected:
            self.versions.record_listed(state, NewlyListed(at, crl.sha256, judged.affected))
        return judged.braked

    def _switch_off(
        self, issuer: str, changes: CrlChanges, orders: tuple[_Order, _Order], work: OneByOne
    ) -> tuple[int, SwitchingOff]:
        """Mark and switch off what is newly listed; returns how many rows, and what E7 has to look at again."""
        off = SwitchingOff(registry=self.registry, rows=self.rows, pace=self.pace, disconnecting=self.disconnecting)
        switched_off = 0
        try:
            for serials, order in zip((changes.revoked, changes.held), orders, strict=True):
                for row in work.over(self._registered(issuer, serials, damaged=work.keep)):
                    with work.item(next(iter(row.certificate_ids), None)):
                        if not _done(row, order.wanted, order.braked_by):
                            self._switch_off_row(off, row, order)
                            switched_off += 1
                        else:
                            off.look_again_at(Marked(row, order.wanted), told=self._told(order))
        finally:
            # Also where the sweep breaks off: the next one finds these rows done.
            off.disconnect()
        return switched_off, off

    def _switch_off_row(self, off: SwitchingOff, row: RegistryRow, order: _Order) -> None:
        marked = off.mark(
            row,
            order.wanted,
            holder=lambda found: self._holder(found, order),
            done=lambda found: _done(found, order.wanted, order.braked_by),
        )
        if marked is not None:
            off.carry_out(marked, told=self._told(order))

    def _told(self, order: _Order) -> Told:
        return lambda certificate_id, status: self.report(_note(certificate_id, status, order))

    def _holder(self, row: RegistryRow, order: _Order) -> str | None:
        """Return the brake that may be undone on this row; None where an operator switched it off before (I3)."""
        if order.braked_by is None or row.braked_by is not None or self._all_active(row):
            return order.braked_by
        return None

    def _all_active(self, row: RegistryRow) -> bool:
        for certificate_id in row.certificate_ids:
            self.pace()
            try:
                registered = self.registry.describe_certificate(certificate_id)
            except Undecided as error:
                if error.reason is not Reason.CERTIFICATE_NOT_FOUND:
                    raise
                return False
            if registered.status is not CertificateStatus.ACTIVE:
                return False
        return True

    def _once_more(self, off: SwitchingOff) -> None:
        try:
            off.once_more(clock=self.clock, sleep=self.sleep)
        finally:
            off.disconnect()

    def _vanished(self, issuer: str, changes: CrlChanges) -> int:
        """Count registered, unexpired devices that the CRL listed before and lists no more."""
        now = self.clock().timestamp()
        rows = self._registered(issuer, changes.vanished)
        return sum(1 for row in rows if row.state.refuses_activation and row.not_after > now)


def count_affected(rows: Iterable[RegistryRow], *, at_most: int) -> int:
    """Count the rows that a CRL would make REVOKED, up to a number: for the brake."""
    return sum(1 for _ in islice((row for row in rows if row.state is not RowState.REVOKED), at_most))


def _orders(crl: VerifiedCrl, location: str, *, braked: bool) -> tuple[_Order, _Order]:
    """Return what to do with what a CRL revokes, and with what it puts on hold."""
    inactive = CertificateStatus.INACTIVE
    final = _Order(crl=crl, location=location, wanted=CertificateStatus.REVOKED, reason=Reason.REVOKED)
    if braked:
        final = replace(final, wanted=inactive, reason=Reason.REVOCATION_BRAKED, braked_by=crl.sha256)
    return final, _Order(crl=crl, location=location, wanted=inactive, reason=Reason.CERTIFICATE_HOLD)


def _note(certificate_id: str, status: CertificateStatus, order: _Order) -> DeviceNote:
    return DeviceNote(
        certificate_id=certificate_id,
        outcome="switched_off",
        reason=order.reason,
        message=f"the CRL lists the certificate, so it is off: {status} unless it was REVOKED before",
        details={"status": status.value, "crl_number": order.crl.number, "crl_location": order.location},
    )


def _done(row: RegistryRow, wanted: CertificateStatus, braked_by: str | None) -> bool:
    """Return whether nothing has to be done: REVOKED is final, INACTIVE is enough where INACTIVE is wanted.

    Not where another CRL's brake switched it off: undoing that one must not switch on what this one lists.
    """
    if row.state is RowState.REVOKED:
        return True
    inactive = row.state is RowState.INACTIVE and wanted is CertificateStatus.INACTIVE
    return inactive and row.braked_by in (None, braked_by)
