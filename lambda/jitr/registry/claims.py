"""Who switched a device off in a way that can be taken back: a CRL's brake, or operators' jobs.

A row that is off names its claim in `braked_by`. Undoing that brake or job makes the device ACTIVE again, unless
another job wants it off too (`also_wanted_by`): then it stays off, under that job's claim. Whoever decides about the
row otherwise (another CRL, an operator, a renewed certificate) ends all claims by that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jitr.registry.row import RegistryRow, RowState
from jitr.registry.rows import Registry


@dataclass(frozen=True)
class Claims:
    """The claims on the rows of one deployment's registry; every method is safe to repeat."""

    rows: Registry

    def join(self, key: str, *, claim: str, holder: str) -> bool:
        """Let another job want a row off, too; False: the row is not INACTIVE under `holder` any more."""
        return self.rows.write(
            key,
            "ADD also_wanted_by :claim",
            {":claim": {"SS": [claim]}, ":inactive": {"S": RowState.INACTIVE}, ":holder": {"S": holder}},
            "#state = :inactive AND braked_by = :holder",
        )

    def withdraw(self, key: str, *, claim: str) -> None:
        """Let a job that only joined want a row off no longer; another one's claim holds it."""
        self.rows.write(
            key,
            "DELETE also_wanted_by :claim",
            {":claim": {"SS": [claim]}, ":one": {"S": claim}},
            "contains(also_wanted_by, :one)",
        )

    def hand_on(self, key: str, *, claim: str, to: str) -> bool:
        """Leave a row to a job that wants it off too; False: it is not so any more."""
        return self.rows.write(
            key,
            "SET braked_by = :to DELETE also_wanted_by :other",
            {":to": {"S": to}, ":other": {"SS": [to]}, ":claim": {"S": claim}},
            "braked_by = :claim AND contains(also_wanted_by, :to)",
        )

    def begin_undoing(self, key: str, *, claim: str, until: datetime) -> bool:
        """Let a row want revocation again before its certificates become ACTIVE; False: something else decided since.

        Whoever is killed then leaves no row that says INACTIVE about a certificate that is ACTIVE. Past `until` nobody
        waits for the end any more: reconciliation takes the undoing back.
        """
        return self.rows.write(
            key,
            "SET #state = :wanted, undoing_until = :until",
            {
                ":until": {"N": str(int(until.timestamp()))},
                ":wanted": {"S": RowState.REVOKE_WANTED},
                ":inactive": {"S": RowState.INACTIVE},
                ":claim": {"S": claim},
            },
            "braked_by = :claim AND attribute_not_exists(also_wanted_by) AND (#state = :inactive OR #state = :wanted)",
        )

    def undo(self, key: str, *, claim: str) -> bool:
        """Turn a row whose undoing began into ACTIVE; returns False when something else decided since."""
        return self.rows.write(
            key,
            "SET #state = :active REMOVE wanted_status, braked_by, undoing_until",
            {":active": {"S": RowState.ACTIVE}, ":wanted": {"S": RowState.REVOKE_WANTED}, ":claim": {"S": claim}},
            "#state = :wanted AND braked_by = :claim AND attribute_exists(undoing_until)",
        )

    def take_back(self, row: RegistryRow) -> bool:
        """End an undoing that was left, so that whoever is still at it after all does not finish it; False: it changed.

        The claim stays: undoing it again brings the device back.
        """
        if row.undoing_until is None:
            return False
        return self.rows.write(
            row.key,
            "REMOVE undoing_until",
            {":wanted": {"S": RowState.REVOKE_WANTED}, ":until": {"N": str(int(row.undoing_until.timestamp()))}},
            "#state = :wanted AND undoing_until = :until",
        )

    def end(self, certificate_id: str) -> None:
        """Forget all claims on a certificate's row: what replaced it decides that it does not come back."""
        key = self.rows.key_of(certificate_id)
        if key is not None:
            self.rows.write(key, "REMOVE braked_by, also_wanted_by", {}, "attribute_exists(braked_by)")
