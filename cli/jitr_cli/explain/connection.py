"""Whether a device is connected: since when, from where, or why not any more, as AWS IoT says by its client ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jitr.authorities.client_ids import ClientIds
from jitr.aws.connections import Connection, Connections
from jitr.errors import Undecided
from jitr_cli.console.aws import Aws
from jitr_cli.console.files import zulu
from jitr_cli.devices.services import DeviceServices
from jitr_cli.explain.findings import DeviceFindings


def look_at_connections(aws: Aws, services: DeviceServices, found: DeviceFindings) -> list[dict[str, Any]]:
    """Return what AWS IoT knows of the clients that the device may be, and note what is odd; never raises.

    A client of that id need not be this device: the Thing that it connected as is said, too.
    """
    candidate, row = found.candidate, found.row
    if row is None:
        return []
    thing = row.thing_name if candidate is None else candidate.thing_name
    ids = ClientIds(services.authorities, services.clock)
    asked = row.client_id
    if candidate is not None and asked is not None and ids.refuses(candidate.ca, asked, candidate.connecting):
        found.notes.append(
            f"policy {candidate.ca.policy} does not let it connect by {asked!r}, the id of its first connect"
        )
    return list(_seen(Connections(lambda: aws.client("iot-data")), found, (row.client_id, thing)))


def _seen(
    connections: Connections, found: DeviceFindings, client_ids: tuple[str | None, ...]
) -> Iterator[dict[str, Any]]:
    for client_id in dict.fromkeys(each for each in client_ids if each is not None):
        try:
            connection = connections.find(client_id, with_source=True)
        except Undecided as failure:
            found.notes.append(f"whether {client_id!r} is connected is not known: {failure.message}")
            return
        except Exception as failure:  # noqa: BLE001 - an emulator answers what no model knows
            found.notes.append(f"whether {client_id!r} is connected is not known: {type(failure).__name__}")
            return
        if connection is not None:
            yield _described(connection)


def _described(connection: Connection) -> dict[str, Any]:
    since, ended = connection.connected_since, connection.disconnected_since
    return {
        "client_id": connection.client_id,
        "connected": connection.connected,
        "thing": connection.thing_name,
        "since": None if since is None else zulu(since),
        "source": connection.source,
        "ended_at": None if ended is None else zulu(ended),
        "ended_because": connection.disconnect_reason,
    }


def in_words(connection: dict[str, Any]) -> str:
    """Return one connection as a line for people."""
    thing = f" as Thing {connection['thing']}" if connection["thing"] else ""
    if connection["connected"]:
        source = f" from {connection['source']}" if connection["source"] else ""
        return f"client {connection['client_id']!r} is connected{thing} since {connection['since']}{source}"
    ended = f" since {connection['ended_at']}: {connection['ended_because']}" if connection["ended_at"] else ""
    return f"client {connection['client_id']!r} is not connected{ended}"
