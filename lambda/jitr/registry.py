"""The registry: one row for each certificate that was ever on its way to ACTIVE or off.

The row key is the issuer (name and public key) and the serial number, because that is what CRLs list. Activation takes
a lease in it before it asks AWS IoT for ACTIVE; revocation marks it before it asks for REVOKED or INACTIVE. Whoever
comes second sees the other's mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from jitr.iot_registry import CertificateStatus
from jitr.state_table import Item, Key, StateTable, number, text

_KNOWN = "id#"
JOB_CLAIM = "job#"


def job_claim(job_id: str) -> str:
    """Return how a row names the job that switched it off and can be undone; no CRL's hash looks like it."""
    return f"{JOB_CLAIM}{job_id}"


class RowState(StrEnum):
    """State of a registry row. From REVOKE_WANTED on it is sticky: only an operator leads back."""

    ACTIVATING = "ACTIVATING"
    ACTIVE = "ACTIVE"
    REVOKE_WANTED = "REVOKE_WANTED"
    REVOKED = "REVOKED"
    INACTIVE = "INACTIVE"

    @property
    def refuses_activation(self) -> bool:
        """Say whether the row wants or has revocation."""
        return self in (RowState.REVOKE_WANTED, RowState.REVOKED, RowState.INACTIVE)


@dataclass(frozen=True, kw_only=True)
class RegistryRow:
    """One certificate in the registry.

    `certificate_ids` are those of all certificates with this issuer and serial number; `wanted` is the AWS IoT status
    that a revocation asks for; `braked_by` names the CRL (SHA-256) whose brake switched it off, or the operator's job
    (`job_claim`), which can be undone too.
    """

    key: str
    state: RowState
    certificate_ids: tuple[str, ...]
    lease_owner: str | None
    lease_until: datetime
    wanted: CertificateStatus | None
    replaces: str | None
    braked_by: str | None
    not_after: int

    def lease_open(self, *, at: datetime) -> bool:
        """Say whether an invocation may be activating this certificate now."""
        return self.state is RowState.ACTIVATING and self.lease_until > at

    @property
    def job(self) -> str | None:
        """Return the job that switched it off and can be undone, if one did."""
        held = self.braked_by
        return held.removeprefix(JOB_CLAIM) if held is not None and held.startswith(JOB_CLAIM) else None

    def may_come_back(self, *, after: str) -> bool:
        """Say whether undoing the brake or job `after` may make it ACTIVE: it was, or a brake hands it on.

        A job hands nothing on: rejecting a CRL must not undo what an operator did.
        """
        if self.state is RowState.ACTIVE or self.braked_by == after:
            return True
        return self.braked_by is not None and self.job is None


