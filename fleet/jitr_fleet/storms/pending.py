"""Devices that wait for their activation, by age, because the young ones knock more often."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from jitr_fleet.storms import model
from jitr_fleet.storms.arrivals import Knocks

# Below this, numbers are multiplied out, so that none of them loses its digits.
_SMALLEST_SCALE = 1e-6


@dataclass
class PendingDevices:
    """Cohorts in the order in which they came; those past all doubling of their waits are one number.

    A cohort is how many devices it has, as a multiple of `_scale`, and how many steps old it is.
    """

    knocks: Knocks
    step: float
    _old: float = 0.0
    _young: deque[list[float]] = field(default_factory=deque)
    _scaled: float = 0.0
    _scale: float = 1.0
    _by_age: list[float] = field(default_factory=list)

    @property
    def count(self) -> float:
        """Return how many devices wait."""
        return max(0.0, (self._old + self._scaled) * self._scale)

    def come(self, count: float) -> float:
        """Add devices that connected for the first time; returns how often they knock again before anyone can act."""
        if not count:
            return 0.0
        self._young.append([count / self._scale, 0])
        self._scaled += count / self._scale
        return count * self._knocked(0)

    def pass_time(self) -> float:
        """Let one step pass; returns how many knocks it brings."""
        made = self._old * self.knocks.per_second * self.step
        for cohort in self._young:
            age = int(cohort[1])
            cohort[1] = age + 1
            made += cohort[0] * (self._knocked(age + 1) - self._knocked(age))
        while self._young and self._young[0][1] * self.step >= self.knocks.steady_after:
            grown = self._young.popleft()[0]
            self._old, self._scaled = self._old + grown, self._scaled - grown
        return made * self._scale

    def activate(self, count: float) -> None:
        """Take away those that came first."""
        count /= self._scale
        taken = min(count, self._old)
        self._old -= taken
        count -= taken
        while self._young and count > 0:
            taken = min(count, self._young[0][0])
            self._young[0][0] -= taken
            self._scaled, count = self._scaled - taken, count - taken
            if self._young[0][0] <= 0:
                self._young.popleft()

    def thin_out(self, share: float) -> None:
        """Take away a share of them, whenever they came."""
        self._scale *= 1 - share
        if self._scale < _SMALLEST_SCALE:
            self._old *= self._scale
            for cohort in self._young:
                cohort[0] *= self._scale
            self._scaled, self._scale = sum(cohort[0] for cohort in self._young), 1.0

    def _knocked(self, steps: int) -> float:
        """Return how often a device has knocked by so many steps after the first moment at which it may be served."""
        while len(self._by_age) <= steps:
            age = model.DELIVERY_SECONDS + model.ACTIVATION_SECONDS + len(self._by_age) * self.step
            self._by_age.append(self.knocks.by(age))
        return self._by_age[steps]
