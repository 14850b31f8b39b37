"""One MQTT connect over mutual TLS, from the first packet to its ending, with the ending told apart.

Built on paho-mqtt, driven by its `loop()`: no thread of its own, and the socket is closed whatever happens.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
import time
from dataclasses import dataclass
from enum import StrEnum

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from jitr_local.device.device_identity import WatchedSocket

_TICK = 0.2
_KEEP_ALIVE = 30


class WrongServerError(Exception):
    """The host does not exist or is not who it should be; trying again changes nothing."""


class Ending(StrEnum):
    """How one connect ended."""

    UNREACHABLE = "unreachable"
    HANDSHAKE_REFUSED = "handshake_refused"
    DROPPED = "dropped"
    # Cut off before the CONNACK: a firewall or a proxy, or a server that refuses without a word.
    RESET = "reset"
    REFUSED = "refused"
    UNACKNOWLEDGED = "unacknowledged"
    ADMITTED = "admitted"
    DELIVERED = "delivered"


@dataclass(frozen=True, kw_only=True)
class Message:
    """What the device publishes, with QoS 1."""

    topic: str
    payload: bytes


@dataclass(frozen=True, kw_only=True)
class Attempted:
    """An ending and, in words, what was seen of it."""

    ending: Ending
    detail: str


_RESET = Attempted(ending=Ending.RESET, detail="connection reset before CONNACK")


@dataclass
class _Seen:
    """What the callbacks noticed, in the order of the protocol."""

    connack: ReasonCode | None = None
    acknowledged: bool = False
    disconnected: bool = False
    socket: object = None

    @property
    def failure(self) -> OSError | None:
        """Return what ended the connection, where it was no orderly close."""
        return self.socket.failure if isinstance(self.socket, WatchedSocket) else None


@dataclass(frozen=True, kw_only=True)
class MqttAttempt:
    """One connect; `patience` in seconds bounds name lookup, TCP and TLS each, and then MQTT as a whole."""

    host: str
    port: int
    context: ssl.SSLContext
    client_id: str
    patience: float

    def run(self, message: Message | None) -> Attempted:
        """Connect, publish if there is a message, disconnect; raises WrongServerError."""
        seen = _Seen()
        client = self._client(seen)
        try:
            failed = self._connect(client)
            seen.socket = client.socket()
            return failed or self._converse(client, seen, message)
        finally:
            client.disconnect()
            # paho closes the socket when its disconnect packet is sent; a connection lost before is closed already.
            client.loop(_TICK)

    def _client(self, seen: _Seen) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=self.client_id, reconnect_on_failure=False)
        client.tls_set_context(self.context)
        client.connect_timeout = self.patience

        def on_connect(_c: Client, _u: object, _f: ConnectFlags, code: ReasonCode, _p: Properties | None) -> None:
            seen.connack = code

        def on_publish(_c: Client, _u: object, _mid: int, _code: ReasonCode, _p: Properties | None) -> None:
            seen.acknowledged = True

        def on_disconnect(_c: Client, _u: object, _f: DisconnectFlags, _r: ReasonCode, _p: Properties | None) -> None:
            seen.disconnected = True

        client.on_connect = on_connect
        client.on_publish = on_publish
        client.on_disconnect = on_disconnect
        return client

    def _connect(self, client: Client) -> Attempted | None:
        """Open TCP and TLS; return how that failed, or None."""
        try:
            client.connect(self.host, self.port, _KEEP_ALIVE)
        except ssl.SSLCertVerificationError as error:
            raise WrongServerError(
                f"{self.host}:{self.port} is not who it should be: {error.verify_message}"
            ) from error
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                return Attempted(ending=Ending.UNREACHABLE, detail="name lookup failed for now")
            raise WrongServerError(f"{self.host}: no such host ({error.strerror})") from error
        except ssl.SSLError as error:
            return Attempted(ending=Ending.HANDSHAKE_REFUSED, detail=_alert(error.reason or str(error)))
        except TimeoutError:
            return Attempted(ending=Ending.UNREACHABLE, detail=f"no answer within {self.patience:.0f} s")
        except ConnectionResetError:
            return _RESET
        except OSError as error:
            words = "connection refused" if error.errno == errno.ECONNREFUSED else str(error)
            return Attempted(ending=Ending.UNREACHABLE, detail=words)
        return None

    def _converse(self, client: Client, seen: _Seen, message: Message | None) -> Attempted:
        deadline = time.monotonic() + self.patience
        sent = False
        while time.monotonic() < deadline:
            code = client.loop(_TICK)
            if seen.connack is not None and seen.connack.is_failure:
                return Attempted(ending=Ending.REFUSED, detail=f"CONNACK: {seen.connack}")
            if seen.connack is not None and message is None:
                return Attempted(ending=Ending.ADMITTED, detail="CONNACK 0")
            if seen.acknowledged:
                return Attempted(ending=Ending.DELIVERED, detail="CONNACK 0, PUBACK")
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or seen.disconnected:
                return _lost(seen)
            if seen.connack is not None and message is not None and not sent:
                client.publish(message.topic, message.payload, qos=1)
                sent = True
        if seen.connack is None:
            return Attempted(ending=Ending.DROPPED, detail=f"no CONNACK within {self.patience:.0f} s")
        return Attempted(ending=Ending.UNACKNOWLEDGED, detail=f"CONNACK 0, no PUBACK within {self.patience:.0f} s")


def _lost(seen: _Seen) -> Attempted:
    """Say how a connection was lost: under TLS 1.3 a refused certificate shows no sooner than here."""
    if seen.connack is not None:
        return Attempted(ending=Ending.UNACKNOWLEDGED, detail="CONNACK 0, closed before the PUBACK")
    match seen.failure:
        case ssl.SSLError(reason=str(reason)) if "ALERT" in reason:
            return Attempted(ending=Ending.HANDSHAKE_REFUSED, detail=_alert(reason))
        case ConnectionResetError() | BrokenPipeError():
            return _RESET
    return Attempted(ending=Ending.DROPPED, detail="closed without CONNACK")


def _alert(text: str) -> str:
    """Return an alert's name out of OpenSSL's code, as `TLSV1_ALERT_UNKNOWN_CA`.

    The same for all versions of TLS: OpenSSL's prefix says in which one an alert was defined, not which is spoken.
    """
    return f"TLS: {re.sub(r'^(tlsv1|tlsv13|sslv3) (?=alert )', '', text.replace('_', ' ').lower())}"
