"""Making devices ACTIVE again that a CRL's brake or an operator's job switched off: one protocol for both.

The row wants revocation before its certificates become ACTIVE, and forgets it only if nobody decided otherwise since:
whoever is killed, or is too late, leaves nothing ACTIVE that is marked to be off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.errors import Reason, Undecided
from jitr.registry.claims import Claims
from jitr.registry.row import RegistryRow, RowState
from jitr.registry.rows import Registry
from jitr.registry.switching_off import SwitchingOff


@dataclass(frozen=True, kw_only=True)
class Undoing:
    """Undoes what one `claim` (a CRL's SHA-256, or a job's) holds; `pace` waits before each quota-limited call."""

    registry: IotRegistry
    rows: Registry
    claim: str
    pace: Callable[[], None]

    def holds(self, row: RegistryRow) -> bool:
        """Say whether a row is off because of the claim."""
        off = row.state in (RowState.INACTIVE, RowState.REVOKE_WANTED) and row.wanted is CertificateStatus.INACTIVE
        return off and row.braked_by == self.claim

    def begin(self, row: RegistryRow) -> bool:
        """Let a row be undone; False: something else decided about it since."""
        return Claims(self.rows).begin_undoing(row.key, claim=self.claim)

    def finish(self, row: RegistryRow) -> int | None:
        """Make a row's certificates ACTIVE, and return how many are; None: something else decided meanwhile.

        Raises Undecided. Then, and after None, `switch_off_again` is left to do.
        """
        back = [self._switch_on(certificate_id) for certificate_id in row.certificate_ids]
        return sum(back) if Claims(self.rows).undo(row.key, claim=self.claim) else None

    def switch_off_again(self, key: str) -> None:
        """Switch off what is marked to be off: decided so meanwhile, maybe while an earlier try was killed."""
        SwitchingOff(registry=self.registry, rows=self.rows, pace=self.pace).carry_out_mark_of(key)

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
