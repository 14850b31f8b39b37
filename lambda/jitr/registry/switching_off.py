"""Switching devices off: one protocol for a CRL, a job, an operator's command, a successor and a late activation.

1. Mark the registry row: an activation that is under way finds the mark when it is done, and a late event finds it too.
2. Ask AWS IoT for the status, of every certificate of the row: a serial number is listed for all that have it.
3. Record in the row that it is done.
4. An activation that held a lease when the row was marked may still ask for ACTIVE: ask again once that has ended.
5. End the connections of what is off (disconnecting.py): best effort, and only when `disconnect` is called, so that no
   other device waits for it.

Killed anywhere, whoever repeats it ends in the same state. What is REVOKED, or about to be, is not made less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.errors import Undecided
from jitr.registry.disconnecting import Disconnecting, Off
from jitr.registry.row import RegistryRow, RowState
from jitr.registry.rows import Registry

Told: TypeAlias = Callable[[str, CertificateStatus], None]


def untold(certificate_id: str, status: CertificateStatus) -> None:
    """Say nothing about a certificate that was switched off."""


def _nobody(_: RegistryRow) -> None:
    return None


def _never(_: RegistryRow) -> bool:
    return False


@dataclass(frozen=True)
class Marked:
    """A row as it was when it was marked, and the status that it wants now."""

    row: RegistryRow
    wanted: CertificateStatus


@dataclass(frozen=True, kw_only=True)
class SwitchingOff:
    """The protocol; `pace` waits before each quota-limited call.

    One object serves one piece of work: it remembers which activations step 4 has to wait for.
    """

    registry: IotRegistry
    rows: Registry
    pace: Callable[[], None]
    disconnecting: Disconnecting | None = None
    _off: list[Off] = field(default_factory=list)
    _late: list[tuple[Marked, Told]] = field(default_factory=list)

    def mark(
        self,
        row: RegistryRow,
        wanted: CertificateStatus,
        *,
        holder: Callable[[RegistryRow], str | None] = _nobody,
        done: Callable[[RegistryRow], bool] = _never,
    ) -> Marked | None:
        """Mark a row (1), and read it again while others change it; None where `done` says so of what it became.

        `holder` names the brake or job that may take it back, None for nobody. A row that is gone cannot be marked; its
        certificates are off all the same after `carry_out`.
        """
        while row.state is not RowState.REVOKED:
            status = CertificateStatus.REVOKED if row.final_is_wanted else wanted
            if self.rows.mark(row, wanted=status, braked_by=holder(row)):
                return Marked(row, status)
            again = self.rows.row(row.key)
            if again is None:
                return Marked(row, status)
            if done(again):
                return None
            row = again
        return Marked(row, CertificateStatus.REVOKED)

    def carry_out(self, marked: Marked, *, told: Told = untold) -> None:
        """Switch a marked row's certificates off and record it (2, 3); raises Undecided."""
        self.ask(sorted(marked.row.certificate_ids), marked.wanted, told=told)
        self.rows.finish_revocation(marked.row.key, done=marked.wanted)
        self.is_off(marked.row)
        self.look_again_at(marked, told=told)

    def carry_out_mark_of(self, key: str, *, also: Iterable[str] = (), told: Told = untold) -> None:
        """Do what a row's mark wants, whoever set it (2, 3), for certificates that it may not name, too.

        Does nothing where the row is gone or wants no revocation any more.
        """
        row = self.rows.row(key)
        if row is None or not row.state.refuses_activation:
            return
        self.ask(sorted({*also, *row.certificate_ids}), row.off_status, told=told)
        self.rows.finish_revocation(key, done=row.off_status)
        self.is_off(row)

    def ask(self, certificate_ids: Iterable[str], status: CertificateStatus, *, told: Told = untold) -> None:
        """Ask AWS IoT for REVOKED or INACTIVE (2), of each whatever happens to another.

        Raises the first failure in the end, which then names its certificate.
        """
        first: Undecided | None = None
        for certificate_id in certificate_ids:
            try:
                self.pace()
                self.registry.switch_off(certificate_id, status)
            except Undecided as failure:
                failure.certificate_id = certificate_id
                first = first or failure
            else:
                told(certificate_id, status)
        if first is not None:
            raise first

    def look_again_at(self, marked: Marked, *, told: Told = untold) -> None:
        """Remember for `once_more` a row that an activation held when it was marked."""
        if marked.row.lease_owner is not None:
            self._late.append((marked, told))

    def is_off(self, row: RegistryRow) -> None:
        """Remember for `disconnect` a row whose certificates are all off now."""
        if self.disconnecting is not None:
            self._off.append(self.disconnecting.off_now(row))

    def disconnect(self) -> None:
        """End the connections of what went off since the last time (5); never raises, and takes no long time."""
        if self.disconnecting is not None and self._off:
            self.disconnecting.end(self._off)
        self._off.clear()

    @property
    def open_activations(self) -> int:
        """Return how many activations `once_more` will wait for."""
        return len(self._late)

    def once_more(self, *, clock: Callable[[], datetime], sleep: Callable[[float], None]) -> None:
        """Wait for the end of activations that were under way, and ask again (4); `sleep` takes seconds."""
        if not self._late:
            return
        ends = max(marked.row.lease_until for marked, _ in self._late)
        sleep(max(0.0, (ends - clock()).total_seconds()) + 1)
        first: Undecided | None = None
        for marked, told in self._late:
            try:
                self.ask(sorted(marked.row.certificate_ids), marked.wanted, told=told)
                self.rows.clear_lease(marked.row)
                self.is_off(marked.row)
            except Undecided as failure:
                first = first or failure
        self._late.clear()
        if first is not None:
            raise first
