"""How devices arrive at AWS IoT, and how often one that waits knocks again: what a storm is made of.

Nothing here knows AWS; times are seconds, counts may be fractions, because they are expectations.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from jitr_fleet.storms.clients import Waits

# One TLS and MQTT connect up to the drop; an assumption, small against every wait.
CONNECT_SECONDS = 0.3
_SAMPLED_DEVICES = 2000
# From so many longest waits on, devices knock as evenly as they ever will.
_SAMPLED_WAITS = 6
_MANY = 50


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """First connects: all `devices` within `over` seconds, evenly, or with exponential gaps (`poisson`)."""

    devices: int
    over: float = 1.0
    poisson: bool = False

    def counts(self, step: float) -> Iterator[float]:
        """Yield how many devices come in each step of so many seconds, until all are there; the same every time."""
        random = Random(self.devices)  # noqa: S311 - a simulation that has to be repeatable
        expected, left = self.devices * step / self.over, float(self.devices)
        while left > 0:
            came = float(_poisson(expected, random)) if self.poisson else expected
            came = min(came, left)
            left = 0.0 if left - came < 1e-6 * self.devices else left - came
            yield came

    def share(self, seconds: float) -> float:
        """Return which share of the devices has come by then, on average."""
        return min(1.0, seconds / self.over)


def _poisson(mean: float, random: Random) -> int:
    if mean > _MANY:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, random.random()
    while product > limit:
        count, product = count + 1, product * random.random()
    return count


class Knocks:
    """How many further knocks a device has made after its first, on average, at an age in seconds.

    `waits` are those of its client; after 64 failures they no longer grow.
    """

    def __init__(self, waits: Waits) -> None:
        shortest, longest = waits.shortest(64), waits.longest(64)
        random = Random(1)  # noqa: S311 - a simulation that has to be repeatable
        self._end = _SAMPLED_WAITS * longest
        self.per_second = 1 / (CONNECT_SECONDS + (shortest + longest) / 2)
        self._ages = sorted(_ages(waits, random, self._end))

    def by(self, age: float) -> float:
        """Return how many further knocks a device has made by an age."""
        if age <= self._end:
            return bisect_right(self._ages, age) / _SAMPLED_DEVICES
        return len(self._ages) / _SAMPLED_DEVICES + (age - self._end) * self.per_second

    @property
    def steady_after(self) -> float:
        """Return the age from which on `by` grows by `per_second`."""
        return self._end


def _ages(waits: Waits, random: Random, end: float) -> Iterator[float]:
    for _ in range(_SAMPLED_DEVICES):
        age, failures = 0.0, 1
        while (age := age + CONNECT_SECONDS + random.uniform(waits.shortest(failures), waits.longest(failures))) <= end:
            yield age
            failures += 1
