"""Whether a client's connection is the switched-off device's own, and may be ended; pure.

A client id is text that a device chose before any policy applied. A device must not be able to have another one's
connection cut by naming its id and being revoked; and a renewed device, whose old certificate goes off, keeps its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jitr.aws.connections import Connection


class Spared(StrEnum):
    """Why a connection is left alone."""

    NOT_CONNECTED = "not_connected"
    ANOTHER_THING = "another_thing"
    CONNECTED_LATER = "connected_later"
    THING_IN_USE = "thing_in_use"
    NOT_ITS_OWN_ID = "not_its_own_id"


@dataclass(frozen=True, kw_only=True)
class SwitchedOffDevice:
    """The device: its Thing, if any, and when AWS IoT had switched off the last of its certificates.

    `thing_is_in_use` where another ACTIVE principal is attached to that Thing. `own_client_ids` are those that the
    policy lets connect for its certificates alone.
    """

    thing_name: str | None
    off_since: datetime
    thing_is_in_use: bool = False
    own_client_ids: frozenset[str] = frozenset()


def spared_because(connection: Connection, device: SwitchedOffDevice) -> Spared | None:
    """Return why a connection has to be left alone; None: it may be ended."""
    since = connection.connected_since
    if not connection.connected:
        return Spared.NOT_CONNECTED
    if connection.thing_name != device.thing_name:
        return Spared.ANOTHER_THING
    if since is None or since >= device.off_since:
        return Spared.CONNECTED_LATER
    if device.thing_name is not None:
        return Spared.THING_IN_USE if device.thing_is_in_use else None
    return None if connection.client_id in device.own_client_ids else Spared.NOT_ITS_OWN_ID
