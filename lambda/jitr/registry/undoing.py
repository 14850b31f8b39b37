"""Making devices ACTIVE again that a CRL's brake or an operator's job switched off: one protocol for both.

The row wants revocation before its certificates become ACTIVE, and forgets it only if nobody decided otherwise since:
whoever is killed, or is too late, leaves nothing ACTIVE that is marked to be off. What was left half undone goes off
again in the next pass of reconciliation, and the same undoing, repeated, brings it back.

A certificate that no CRL can be asked about stays off (I4): it may have been revoked meanwhile, and nobody would know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.errors import Reason, Rejected, Undecided
from jitr.registry.claims import Claims
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.row import RegistryRow, RowState
from jitr.registry.rows import Registry
from jitr.registry.switching_off import SwitchingOff

# How long one row may take: one call for each of its certificates, however slow the pace.
_LONGEST = timedelta(minutes=5)
_STAYS_OFF = "it stays off: it cannot be read, so no CRL can be asked whether it was revoked meanwhile"


@dataclass(frozen=True, kw_only=True)
class Undoing:
    """Undoes what one `claim` (a CRL's SHA-256, or a job's) holds; `pace` waits before each quota-limited call.

    `clock` is UTC.
    """

    registry: IotRegistry
    rows: Registry
    claim: str
    pace: Callable[[], None]
    clock: Callable[[], datetime]
    disconnecting: Disconnecting | None = None

    def holds(self, row: RegistryRow) -> bool:
        """Say whether a row is off because of the claim."""
        off = row.state in (RowState.INACTIVE, RowState.REVOKE_WANTED) and row.wanted is CertificateStatus.INACTIVE
        return off and row.braked_by == self.claim

    def begin(self, row: RegistryRow) -> bool:
        """Let a row be undone; False: something else decided about it since.

        Raises Rejected (`malformed_certificate`) for one that stays off, because no CRL can be asked about it, and
        Undecided.
        """
        if row.is_beyond_crls:
            if row.state is RowState.REVOKE_WANTED:
                self.switch_off_again(row.key)
            refusal = Rejected(Reason.MALFORMED_CERTIFICATE, _STAYS_OFF)
            refusal.certificate_id = next(iter((*row.unreadable_ids, *row.certificate_ids)), None)
            raise refusal
        return Claims(self.rows).begin_undoing(row.key, claim=self.claim, until=self.clock() + _LONGEST)

    def finish(self, row: RegistryRow) -> int | None:
        """Make a row's certificates ACTIVE, and return how many are; None: something else decided meanwhile.

        Raises Undecided. Then, and after None, `switch_off_again` is left to do.
        """
        back = [self._switch_on(certificate_id) for certificate_id in row.certificate_ids]
        return sum(back) if Claims(self.rows).undo(row.key, claim=self.claim) else None

    def switch_off_again(self, key: str) -> None:
        """Switch off what is marked to be off: decided so meanwhile, maybe while an earlier try was killed."""
        off = SwitchingOff(registry=self.registry, rows=self.rows, pace=self.pace, disconnecting=self.disconnecting)
        off.carry_out_mark_of(key)
        off.disconnect()

    def _switch_on(self, certificate_id: str) -> bool:
        """Set ACTIVE; returns False for a certificate that was deleted, or made REVOKED for good, since."""
        self.pace()
        try:
            self.registry.update_certificate(certificate_id, CertificateStatus.ACTIVE)
        except Undecided as failure:
            if failure.reason is not Reason.AWS_REFUSED:
                raise
            return False
        return True
