"""Passes over all certificates of a CA, as the state table keeps them: where each is, and what it found.

A pass takes many runs of the function. Position and counts are written together, by whoever has the pass's lease.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from jitr.aws.state_table import Item, Key, StateTable, number, text

# Longer than the function may run at all.
PASS_LEASE = timedelta(minutes=16)
_PARTITION = "reconciliation"


class PassKind(StrEnum):
    """What a pass looks at: certificates that have a registry row, or those that have none."""

    KNOWN = "known"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a pass found: certificates it saw, and of these rows ACTIVE, switched off again, not covered, not readable.

    `braked` of those that were switched off only went INACTIVE, because there were too many. `failed` could not be
    compared.
    """

    seen: int = 0
    active: int = 0
    switched_off: int = 0
    braked: int = 0
    uncovered: int = 0
    unreadable: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True)
class PassState:
    """One CA's passes of one kind.

    `marker` begins the page that it is at, `last` is the certificate on it that was looked at last. `began_at` is None
    between two passes; `first_at` is when the first one began. `found` and `ended_at` are the last complete pass's.
    """

    ca_certificate_id: str
    kind: PassKind
    marker: str | None = None
    last: str | None = None
    first_at: datetime | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None
    counts: Counts = field(default_factory=Counts)
    found: Counts | None = None

    def is_due(self, *, at: datetime, period: timedelta) -> bool:
        """Return whether a pass is under way, or the next one may begin; `period` lies between two beginnings."""
        return self.began_at is not None or self.ended_at is None or at - self.ended_at >= period

    def age(self, *, at: datetime) -> timedelta:
        """Return how long ago the last complete pass ended, or the first one began."""
        since = self.ended_at or self.first_at
        return timedelta(0) if since is None else at - since

    def begun(self, *, at: datetime) -> PassState:
        """Return it with a pass under way: the one that is, or a new one."""
        if self.began_at is not None:
            return self
        return replace(self, began_at=at, first_at=self.first_at or at, marker=None, last=None, counts=Counts())

    def begun_anew(self) -> PassState:
        """Return it at the start again, with the age that it has and what the brake has counted."""
        counts = Counts(switched_off=self.counts.switched_off, braked=self.counts.braked)
        return replace(self, marker=None, last=None, counts=counts)

    def ended(self, *, at: datetime) -> PassState:
        """Return it after its last page: complete, or at the start again where something could not be compared.

        The next schedule tries that again, and what fails again and again is late.
        """
        if self.counts.failed:
            return replace(self.begun_anew(), found=self.counts)
        return replace(self, began_at=None, ended_at=at, marker=None, last=None, found=self.counts, counts=Counts())


@dataclass(frozen=True)
class Passes:
    """The passes of one deployment."""

    table: StateTable

    def state(self, ca_certificate_id: str, kind: PassKind) -> PassState:
        """Read, consistently, where a CA's passes of one kind are."""
        return _state(ca_certificate_id, kind, self.table.get(_key(ca_certificate_id, kind)) or {})

    def active_devices(self, ca_certificate_id: str) -> int:
        """Return how many of a CA's certificates were ACTIVE in the last complete pass; 0 before there was one."""
        found = self.state(ca_certificate_id, PassKind.KNOWN).found
        return 0 if found is None else found.active

    def take(self, state: PassState, *, owner: str, at: datetime) -> PassState | None:
        """Take the lease of a CA's passes and read where they are; None where another run has it."""
        values = {
            ":owner": {"S": owner},
            ":until": {"N": str(int((at + PASS_LEASE).timestamp()))},
            ":now": {"N": str(int(at.timestamp()))},
        }
        item = self.table.update(
            _key(state.ca_certificate_id, state.kind),
            "SET pass_owner = :owner, pass_until = :until",
            values,
            condition="attribute_not_exists(pass_until) OR pass_until < :now",
        )
        return None if item is None else _state(state.ca_certificate_id, state.kind, item)

    def record(self, state: PassState, *, owner: str) -> bool:
        """Write where a pass is and what it found; returns False where another run has it by now."""
        numbers = {f"count_{name}": each for name, each in asdict(state.counts).items()}
        if state.found is not None:
            numbers |= {f"found_{name}": each for name, each in asdict(state.found).items()}
        texts = {
            "page_marker": state.marker,
            "last_certificate": state.last,
            "first_at": _written(state.first_at),
            "began_at": _written(state.began_at),
            "ended_at": _written(state.ended_at),
        }
        values: dict[str, Any] = {f":{name}": {"N": str(each)} for name, each in numbers.items()}
        values |= {f":{name}": {"S": each or ""} for name, each in texts.items()}
        update = "SET " + ", ".join(f"{name[1:]} = {name}" for name in values)
        values[":owner"] = {"S": owner}
        key = _key(state.ca_certificate_id, state.kind)
        return self.table.update(key, update, values, condition="pass_owner = :owner") is not None

    def release(self, state: PassState, *, owner: str) -> None:
        """Give the lease back."""
        key = _key(state.ca_certificate_id, state.kind)
        values = {":owner": {"S": owner}}
        self.table.update(key, "REMOVE pass_owner, pass_until", values, condition="pass_owner = :owner")


def _key(ca_certificate_id: str, kind: PassKind) -> Key:
    return {"pk": {"S": _PARTITION}, "sk": {"S": f"{ca_certificate_id}#{kind}"}}


def _written(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _read(item: Item, name: str) -> datetime | None:
    found = text(item, name)
    return datetime.fromisoformat(found) if found else None


def _counts(item: Item, prefix: str) -> Counts:
    return Counts(**{name: number(item, f"{prefix}_{name}") for name in asdict(Counts())})


def _state(ca_certificate_id: str, kind: PassKind, item: Item) -> PassState:
    return PassState(
        ca_certificate_id=ca_certificate_id,
        kind=kind,
        marker=text(item, "page_marker") or None,
        last=text(item, "last_certificate") or None,
        first_at=_read(item, "first_at"),
        began_at=_read(item, "began_at"),
        ended_at=_read(item, "ended_at"),
        counts=_counts(item, "count"),
        found=_counts(item, "found") if "found_seen" in item else None,
    )
