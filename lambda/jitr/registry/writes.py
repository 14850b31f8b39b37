"""How registry rows are written: one conditional update at a time; and the writes of a reinstatement."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jitr.aws.state_table import Item, Key
from jitr.registry.known import KnownCertificates
from jitr.registry.row import RowState, id_key


class RowWrites(KnownCertificates):
    """Conditional writes of registry rows."""

    def write(
        self, key: str, update: str, values: Mapping[str, Any], condition: str, facts: Mapping[str, Any] | None = None
    ) -> bool:
        """Change a row on a condition (DynamoDB expressions, `#state` for its state); returns whether it held."""
        return self._update(key, update, values, condition, facts) is not None

    def _update(
        self, key: str, update: str, values: Mapping[str, Any], condition: str, facts: Mapping[str, Any] | None = None
    ) -> Item | None:
        facts = facts or {}
        update = update.replace("{facts}", "".join(f", {name} = :{name}" for name in facts))
        values = {**values, **{f":{name}": _attribute(value) for name, value in facts.items()}}
        return self.table.update(item_key(key), update, values, condition=condition)

    def _close(
        self, key: str, owner: str | None, at: datetime, forgotten: str, activated_at: datetime | None = None
    ) -> bool:
        mine = "lease_owner = :owner" if owner is not None else "lease_until < :now"
        return self.write(
            key,
            f"SET #state = :active, activated_at_ms = :since REMOVE {forgotten}",
            {
                ":active": {"S": RowState.ACTIVE},
                ":since": milliseconds(activated_at or at),
                ":activating": {"S": RowState.ACTIVATING},
                **({":owner": {"S": owner}} if owner is not None else {":now": {"N": str(int(at.timestamp()))}}),
            },
            f"#state = :activating AND {mine}",
        )


class OperatorWrites(RowWrites):
    """The writes by which an operator leads a device back; those of an activation are in rows.py."""

    def begin_reinstatement(
        self,
        key: str,
        *,
        certificate_id: str,
        owner: str,
        lease_until: datetime,
        at: datetime,
        facts: Mapping[str, Any],
    ) -> bool:
        """Write ACTIVATING with a lease on an operator's word, also over INACTIVE; returns False where it must not be.

        That is: REVOKE_WANTED and REVOKED, any lease that is open (also one that a revocation waits for), and the row
        of another certificate. What a revocation wanted, and its brake, stay noted until the reinstatement is done.
        """
        values = {
            ":activating": {"S": RowState.ACTIVATING},
            ":active": {"S": RowState.ACTIVE},
            ":inactive": {"S": RowState.INACTIVE},
            ":owner": {"S": owner},
            ":until": {"N": str(int(lease_until.timestamp()))},
            ":now": {"N": str(int(at.timestamp()))},
            ":id": {"SS": [certificate_id]},
            ":one": {"S": certificate_id},
        }
        return self.write(
            key,
            "SET #state = :activating, lease_owner = :owner, lease_until = :until{facts} ADD certificate_ids :id",
            values,
            "attribute_not_exists(#state) OR (contains(certificate_ids, :one)"
            " AND (attribute_not_exists(lease_until) OR lease_until < :now)"
            " AND (#state = :active OR #state = :inactive OR #state = :activating))",
            facts,
        )

    def abandon_reinstatement(self, key: str, *, owner: str) -> bool:
        """Turn the row of a certificate that a revocation made INACTIVE, and that is still so, back into INACTIVE.

        Returns False, and changes nothing, where no revocation had made it so, or something else decided since.
        """
        return self.write(
            key,
            "SET #state = :inactive REMOVE lease_owner, lease_until",
            {
                ":inactive": {"S": RowState.INACTIVE},
                ":activating": {"S": RowState.ACTIVATING},
                ":owner": {"S": owner},
            },
            "#state = :activating AND lease_owner = :owner AND attribute_exists(wanted_status)",
        )

    def forget_by_id(self, certificate_id: str) -> None:
        """End what an operator wanted of a certificate by its id alone, where it is INACTIVE because of that."""
        self.write(
            id_key(certificate_id),
            "SET #state = :active REMOVE wanted_status, braked_by, also_wanted_by, undoing_until",
            {":active": {"S": RowState.ACTIVE}, ":inactive": {"S": RowState.INACTIVE}},
            "#state = :inactive",
        )

    def finish_reinstatement(self, key: str, *, owner: str | None, at: datetime) -> bool:
        """Do as `finish_activation`, and forget which revocation there was: a brake that is undone later is over."""
        return self._close(
            key,
            owner,
            at,
            "lease_owner, lease_until, replaces, wanted_status, braked_by, also_wanted_by, undoing_until",
        )


def item_key(key: str) -> Key:
    """Return where the state table keeps a row."""
    return {"pk": {"S": key}, "sk": {"S": "certificate"}}


def milliseconds(at: datetime) -> dict[str, str]:
    """Return a time as rows keep it where seconds are too coarse."""
    return {"N": str(int(at.timestamp() * 1000))}


def _attribute(value: object) -> dict[str, Any]:
    if isinstance(value, tuple):
        return {"SS": sorted(value)}
    return {"N": str(value)} if isinstance(value, int) else {"S": str(value)}