@dataclass(frozen=True)
class Registry:
    """The registry rows of one deployment."""

    table: StateTable

    def row(self, key: str) -> RegistryRow | None:
        """Read a row consistently."""
        item = self.table.get(_key(key))
        return None if item is None else _row(item)

    def rows(self, keys: Sequence[str]) -> Iterator[RegistryRow]:
        """Yield those of the rows that exist, read consistently."""
        return map(_row, self.table.get_many([_key(key) for key in keys]))

    def begin_activation(
        self,
        key: str,
        *,
        certificate_id: str,
        owner: str,
        lease_until: datetime,
        at: datetime,
        facts: Mapping[str, Any],
    ) -> RegistryRow | None:
        """Write ACTIVATING with a lease; None when the row wants or has revocation, or another lease is open.

        Returns the row as it is now. None, too, when the row is another certificate's: whoever has a device's key can
        make a second certificate of it, by the other valid form of an ECDSA signature; that one must not bring back
        what an operator switched off.

        `facts` (CA id, notAfter) are kept for enforcement. A lease is one invocation's: the same event delivered twice
        at a time has the same `owner`, and its second delivery is refused like everybody else's.
        """
        values = {
            ":activating": {"S": RowState.ACTIVATING},
            ":active": {"S": RowState.ACTIVE},
            ":owner": {"S": owner},
            ":until": {"N": str(int(lease_until.timestamp()))},
            ":now": {"N": str(int(at.timestamp()))},
            ":id": {"SS": [certificate_id]},
            ":one": {"S": certificate_id},
        }
        item = self._update(
            key,
            "SET #state = :activating, lease_owner = :owner, lease_until = :until{facts} ADD certificate_ids :id",
            values,
            "attribute_not_exists(#state) OR (contains(certificate_ids, :one) AND (#state = :active"
            " OR (#state = :activating AND lease_until < :now)))",
            facts,
        )
        return None if item is None else _row(item)

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
        return self._write(
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
        return self._write(
            key,
            "SET #state = :inactive REMOVE lease_owner, lease_until",
            {
                ":inactive": {"S": RowState.INACTIVE},
                ":activating": {"S": RowState.ACTIVATING},
                ":owner": {"S": owner},
            },
            "#state = :activating AND lease_owner = :owner AND attribute_exists(wanted_status)",
        )

    def finish_reinstatement(self, key: str, *, owner: str | None, at: datetime) -> bool:
        """Do as `finish_activation`, and forget which revocation there was: a brake that is undone later is over."""
        return self._finish(key, owner, at, "lease_owner, lease_until, replaces, wanted_status, braked_by")

    def finish_activation(self, key: str, *, owner: str | None, at: datetime) -> bool:
        """Turn ACTIVATING into ACTIVE; `owner` None finishes for somebody whose lease ended. False: it was not so."""
        return self._finish(key, owner, at, "lease_owner, lease_until, replaces")

    def _finish(self, key: str, owner: str | None, at: datetime, forgotten: str) -> bool:
        mine = "lease_owner = :owner" if owner is not None else "lease_until < :now"
        return self._write(
            key,
            f"SET #state = :active REMOVE {forgotten}",
            {
                ":active": {"S": RowState.ACTIVE},
                ":activating": {"S": RowState.ACTIVATING},
                **({":owner": {"S": owner}} if owner is not None else {":now": {"N": str(int(at.timestamp()))}}),
            },
            f"#state = :activating AND {mine}",
        )

    def remember(self, certificate_id: str, key: str) -> None:
        """Keep by its id that a certificate has a row, so that the search for unknown ones need not describe it."""
        self.table.update(_known_key(certificate_id), "SET registry_row = :row", {":row": {"S": key}})

    def unknown(self, certificate_ids: Sequence[str]) -> list[str]:
        """Return those of the ids that have no row yet, in their order."""
        known = self.table.get_many([_known_key(each) for each in certificate_ids])
        found = {item["pk"]["S"] for item in known}
        return [each for each in certificate_ids if _known_key(each)["pk"]["S"] not in found]

    def known(self, certificate_ids: Sequence[str]) -> dict[str, str]:
        """Return the row keys of those of the certificates that have one, by certificate id."""
        items = self.table.get_many([_known_key(each) for each in dict.fromkeys(certificate_ids)])
        return {item["pk"]["S"].removeprefix(_KNOWN): item["registry_row"]["S"] for item in items}

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
        return self._write(
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
        }
        update = "SET #state = :wanted, wanted_status = :status"
        if braked_by is not None and row.may_come_back(after=braked_by):
            values[":brake"] = {"S": braked_by}
            update += ", braked_by = :brake"
        else:
            update += " REMOVE braked_by"
        return self._write(row.key, update, values, "#state = :was AND #state <> :revoked")

    def add_known(self, key: str, *, certificate_id: str, facts: Mapping[str, Any]) -> bool:
        """Write a row for a certificate that others activated; where there is one, add the id and return False."""
        values = {":active": {"S": RowState.ACTIVE}, ":id": {"SS": [certificate_id]}}
        update = "SET #state = :active{facts} ADD certificate_ids :id"
        if self._write(key, update, values, "attribute_not_exists(#state)", facts):
            return True
        self.table.update(_key(key), "ADD certificate_ids :id", {":id": {"SS": [certificate_id]}})
        return False

    def finish_revocation(self, key: str, *, done: CertificateStatus) -> bool:
        """Record that AWS IoT now has the status that was wanted; False: something else is wanted by now.

        A lease stays on the row: its owner may still ask for ACTIVE, so enforcement looks at the row once more.
        """
        return self._write(
            key,
            "SET #state = :done",
            {":done": {"S": RowState(done.value)}, ":wanted": {"S": RowState.REVOKE_WANTED}, ":status": {"S": done}},
            "#state = :wanted AND wanted_status = :status",
        )

    def clear_lease(self, row: RegistryRow) -> None:
        """Forget a lease that has ended, unless somebody else has taken one since."""
        values = {":owner": {"S": row.lease_owner or ""}}
        self._write(row.key, "REMOVE lease_owner, lease_until", values, "lease_owner = :owner")

    def begin_undoing(self, key: str, *, braked_by: str) -> bool:
        """Let a row want revocation again before its certificates become ACTIVE; False: something else decided since.

        Whoever is killed then leaves no row that says INACTIVE about a certificate that is ACTIVE.
        """
        return self._write(
            key,
            "SET #state = :wanted",
            {
                ":wanted": {"S": RowState.REVOKE_WANTED},
                ":inactive": {"S": RowState.INACTIVE},
                ":brake": {"S": braked_by},
            },
            "braked_by = :brake AND (#state = :inactive OR #state = :wanted)",
        )

    def undo_brake(self, key: str, *, braked_by: str) -> bool:
        """Forget a revocation that one CRL's brake asked for; returns False when something else decided since."""
        return self._write(
            key,
            "SET #state = :active REMOVE wanted_status, braked_by",
            {":active": {"S": RowState.ACTIVE}, ":wanted": {"S": RowState.REVOKE_WANTED}, ":brake": {"S": braked_by}},
            "#state = :wanted AND braked_by = :brake",
        )

    def _write_as(self, owner: str, key: str, update: str, value: Mapping[str, str]) -> bool:
        return self._write(
            key,
            update,
            {":value": value, ":activating": {"S": RowState.ACTIVATING}, ":owner": {"S": owner}},
            "#state = :activating AND lease_owner = :owner",
        )

    def _write(
        self, key: str, update: str, values: Mapping[str, Any], condition: str, facts: Mapping[str, Any] | None = None
    ) -> bool:
        return self._update(key, update, values, condition, facts) is not None

    def _update(
        self, key: str, update: str, values: Mapping[str, Any], condition: str, facts: Mapping[str, Any] | None = None
    ) -> Item | None:
        facts = facts or {}
        update = update.replace("{facts}", "".join(f", {name} = :{name}" for name in facts))
        values = {**values, **{f":{name}": _attribute(value) for name, value in facts.items()}}
        return self.table.update(_key(key), update, values, condition=condition)


def _key(key: str) -> Key:
    return {"pk": {"S": key}, "sk": {"S": "certificate"}}


def _known_key(certificate_id: str) -> Key:
    return {"pk": {"S": f"{_KNOWN}{certificate_id}"}, "sk": {"S": "known"}}


def _row(item: Item) -> RegistryRow:
    wanted = text(item, "wanted_status")
    return RegistryRow(
        key=item["pk"]["S"],
        state=RowState(item["state"]["S"]),
        certificate_ids=tuple(item.get("certificate_ids", {}).get("SS", ())),
        lease_owner=text(item, "lease_owner"),
        lease_until=datetime.fromtimestamp(number(item, "lease_until"), UTC),
        wanted=CertificateStatus(wanted) if wanted else None,
        replaces=text(item, "replaces"),
        braked_by=text(item, "braked_by"),
        not_after=number(item, "not_after"),
    )


def _attribute(value: object) -> dict[str, Any]:
    return {"N": str(value)} if isinstance(value, int) else {"S": str(value)}
