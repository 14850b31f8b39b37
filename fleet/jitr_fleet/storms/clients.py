"""How long MQTT clients wait before they connect again, as measured: what a fleet of them makes of a storm.

Measured against a server that acts as AWS IoT does at the first connect (docs/device-clients.md). Clients that do not
come back by themselves are not here: their programs' own loops decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_MOST_DOUBLINGS: Final = 64


@dataclass(frozen=True, kw_only=True)
class Waits:
    """A client's waits in seconds, by failures in a row counted from 1: anything between the two alike."""

    shortest: Callable[[int], float]
    longest: Callable[[int], float]

    def times(self, factor: float) -> Waits:
        """Return waits so many times as long."""
        return Waits(
            shortest=lambda failures: factor * self.shortest(failures),
            longest=lambda failures: factor * self.longest(failures),
        )


def constant(seconds: float) -> Waits:
    """Return waits that are all the same."""
    return Waits(shortest=lambda _: seconds, longest=lambda _: seconds)


def full_jitter(longest: Callable[[int], float]) -> Waits:
    """Return waits anywhere between nothing and a limit."""
    return Waits(shortest=lambda _: 0.0, longest=longest)


def doubling(first: float, cap: float, *, jittered: bool) -> Waits:
    """Return waits that double from `first` to `cap`, exactly or with full jitter."""

    def longest(failures: int) -> float:
        return float(min(cap, first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)))

    return full_jitter(longest) if jittered else Waits(shortest=longest, longest=longest)


# What each does unless it is set otherwise.
CLIENTS: Final[Mapping[str, Waits]] = MappingProxyType(
    {
        "mosquitto": constant(1.0),
        "paho": doubling(1.0, 120.0, jittered=False),
        "mqttjs": constant(1.0),
        "awscrt5": doubling(1.0, 120.0, jittered=True),
        "gmqtt": constant(6.0),
    }
)
