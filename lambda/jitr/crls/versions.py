"""What is known of each CRL scope (issuer and address) at run time: accepted, rejected, enforced, braked, leased.

Accepting comes first and is what activations look at before they go on; enforcing is done only when every device that
a CRL newly lists is off. Between the two lies the work of one sweep, under one lease.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jitr.aws.state_table import Item, Key, StateTable, number, text

# CRL numbers have up to 20 octets, more than a DynamoDB number holds; as text of one length they compare like numbers.
_NUMBER_DIGITS = 40
_PARTITION = "crl"
# What all CRLs of a scope newly list within this time counts together for the brake.
BRAKE_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class CrlVersion:
    """What orders the CRLs of one scope; `number` is None for CRLs without one, `sha256` names the content (DER)."""

    number: int | None
    this_update: datetime
    sha256: str

    def goes_back_from(self, accepted: CrlVersion) -> bool:
        """Return whether number or thisUpdate is lower than the accepted one's; a missing number is not compared."""
        if self.number is not None and accepted.number is not None and self.number < accepted.number:
            return True
        return self.this_update < accepted.this_update

    def contradicts(self, accepted: CrlVersion) -> bool:
        """Return whether this is another CRL than the accepted one, and neither is older."""
        same = self.sha256 == accepted.sha256
        return not same and not self.goes_back_from(accepted) and not accepted.goes_back_from(self)


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """The accepted version of a scope; `count` goes up with each acceptance, so that none is overwritten unseen."""

    version: CrlVersion | None
    count: int


@dataclass(frozen=True)
class NewlyListed:
    """How many registered devices a CRL (its SHA-256) newly listed as revoked, and when that was seen."""

    at: datetime
    crl: str
    devices: int

    def __str__(self) -> str:
        """Return it as the state table keeps it."""
        return f"{int(self.at.timestamp())} {self.crl} {self.devices}"

    @classmethod
    def parse(cls, text: str) -> NewlyListed:
        """Read what `str` wrote; raises ValueError."""
        at, crl, devices = text.split(" ")
        return cls(datetime.fromtimestamp(int(at), UTC), crl, int(devices))


@dataclass(frozen=True, kw_only=True)
class ScopeState:
    """What is known of one scope. CRLs are named by the SHA-256 of their DER.

    `enforced` is the last whose devices are all off; `braked` one that newly listed too many, with their number and
    whether an operator confirmed it; `rejected` one that an operator refused for good. `forgotten` counts how often
    somebody asked for every entry to be looked at again. `listed_lately` is what each CRL of the last day newly listed.
    """

    scope: str
    accepted: CrlVersion | None
    acceptances: int
    enforced: str | None
    braked: str | None
    braked_devices: int
    confirmed: bool
    rejected: str | None
    forgotten: int = 0
    listed_lately: tuple[NewlyListed, ...] = ()

    def listed_before(self, crl: str, *, at: datetime) -> int:
        """Return how many devices the other CRLs of the last 24 hours newly listed together."""
        since = at - BRAKE_WINDOW
        return sum(each.devices for each in self.listed_lately if each.at > since and each.crl != crl)

    @property
    def crls(self) -> frozenset[str]:
        """Return the CRLs of which a copy is needed: enforced, braked, rejected."""
        return frozenset(each for each in (self.enforced, self.braked, self.rejected) if each is not None)

    @property
    def brake_waits(self) -> bool:
        """Return whether a braked CRL waits for an operator's decision."""
        return self.braked is not None and not self.confirmed and self.rejected != self.braked


