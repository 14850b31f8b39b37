"""The registry: one row for each certificate that was ever on its way to ACTIVE or off.

The row key is the issuer (name and public key) and the serial number, because that is what CRLs list. Activation takes
a lease in it before it asks AWS IoT for ACTIVE; revocation marks it before it asks for REVOKED or INACTIVE. Whoever
comes second sees the other's mark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from jitr.aws.iot import CertificateStatus
from jitr.errors import Reason, Undecided
from jitr.registry.row import RegistryRow, RowState, read_row
from jitr.registry.writes import OperatorWrites, item_key, milliseconds

Damaged: TypeAlias = Callable[[Undecided], None]


def skip_damaged(_: Undecided) -> None:
    """Pass over a row that cannot be read, where another look at it says so."""


@dataclass(frozen=True)
class Registry(OperatorWrites):
    """The registry rows of one deployment."""

    def row(self, key: str) -> RegistryRow | None:
        """Read a row consistently."""
        item = self.table.get(item_key(key))
        return None if item is None else read_row(item)

    def rows(self, keys: Sequence[str], *, damaged: Damaged | None = None) -> Iterator[RegistryRow]:
        """Yield those of the rows that exist, read consistently.

        `damaged` is told of a row that cannot be read (Undecided, `internal`), which is raised without it.
        """
        for item in self.table.get_many([item_key(key) for key in keys]):
            try:
                row = read_row(item)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                failure = Undecided(Reason.INTERNAL, f"the registry row {item['pk']['S']} is damaged")
                if damaged is None:
                    raise failure from error
                damaged(failure)
                continue
            yield row

    def begin_activation(
        self,
        key: str,
        *,
        certificate_id: str,
        owner: str,
        lease_until: datetime,
        at: datetime,
        facts: Mapping[str, Any],
        described_at: datetime | None = None,
    ) -> RegistryRow | None:
        """Write ACTIVATING with one invocation's lease, and return the row as it is now.

        Returns None where the row wants or has revocation, where another lease is open (also one of the same `owner`:
        an event that was delivered twice), and where the row is another certificate's.
        Returns None, too, where it was activated after `described_at` (`at` unless given): AWS's answer is outdated.
        `facts` (facts.py) are kept for enforcement.
        """
        # Another certificate's: whoever has a device's key can make a second certificate of it, by the other valid form
        # of an ECDSA signature. That one must not bring back what an operator switched off.
        values = {
            ":activating": {"S": RowState.ACTIVATING},
            ":active": {"S": RowState.ACTIVE},
            ":owner": {"S": owner},
            ":until": {"N": str(int(lease_until.timestamp()))},
            ":now": {"N": str(int(at.timestamp()))},
            ":described": milliseconds(described_at or at),
            ":id": {"SS": [certificate_id]},
            ":one": {"S": certificate_id},
        }
        item = self._update(
            key,
            "SET #state = :activating, lease_owner = :owner, lease_until = :until{facts} ADD certificate_ids :id",
            values,
            "attribute_not_exists(#state) OR (contains(certificate_ids, :one) AND ((#state = :active"
            " AND (attribute_not_exists(activated_at_ms) OR activated_at_ms <= :described))"
            " OR (#state = :activating AND lease_until < :now)))",
            facts,
        )
        return None if item is None else read_row(item)

    def finish_activation(
        self, key: str, *, owner: str | None, at: datetime, activated_at: datetime | None = None
    ) -> bool:
        """Turn ACTIVATING into ACTIVE; `owner` None finishes for somebody whose lease ended. False: it was not so.

        Knocks before `activated_at` (`at` unless given) are answered by it: a time before AWS IoT was asked for ACTIVE,
        or at which it said so.
        """
        return self._close(key, owner, at, "lease_owner, lease_until, replaces", activated_at)

    def complete(self, key: str, points: tuple[str, ...]) -> None:
        """Write the distribution points of a row that has none: of an earlier version, or of what nobody could read."""
        values = {":points": {"SS": sorted(points)}}
        condition = "attribute_exists(#state) AND attribute_not_exists(distribution_points)"
        self.write(key, "SET distribution_points = :points", values, condition)

    def is_readable(self, key: str, certificate_id: str) -> None:
        """Record that a certificate of the row can be read, which could not be read before."""
        values = {":id": {"SS": [certificate_id]}, ":one": {"S": certificate_id}}
        self.write(key, "DELETE unreadable_ids :id", values, "contains(unreadable_ids, :one)")

    def release_lease(self, key: str, *, owner: str) -> None:
        """Let others try at once; only for an activation that has not yet asked AWS IoT for ACTIVE."""
        self._write_as(owner, key, "SET lease_until = :value", {"N": "0"})

    def note_replacement(self, key: str, *, owner: str, replaces: str) -> bool:
        """Remember which certificate goes INACTIVE once this one is ACTIVE."""
        return self._write_as(owner, key, "SET replaces = :value", {"S": replaces})

    def want_revocation(
        self, key: str, *, certificate_id: str, wanted: CertificateStatus, facts: Mapping[str, Any]
    ) -> bool:
        """Mark a certificate for revocation at activation; returns False when it is REVOKED already, which is final."""
        values = {
            ":wanted": {"S": RowState.REVOKE_WANTED},
            ":status": {"S": wanted},
            ":revoked": {"S": RowState.REVOKED},
            ":id": {"SS": [certificate_id]},
        }
        return self.write(
            key,
            "SET #state = :wanted, wanted_status = :status{facts} ADD certificate_ids :id",
            values,
            "attribute_not_exists(#state) OR #state <> :revoked",
            facts,
        )

    def mark(self, row: RegistryRow, *, wanted: CertificateStatus, braked_by: str | None) -> bool:
        """Mark an existing row for revocation; returns False when it changed since it was read, or is REVOKED.

        `braked_by` is kept only on rows that were ACTIVE, or that a brake switched off before: undoing a brake must not
        activate what never was. Whoever marks a row without a brake takes it away from one.
        """
        values = {
            ":wanted": {"S": RowState.REVOKE_WANTED},
            ":status": {"S": wanted},
            ":was": {"S": row.state},
            ":revoked": {"S": RowState.REVOKED},
            ":ids": {"SS": sorted(row.certificate_ids)},
        }
        update = "SET #state = :wanted, wanted_status = :status"
        if braked_by is not None and row.may_come_back(after=braked_by):
            values[":brake"] = {"S": braked_by}
            update += ", braked_by = :brake REMOVE also_wanted_by, undoing_until"
        else:
            update += " REMOVE braked_by, also_wanted_by, undoing_until"
        # The ids too: whoever marks a row asks for its certificates, and must not miss one that was added meanwhile.
        return self.write(row.key, update, values, "#state = :was AND #state <> :revoked AND certificate_ids = :ids")

    def add_known(self, key: str, *, certificate_id: str, facts: Mapping[str, Any]) -> bool:
        """Write a row for a certificate that others activated; where there is one, add the id and return False.

        An id that is new to a row ends the row's claims: nobody knows whether undoing them may switch it on.
        """
        values = {":active": {"S": RowState.ACTIVE}, ":id": {"SS": [certificate_id]}}
        update = "SET #state = :active{facts} ADD certificate_ids :id"
        if self.write(key, update, values, "attribute_not_exists(#state)", facts):
            return True
        unreadable = ", unreadable_ids :id" if "unreadable_ids" in facts else ""
        self.write(
            key,
            f"ADD certificate_ids :id{unreadable} REMOVE braked_by, also_wanted_by",
            {":id": {"SS": [certificate_id]}, ":one": {"S": certificate_id}},
            "NOT contains(certificate_ids, :one)",
        )
        return False

    def finish_revocation(self, key: str, *, done: CertificateStatus) -> bool:
        """Record that AWS IoT now has the status that was wanted; False: something else is wanted by now.

        A lease stays on the row: its owner may still ask for ACTIVE, so enforcement looks at the row once more.
        """
        return self.write(
            key,
            "SET #state = :done REMOVE undoing_until",
            {":done": {"S": RowState(done.value)}, ":wanted": {"S": RowState.REVOKE_WANTED}, ":status": {"S": done}},
            "#state = :wanted AND wanted_status = :status",
        )

    def clear_lease(self, row: RegistryRow) -> None:
        """Forget a lease that has ended, unless somebody else has taken one since."""
        values = {":owner": {"S": row.lease_owner or ""}}
        self.write(row.key, "REMOVE lease_owner, lease_until", values, "lease_owner = :owner")

    def _write_as(self, owner: str, key: str, update: str, value: Mapping[str, str]) -> bool:
        return self.write(
            key,
            update,
            {":value": value, ":activating": {"S": RowState.ACTIVATING}, ":owner": {"S": owner}},
            "#state = :activating AND lease_owner = :owner",
        )
