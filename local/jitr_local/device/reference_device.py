"""The reference device: connects as AWS IoT wants it, expects the drop at its first connect, and comes back.

It sends leaf and CA certificate and the server name (SNI), and verifies the server. A first connect registers the
certificate and is closed without an answer; the device backs off, reconnects, publishes with QoS 1 and waits for the
acknowledgement. Works against AWS IoT Core and the local stack alike. Nothing runs in the background.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random, SystemRandom

from jitr_local.device.back_off import BackOff
from jitr_local.device.device_identity import DeviceIdentity
from jitr_local.device.mqtt_attempt import Attempted, Ending, Message, MqttAttempt

# Kept for the last connect of a run; in a short run a tenth of it.
_LAST_CONNECT_SECONDS = 5.0
_SHORTEST_PATIENCE = 1.0


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The MQTT server: `host` is dialled and sent as SNI; `server_ca` is a PEM file with the CAs trusted for it."""

    host: str
    port: int = 8883
    server_ca: Path


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One connect as the device saw it; times in seconds, `wait` is None after the last one."""

    number: int
    started: float
    seconds: float
    ending: Ending
    detail: str
    wait: float | None


Observer = Callable[[Attempt], None]


class RunResult(StrEnum):
    """How a device's run ended."""

    DELIVERED = "delivered"
    ADMITTED = "admitted"
    UNACKNOWLEDGED = "unacknowledged"
    NOT_ADMITTED = "not_admitted"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, kw_only=True)
class DeviceReport:
    """Everything that a run saw.

    `delivered` means an acknowledged message, `admitted` that there was none to send; `unacknowledged` devices got in,
    but were disconnected or left waiting when they published, as AWS IoT does where the policy allows no such topic.
    """

    client_id: str
    result: RunResult
    attempts: tuple[Attempt, ...]
    seconds: float

    @property
    def done(self) -> bool:
        """Return whether the device got in and, if it had a message, got it acknowledged."""
        return self.result in (RunResult.DELIVERED, RunResult.ADMITTED)


@dataclass(frozen=True, kw_only=True)
class ReferenceDevice:
    """One device. `random`, `sleep`, `clock` and `attempt` are for tests; `patience` is what one connect may take."""

    identity: DeviceIdentity
    endpoint: Endpoint
    client_id: str
    back_off: BackOff = field(default_factory=BackOff)
    patience: float = 10.0
    random: Random = field(default_factory=SystemRandom)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    attempt: type[MqttAttempt] = MqttAttempt

    def run(
        self, message: Message | None = None, *, timeout: float = 120.0, observe: Observer = lambda _: None
    ) -> DeviceReport:
        """Connect, and again after each failure, until admitted (and the message acknowledged) or `timeout` seconds.

        The last connect begins five seconds before that, or a tenth of a time-out under fifty.

        Raises UnusableFileError for files TLS cannot use, and mqtt_attempt.WrongServerError when the host does not
        exist or shows another certificate: waiting does not mend either.
        """
        context = self.identity.tls_context(self.endpoint.server_ca)
        begin = self.clock()
        attempts: list[Attempt] = []
        while True:
            started = self.clock() - begin
            connect = self.attempt(
                host=self.endpoint.host,
                port=self.endpoint.port,
                context=context,
                client_id=self.client_id,
                patience=min(self.patience, max(_SHORTEST_PATIENCE, timeout - started)),
            )
            seen = connect.run(message)
            attempt = self._seen(len(attempts) + 1, started, self.clock() - begin, seen, timeout)
            attempts.append(attempt)
            observe(attempt)
            if attempt.wait is None:
                return DeviceReport(
                    client_id=self.client_id,
                    result=_result(attempts, message),
                    attempts=tuple(attempts),
                    seconds=self.clock() - begin,
                )
            self.sleep(attempt.wait)

    def _seen(self, number: int, started: float, ended: float, seen: Attempted, timeout: float) -> Attempt:
        # The last wait is shortened, so that what happened shortly before the end is seen too.
        left = timeout - min(_LAST_CONNECT_SECONDS, timeout / 10) - ended
        wait: float | None = min(self.back_off.delay(number, self.random), left)
        if seen.ending in (Ending.ADMITTED, Ending.DELIVERED) or left <= 0:
            wait = None
        return Attempt(
            number=number,
            started=started,
            seconds=ended - started,
            ending=seen.ending,
            detail=seen.detail,
            wait=wait,
        )


def _result(attempts: list[Attempt], message: Message | None) -> RunResult:
    match attempts[-1].ending:
        case Ending.DELIVERED:
            return RunResult.DELIVERED
        case Ending.ADMITTED if message is None:
            return RunResult.ADMITTED
        case Ending.UNACKNOWLEDGED:
            return RunResult.UNACKNOWLEDGED
    if all(attempt.ending is Ending.UNREACHABLE for attempt in attempts):
        return RunResult.UNREACHABLE
    return RunResult.NOT_ADMITTED
