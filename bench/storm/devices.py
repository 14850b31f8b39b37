"""A fleet that connects for the first time: each device knocks, is dropped, and comes back as the reference device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any

from bench.storm.aws import Aws
from jitr_local.device.back_off import BackOff
from jitr_local.pki import CertificateAuthority, Device, new_key

# One TLS and MQTT connect up to the drop, and the way of an event through the rules engine; assumptions.
CONNECT_SECONDS = 0.3
RULE_SECONDS = 0.1


@lru_cache(maxsize=4)
def factory(count: int, name: str = "device") -> tuple[CertificateAuthority, tuple[Device, ...]]:
    """Return a CA and its devices; all have one key, which nothing here looks at, so that they are made quickly."""
    ca, key = CertificateAuthority.create(), new_key("P-256")
    return ca, tuple(ca.issue(f"{name}-{n}", key=key) for n in range(count))


@dataclass
class Devices:
    """All devices of a storm; `publish` takes the events, `epoch` is the time of day in seconds.

    `knocks` bounds how often each one tries: then it gives up, and only its events are left to bring it in.
    """

    aws: Aws
    ca: CertificateAuthority
    devices: tuple[Device, ...]
    random: Random
    publish: Callable[[Mapping[str, Any]], None]
    epoch: Callable[[], float]
    back_off: BackOff = field(default_factory=lambda: BackOff(floor=0.0))
    knocks: int | None = None
    events: int = 0
    first_at: dict[str, float] = field(default_factory=dict)
    done: int = 0

    @property
    def settled(self) -> bool:
        """Say whether no device knocks any more: connected, or given up."""
        return self.done == len(self.devices)

    def begin(self, *, over_seconds: float) -> None:
        """Let every device connect for the first time, evenly spread over so many seconds."""
        for device in self.devices:
            identity = device.certificate_id
            self.aws.time.after(
                self.random.uniform(0, over_seconds),
                lambda device=device, identity=identity: self._knock(device, identity, 1),  # type: ignore[misc]
            )

    def _knock(self, device: Device, identity: str, attempt: int) -> None:
        time = self.aws.time
        self.first_at.setdefault(identity, time.now)
        known = self.aws.iot.certificates.get(identity)
        if known is not None and known.status == "ACTIVE":
            self.done += 1
            return
        event = self.aws.iot.connect(device, self.ca) | {"timestamp": round(self.epoch() * 1000)}
        if known is not None:
            event["certificateRegistrationTimestamp"] = str(round((self.epoch() - time.now) * 1000))
        self.events += 1
        time.after(RULE_SECONDS, lambda: self.publish(event))
        if self.knocks is None or attempt < self.knocks:
            wait = CONNECT_SECONDS + self.back_off.delay(attempt, self.random)
            time.after(wait, lambda: self._knock(device, identity, attempt + 1))
        else:
            self.done += 1
