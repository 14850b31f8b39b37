"""A CA's allow-list: the serial numbers that may become ACTIVE, where its CA has one (step 5a).

For CAs that sign more than the devices of one fleet, or before they are shipped. One item for each serial number, so
that a million are looked up as fast as one; people fill it with `jitr device allow`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jitr.aws.state_table import Key, StateTable


@dataclass(frozen=True)
class AllowList:
    """The allow-lists of one deployment."""

    table: StateTable

    def lists(self, ca_certificate_id: str, serial: int) -> bool:
        """Say, from a consistent read, whether a CA's list names a serial number."""
        return self.table.get(allowed_key(ca_certificate_id, serial)) is not None

    def serials(self, ca_certificate_id: str) -> Iterator[int]:
        """Yield what a CA's list names, in the order of their hexadecimal text."""
        for item in self.table.query(_partition(ca_certificate_id)):
            yield int(item["sk"]["S"], 16)


def allowed_key(ca_certificate_id: str, serial: int) -> Key:
    """Return the key of the item that lets one serial number in."""
    return {"pk": {"S": _partition(ca_certificate_id)}, "sk": {"S": f"{serial:x}"}}


def _partition(ca_certificate_id: str) -> str:
    return f"allow#{ca_certificate_id}"
