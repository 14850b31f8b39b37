"""Rejecting a braked CRL: bringing back what it switched off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from jitr.aws.iot import IotRegistry
from jitr.certificates import AnyCertificate, Certificate, issuer_key, load_certificate
from jitr.crls.versions import CrlVersions, ScopeState
from jitr.enforcement.changes import compare
from jitr.enforcement.copies import EnforcedCrls
from jitr.errors import Rejected
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.row import RegistryRow, RowState, row_key
from jitr.registry.rows import Registry
from jitr.registry.undoing import Undoing
from jitr.revocation import VerifiedCrl
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import say

_READ_AT_ONCE = 100
# Renewed with every device and every read: a killed command must not keep sweeps waiting for long.
_LEASE = timedelta(minutes=2)


class Undone(StrEnum):
    """What became of one row when a brake was undone."""

    BACK = "back"
    GONE = "gone"
    NOT_ACTIVE_BEFORE = "not_active_before"
    UNREADABLE = "unreadable"
    DECIDED_SINCE = "decided_since"


@dataclass(frozen=True, kw_only=True)
class BrakeUndoing:
    """Brings back the devices that one braked CRL switched off; safe to interrupt and to repeat.

    `pace` waits before each quota-limited call. Rows say by `braked_by` what is left to do, so a second run goes on
    where the first one stopped.
    """

    iot: IotRegistry
    rows: Registry
    versions: CrlVersions
    ca_certificate_id: str
    state: ScopeState
    crl: VerifiedCrl
    pace: Callable[[], None]
    disconnecting: Disconnecting | None = None
    owner: str
    clock: Callable[[], datetime]
    counted: Counter[Undone] = field(default_factory=Counter)

    def listed(self) -> Iterator[RegistryRow]:
        """Yield the rows of what the CRL lists as revoked, a hundred read at once."""
        issuer = self.state.scope.partition("#")[0]
        keys = (row_key(issuer, serial) for serial in compare(None, self.crl).revoked)
        while batch := list(islice(keys, _READ_AT_ONCE)):
            yield from self.rows.rows(batch)

    def waiting(self) -> list[RegistryRow]:
        """Return the rows that are still off because of this CRL."""
        return [row for row in self.listed() if self._ours(row) and not row.is_beyond_crls]

    def run(self, progressed: Callable[[int], None]) -> bool:
        """Undo all of it under the scope's lease, then the brake; returns False when a sweep has the lease."""
        if not self._lease():
            return False
        try:
            for n, row in enumerate(self.listed()):
                if (n % _READ_AT_ONCE == 0 or self._ours(row)) and not self._lease():
                    return False
                if self._ours(row):
                    self._undo(row)
                    progressed(1)
                elif row.state is RowState.INACTIVE and row.braked_by is None:
                    self.counted[Undone.NOT_ACTIVE_BEFORE] += 1
            if not self.waiting():
                self.versions.clear_brake(self.state.scope)
        finally:
            # Also when interrupted: what came back may be on the CRL that is published now.
            self.versions.forget_enforced(self.state.scope)
            self.versions.release(self.state.scope, owner=self.owner)
        return True

    def _lease(self) -> bool:
        at = self.clock()
        return self.versions.lease(self.state.scope, owner=self.owner, until=at + _LEASE, at=at)

    def _ours(self, row: RegistryRow) -> bool:
        """Return whether this CRL's brake switched a device off that was ACTIVE before."""
        return self._one.holds(row)

    def _undo(self, row: RegistryRow) -> None:
        """Switch one device on; if something else marked its row meanwhile, switch it off again at once."""
        try:
            begun = self._one.begin(row)
        except Rejected as refusal:
            self.counted[Undone.UNREADABLE] += 1
            say(f"{refusal.certificate_id}: {refusal.message}")
            return
        back = self._one.finish(row) if begun else None
        if back is None:
            self.counted[Undone.DECIDED_SINCE] += 1
            self._one.switch_off_again(row.key)
        else:
            self.counted[Undone.BACK if back else Undone.GONE] += 1

    @property
    def _one(self) -> Undoing:
        """How one row is brought back."""
        return Undoing(
            registry=self.iot,
            rows=self.rows,
            claim=self.state.braked or "",
            pace=self.pace,
            clock=self.clock,
            disconnecting=self.disconnecting,
        )


def braked_crl(enforced: EnforcedCrls, state: ScopeState, ca: AnyCertificate) -> VerifiedCrl:
    """Return the copy of the braked CRL that the sweep kept; raises CommandFailed where it is gone."""
    crl = enforced.load(state.scope, state.braked or "", ca)
    if crl is None:
        raise CommandFailed(
            f"the copy of CRL {state.braked} is gone from the bucket, so which devices it switched off is not known"
        )
    return crl


def ca_of(iot: IotRegistry, scope: str, ca_certificate_ids: Iterable[str]) -> tuple[str, Certificate]:
    """Return id and certificate of the CA whose name and key a scope begins with; raises CommandFailed."""
    for each in ca_certificate_ids:
        ca = load_certificate(iot.describe_ca(each).pem)
        if scope.startswith(f"{issuer_key(ca)}#"):
            return each, ca
    raise CommandFailed("which CA the scope belongs to is not known here: give --ca-certificate-id")
