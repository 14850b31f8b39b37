"""Listens to the registration events of the local stack, as an operator's `mosquitto_sub` would."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from jitr_local.stack.local_stack import Instance

TOPIC: Final = "$aws/events/certificates/registered/+"
_SUBSCRIBED_WITHIN: Final = 10.0


@dataclass(frozen=True)
class RegistrationEvents:
    """The events heard so far, oldest first; filled by the MQTT client's thread."""

    heard: list[dict[str, Any]] = field(default_factory=list)

    def of(self, certificate_id: str) -> list[dict[str, Any]]:
        """Return the events about one certificate."""
        return [event for event in list(self.heard) if event.get("certificateId") == certificate_id]


@contextlib.contextmanager
def listening(instance: Instance) -> Iterator[RegistrationEvents]:
    """Listen for as long as the block lasts; the local stack serves clients without a certificate.

    Raises TimeoutError if the subscription is not confirmed, OSError if there is no connection.
    """
    events = RegistrationEvents()
    subscribed = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, client_id="registration-events")
    client.tls_set(instance.server_ca)

    def on_message(_client: Client, _userdata: object, message: MQTTMessage) -> None:
        events.heard.append(json.loads(message.payload))

    def on_connect(*_: object) -> None:
        client.subscribe(TOPIC, qos=1)

    def on_subscribe(*_: object) -> None:
        subscribed.set()

    client.on_message = on_message
    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.connect(instance.mqtt_host, instance.mqtt_port)
    client.loop_start()
    try:
        if not subscribed.wait(_SUBSCRIBED_WITHIN):
            raise TimeoutError(f"no subscription to {TOPIC} within {_SUBSCRIBED_WITHIN:.0f} s")
        yield events
    finally:
        client.disconnect()
        client.loop_stop()
