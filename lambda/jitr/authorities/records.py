"""What is known of each CA at run time: its adoption, an operator's hold, its devices, the addresses of its CRLs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from jitr.aws.state_table import Item, Key, StateTable, number, text
from jitr.errors import Reason, Undecided

_PARTITION = "ca"


@dataclass(frozen=True, kw_only=True)
class CaRecord:
    """One CA; `adopted_policy` is None unless it was adopted, `devices` how many were activated here.

    `locations` are the distribution points that activated certificates name, for CAs whose CRL source is `cdp`.
    `held_by` says who put the hold on, and when.
    """

    ca_certificate_id: str
    adopted_crl: str | None
    adopted_policy: str | None
    on_hold: bool
    devices: int
    locations: tuple[str, ...]
    held_by: str | None = None


@dataclass(frozen=True)
class CaRecords:
    """The CAs of one deployment."""

    table: StateTable

    def record(self, ca_certificate_id: str) -> CaRecord | None:
        """Read, consistently, what is known of a CA."""
        item = self.table.get(_key(ca_certificate_id))
        return None if item is None else _record(item)

    def records(self, *, damaged: Callable[[str, Undecided], None] | None = None) -> Iterator[CaRecord]:
        """Yield what is known of every CA; without `damaged`, an item that cannot be read is raised."""
        for item in self.table.query(_PARTITION):
            try:
                record = _record(item)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                failure = Undecided(Reason.INTERNAL, "what the state table holds of the CA is damaged")
                if damaged is None:
                    raise failure from error
                damaged(item["sk"]["S"], failure)
                continue
            yield record

    def adopt(self, ca_certificate_id: str, *, crl: str, policy: str, by: str, at: datetime) -> None:
        """Take a CA under management; adopting again changes CRL source and policy."""
        values = {":crl": {"S": crl}, ":policy": {"S": policy}, ":by": {"S": by}, ":at": {"S": at.isoformat()}}
        update = "SET adopted_crl = :crl, adopted_policy = :policy, adopted_by = :by, adopted_at = :at"
        self.table.update(_key(ca_certificate_id), update, values)

    def release(self, ca_certificate_id: str) -> bool:
        """End an adoption; returns False when the CA was not adopted. A hold stays."""
        update, condition = (
            "REMOVE adopted_crl, adopted_policy, adopted_by, adopted_at",
            "attribute_exists(adopted_policy)",
        )
        return self.table.update(_key(ca_certificate_id), update, {}, condition=condition) is not None

    def hold(self, ca_certificate_id: str, *, by: str, at: datetime) -> bool:
        """Let no device of a CA become ACTIVE from now on; returns False where it is on hold already, by whomever."""
        values = {":hold": {"S": f"{by} {at.isoformat()}"}}
        condition = "attribute_not_exists(#hold)"
        return self.table.update(_key(ca_certificate_id), "SET #hold = :hold", values, condition=condition) is not None

    def resume(self, ca_certificate_id: str, *, by: str, at: datetime) -> bool:
        """End a hold, and keep who did so; returns False when there was none."""
        values = {":by": {"S": f"{by} {at.isoformat()}"}}
        update, condition = "SET resumed_by = :by REMOVE #hold", "attribute_exists(#hold)"
        return self.table.update(_key(ca_certificate_id), update, values, condition=condition) is not None

    def watch(self, ca_certificate_id: str, locations: Collection[str]) -> None:
        """Remember where CRLs are that certificates of a CA name; at least one, and again changes nothing."""
        self.table.update(_key(ca_certificate_id), "ADD locations :where", {":where": {"SS": sorted(locations)}})

    def forget(self, ca_certificate_id: str, location: str, *, by: str, at: datetime) -> bool:
        """Let enforcement look at an address no more, and keep who did so; False: it was not remembered."""
        values = {":where": {"SS": [location]}, ":one": {"S": location}, ":by": {"S": f"{by} {at.isoformat()}"}}
        update, condition = "SET forgotten_by = :by DELETE locations :where", "contains(locations, :one)"
        return self.table.update(_key(ca_certificate_id), update, values, condition=condition) is not None

    def count_device(self, ca_certificate_id: str) -> None:
        """Count one device that became ACTIVE; one that was killed before it counted is missing for good."""
        self.table.update(_key(ca_certificate_id), "ADD devices :one", {":one": {"N": "1"}})


def _key(ca_certificate_id: str) -> Key:
    return {"pk": {"S": _PARTITION}, "sk": {"S": ca_certificate_id}}


def _record(item: Item) -> CaRecord:
    return CaRecord(
        ca_certificate_id=item["sk"]["S"],
        adopted_crl=text(item, "adopted_crl"),
        adopted_policy=text(item, "adopted_policy"),
        on_hold="hold" in item,
        devices=number(item, "devices"),
        locations=tuple(sorted(item.get("locations", {}).get("SS", ()))),
        held_by=text(item, "hold"),
    )
