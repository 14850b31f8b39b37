"""One MQTT connection that stays open while other things happen, to see what a connected device may do meanwhile."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from jitr_local.device.reference_device import ReferenceDevice

_TICK: Final = 0.1
_PATIENCE: Final = 10.0
# Nothing runs in the background, so nobody pings; AWS IoT allows 20 minutes.
_KEEP_ALIVE: Final = 600


class Published(StrEnum):
    """How publishing ended, as the device sees it."""

    PUBACK = "PUBACK"
    CLOSED = "closed"
    UNANSWERED = "no answer"
    # The connection had gone before; the topic was never tried.
    LOST = "connection lost before"


class HeldConnection:
    """An admitted connection; made by `held`."""

    def __init__(self, device: ReferenceDevice) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=device.client_id, reconnect_on_failure=False)
        self._client.tls_set_context(device.identity.tls_context(device.endpoint.server_ca))
        self._endpoint = device.endpoint
        self._admitted = False
        self._closed = False
        self._acknowledged: set[int] = set()
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish

    def open(self) -> None:
        """Connect and wait to be admitted; not being admitted shows at the first publish."""
        with contextlib.suppress(OSError):
            self._client.connect(self._endpoint.host, self._endpoint.port, _KEEP_ALIVE)
            self._wait_for(lambda: self._admitted)

    def publish(self, topic: str, payload: bytes = b"{}") -> Published:
        """Publish with QoS 1; where that is not allowed, AWS IoT closes the connection."""
        # What came meanwhile, a close among it, is still waiting to be read.
        self._client.loop(_TICK)
        if self._closed or not self._admitted:
            return Published.LOST
        sent = self._client.publish(topic, payload, qos=1)
        if self._wait_for(lambda: sent.mid in self._acknowledged):
            return Published.PUBACK
        return Published.CLOSED if self._closed else Published.UNANSWERED

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        # paho closes the socket when its disconnect packet is sent.
        self._client.loop(_TICK)

    def _wait_for(self, met: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + _PATIENCE
        while not met() and time.monotonic() < deadline:
            if self._client.loop(_TICK) != MQTTErrorCode.MQTT_ERR_SUCCESS or self._closed:
                self._closed = True
                break
        return met()

    def _on_connect(self, _c: Client, _u: object, _f: ConnectFlags, code: ReasonCode, _p: Properties | None) -> None:
        self._admitted = not code.is_failure

    def _on_publish(self, _c: Client, _u: object, mid: int, _code: ReasonCode, _p: Properties | None) -> None:
        self._acknowledged.add(mid)

    def _on_disconnect(
        self, _c: Client, _u: object, _f: DisconnectFlags, _r: ReasonCode, _p: Properties | None
    ) -> None:
        self._closed = True


@contextlib.contextmanager
def held(device: ReferenceDevice) -> Iterator[HeldConnection]:
    """Connect a device, which must be ACTIVE, and disconnect it afterwards."""
    connection = HeldConnection(device)
    try:
        connection.open()
        yield connection
    finally:
        connection.close()