@dataclass(frozen=True)
class CrlVersions:
    """The CRL scopes of one deployment."""

    table: StateTable

    def state(self, scope: str) -> ScopeState:
        """Read, consistently, what is known of a scope."""
        return _state(scope, self.table.get(_key(scope)) or {})

    def states(self) -> Iterator[ScopeState]:
        """Yield what is known of every scope."""
        for item in self.table.query(_PARTITION):
            yield _state(item["sk"]["S"], item)

    def accepted(self, scope: str) -> CrlVersion | None:
        """Read, consistently, the newest CRL version that was accepted for a scope."""
        return self.state(scope).accepted

    def acceptance(self, scope: str) -> Acceptance:
        """Read, consistently, what `accept` has to be told."""
        state = self.state(scope)
        return Acceptance(version=state.accepted, count=state.acceptances)

    def accept(self, scope: str, version: CrlVersion, *, after: Acceptance) -> bool:
        """Record a version as accepted; returns False when another was accepted since `after` was read.

        Not checked: that it does not go back; the reader of `after` knows. The count of rejected devices starts again
        with each accepted version, so callers do not write a version that is there.
        """
        values: dict[str, Any] = {
            ":this_update": {"N": str(int(version.this_update.timestamp()))},
            ":sha256": {"S": version.sha256},
            ":zero": {"N": "0"},
            ":count": {"N": str(after.count + 1)},
            ":seen": {"N": str(after.count)},
        }
        update = "SET this_update = :this_update, accepted_sha256 = :sha256, rejections = :zero, acceptances = :count"
        if version.number is None:
            update += " REMOVE crl_number"
        else:
            values[":number"] = {"S": f"{version.number:0{_NUMBER_DIGITS}x}"}
            update += ", crl_number = :number"
        condition = "acceptances = :seen"
        if after.count == 0:
            condition = f"attribute_not_exists(acceptances) OR {condition}"
        return self.table.update(_key(scope), update, values, condition=condition) is not None

    def count_rejection(self, scope: str) -> int:
        """Count one device that the accepted CRL turned away at activation, and return how many it were."""
        item = self.table.update(_key(scope), "ADD rejections :one", {":one": {"N": "1"}})
        return number(item or {}, "rejections")

    def lease(self, scope: str, *, owner: str, until: datetime, at: datetime) -> bool:
        """Take the lease of a scope; returns False while another owner has it. The same owner may take it again."""
        values = {
            ":owner": {"S": owner},
            ":until": {"N": str(int(until.timestamp()))},
            ":now": {"N": str(int(at.timestamp()))},
        }
        condition = "attribute_not_exists(sweep_until) OR sweep_until < :now OR sweep_owner = :owner"
        update = "SET sweep_owner = :owner, sweep_until = :until"
        return self.table.update(_key(scope), update, values, condition=condition) is not None

    def release(self, scope: str, *, owner: str) -> None:
        """Give the lease back."""
        update, values = "REMOVE sweep_owner, sweep_until", {":owner": {"S": owner}}
        self.table.update(_key(scope), update, values, condition="sweep_owner = :owner")

    def record_enforced(self, scope: str, crl: str, *, seen: int) -> bool:
        """Record that every device which this CRL lists is off; `seen` is what `forgotten` was when the sweep began.

        Returns False where a caller asked since for every entry to be looked at again: the next sweep does.
        """
        values = {":crl": {"S": crl}, ":seen": {"N": str(seen)}}
        condition = "forgotten = :seen" if seen else "attribute_not_exists(forgotten) OR forgotten = :seen"
        return self.table.update(_key(scope), "SET enforced = :crl", values, condition=condition) is not None

    def forget_enforced(self, scope: str) -> None:
        """Let the next sweep look at every entry again, whatever a sweep that runs now may record."""
        self.table.update(_key(scope), "REMOVE enforced ADD forgotten :one", {":one": {"N": "1"}})

    def forget_enforced_of(self, issuer: str) -> None:
        """Let the next sweep of every address of one issuer's CRLs look at every entry again."""
        for state in list(self.states()):
            if state.scope.startswith(f"{issuer}#"):
                self.forget_enforced(state.scope)

    def record_brake(self, scope: str, crl: str, devices: int) -> None:
        """Record that a CRL newly listed too many devices, and how many; a confirmation of another one is forgotten."""
        values = {":crl": {"S": crl}, ":devices": {"N": str(devices)}}
        update = "SET braked = :crl, braked_devices = :devices REMOVE confirmed"
        self.table.update(_key(scope), update, values, condition="attribute_not_exists(braked) OR braked <> :crl")

    def record_listed(self, state: ScopeState, listed: NewlyListed) -> None:
        """Record what a CRL newly lists, beside the others of the last day; the same CRL again changes nothing."""
        if any(each.crl == listed.crl for each in state.listed_lately):
            return
        since = listed.at - BRAKE_WINDOW
        kept = {str(each) for each in (*state.listed_lately, listed) if each.at > since}
        self.table.update(_key(state.scope), "SET listed_lately = :all", {":all": {"SS": sorted(kept)}})

    def confirm(self, scope: str, crl: str, *, by: str, at: datetime) -> bool:
        """Let a braked CRL revoke for good; returns False when it is not the one that is braked now."""
        values = {":crl": {"S": crl}, ":by": {"S": f"{by} {at.isoformat()}"}, ":one": {"N": "1"}}
        # Forgetting what was enforced makes the next sweep look at every entry again.
        # What was confirmed does not count against the next CRLs.
        update = "SET confirmed = :by REMOVE enforced, listed_lately ADD forgotten :one"
        return self.table.update(_key(scope), update, values, condition="braked = :crl") is not None

    def reject(self, scope: str, crl: str, *, by: str, at: datetime) -> bool:
        """Refuse a braked CRL from now on; returns False when it is not the one that is braked now."""
        values = {":crl": {"S": crl}, ":by": {"S": f"{by} {at.isoformat()}"}, ":one": {"N": "1"}}
        update = "SET rejected = :crl, rejected_by = :by REMOVE enforced ADD forgotten :one"
        return self.table.update(_key(scope), update, values, condition="braked = :crl") is not None

    def clear_brake(self, scope: str) -> None:
        """Forget a brake whose devices are all back, or all revoked."""
        self.table.update(_key(scope), "REMOVE braked, braked_devices, confirmed", {})

    def clear_brake_of(self, scope: str, crl: str) -> bool:
        """Forget the brake of one CRL; returns False where another one is braked by now, whose brake stays."""
        update = "REMOVE braked, braked_devices, confirmed"
        return self.table.update(_key(scope), update, {":crl": {"S": crl}}, condition="braked = :crl") is not None

    def reset(self, scope: str, *, by: str, at: datetime) -> None:
        """Forget which version was accepted, so that an older CRL is taken again; who did so, and when, is kept."""
        values = {":by": {"S": f"{by} {at.isoformat()}"}, ":one": {"N": "1"}}
        gone = "this_update, crl_number, accepted_sha256, rejections, enforced"
        self.table.update(_key(scope), f"SET reset_by = :by REMOVE {gone} ADD forgotten :one", values)


def _key(scope: str) -> Key:
    return {"pk": {"S": _PARTITION}, "sk": {"S": scope}}


def _state(scope: str, item: Item) -> ScopeState:
    crl_number = text(item, "crl_number")
    accepted = None
    if "this_update" in item:
        accepted = CrlVersion(
            number=int(crl_number, 16) if crl_number else None,
            this_update=datetime.fromtimestamp(number(item, "this_update"), UTC),
            sha256=text(item, "accepted_sha256") or "",
        )
    return ScopeState(
        scope=scope,
        accepted=accepted,
        acceptances=number(item, "acceptances"),
        enforced=text(item, "enforced"),
        braked=text(item, "braked"),
        braked_devices=number(item, "braked_devices"),
        confirmed="confirmed" in item,
        rejected=text(item, "rejected"),
        forgotten=number(item, "forgotten"),
        listed_lately=tuple(map(NewlyListed.parse, item.get("listed_lately", {}).get("SS", ()))),
    )
