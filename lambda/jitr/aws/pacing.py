"""Spreading calls over time, so that one part of the system leaves the others their share of AWS's quotas."""

from __future__ import annotations

from collections.abc import Callable


def unpaced() -> None:
    """Wait for nothing: for callers whose number is limited by other means."""


class Pace:
    """Lets a call through every `1 / per_second` seconds; the first one at once, and none is saved up for later."""

    def __init__(self, per_second: float, *, now: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._interval = 1 / per_second
        self._now = now
        self._sleep = sleep
        self._next = float("-inf")

    def __call__(self) -> None:
        """Wait for the next turn."""
        now = self._now()
        if now < self._next:
            self._sleep(self._next - now)
            now = self._next
        self._next = now + self._interval
