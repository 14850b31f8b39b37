"""What follows ACTIVE in step 8: the predecessor goes off, the row is closed, and a revocation marked meanwhile wins.

Both ways to ACTIVE end here, the functions' own and the operator's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jitr.activation.candidate import Candidate
from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.aws.pacing import unpaced
from jitr.errors import Reason
from jitr.registry.claims import Claims
from jitr.registry.connection_rule import Spared
from jitr.registry.disconnecting import SPARED, Disconnecting
from jitr.registry.notes import DeviceNote, Report, unreported
from jitr.registry.rows import Registry
from jitr.registry.switching_off import SwitchingOff

_IN_USE = "its successor is ACTIVE on the same Thing, and may be what is connected"


@dataclass(frozen=True, kw_only=True)
class Closing:
    """Ends activations; `report` is told of each certificate that was switched off."""

    registry: IotRegistry
    rows: Registry
    report: Report = unreported
    disconnecting: Disconnecting | None = None

    def close(self, candidate: Candidate, *, finish: Callable[[], bool]) -> bool:
        """Close the row by `finish`; returns False, with the certificate off, when revocation was marked meanwhile."""
        if finish():
            return True
        row = self.rows.row(candidate.row)
        if row is None or not row.state.refuses_activation:
            return True
        self.switch_off(candidate)
        return False

    def switch_off_predecessor(self, certificate_id: str, *, successor: str) -> None:
        """Switch off what gave up its Thing; no undoing of a brake or a job brings it back.

        Its connection is left alone: the successor is ACTIVE on the same Thing, so that it may be the successor's own.
        """
        Claims(self.rows).end(certificate_id)
        self.registry.switch_off(certificate_id, CertificateStatus.INACTIVE)
        self._report(certificate_id, CertificateStatus.INACTIVE, Reason.REPLACED, f"by {successor}")
        self.report(
            DeviceNote(
                certificate_id=certificate_id,
                outcome=SPARED,
                reason=Reason.REPLACED,
                message=f"its connection, if there is one, is left to AWS IoT, which ends it: {_IN_USE}",
                details={"because": Spared.THING_IN_USE.value},
            )
        )

    def switch_off(self, candidate: Candidate, key: str | None = None) -> None:
        """Bring AWS IoT to the status that the mark of its row, or of the one at `key`, wants, and record it."""
        off = SwitchingOff(registry=self.registry, rows=self.rows, pace=unpaced, disconnecting=self.disconnecting)
        why = "its serial number is marked for revocation"
        off.carry_out_mark_of(
            key or candidate.row,
            also=[candidate.certificate_id],
            told=lambda each, status: self._report(each, status, Reason.REVOKED, why),
        )
        off.disconnect()

    def _report(self, certificate_id: str, status: CertificateStatus, reason: Reason, why: str) -> None:
        """Say what was done; the certificate may be another than the event's, and then has no other line."""
        self.report(
            DeviceNote(
                certificate_id=certificate_id,
                outcome="switched_off",
                reason=reason,
                message=f"switched off ({status}): {reason}, {why}",
                details={"status": status.value},
            )
        )
