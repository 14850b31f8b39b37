"""MQTT connections in AWS IoT, by client id: looked up, and ended. The only module that calls iot-data.

Source: iot-data's model (GetConnection since botocore 1.43.17, DeleteConnection since 1.40.6); AWS IoT developer guide,
"Managing MQTT connections".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from jitr.aws.failures import aws_call


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A client as AWS IoT knows it; what ended its last connection is known for half an hour.

    `thing_name` is the Thing of the certificate that it connected with, None where that has none. `source` is an IP
    address and a port, None unless it was asked for.
    """

    client_id: str
    connected: bool
    thing_name: str | None = None
    connected_since: datetime | None = None
    disconnected_since: datetime | None = None
    disconnect_reason: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Connections:
    """The connections of one account and Region; the client is made when it is needed first."""

    connect: Callable[[], Any]

    @cached_property
    def client(self) -> Any:  # noqa: ANN401 - boto3's client for iot-data
        """The client: no activation needs one before a device is switched off."""
        return self.connect()

    def find(self, client_id: str, *, with_source: bool = False) -> Connection | None:
        """Return what is known of a client, None for one that AWS IoT does not know; raises Undecided."""
        more = {"includeSocketInformation": True} if with_source else {}
        with aws_call("GetConnection"):
            try:
                found = self.client.get_connection(clientId=client_id, **more)
            except self.client.exceptions.ResourceNotFoundException:
                return None
        source = found.get("sourceIp")
        return Connection(
            client_id=client_id,
            connected=found.get("connected", False),
            thing_name=found.get("thingName") or None,
            connected_since=_time(found.get("connectedSince")),
            disconnected_since=_time(found.get("disconnectedSince")),
            disconnect_reason=found.get("disconnectReason"),
            source=None if source is None else f"{source} port {found.get('sourcePort')}",
        )

    def end(self, client_id: str) -> bool:
        """End a client's connection; returns False where there is none any more. Raises Undecided.

        Never with cleanSession or preventWillMessage: a persistent session, what waits in it and the last will are what
        they would be had the network failed.
        """
        with aws_call("DeleteConnection"):
            try:
                self.client.delete_connection(clientId=client_id)
            except self.client.exceptions.ResourceNotFoundException:
                return False
        return True


def _time(milliseconds: int | None) -> datetime | None:
    return None if not milliseconds else datetime.fromtimestamp(milliseconds / 1000, UTC)
