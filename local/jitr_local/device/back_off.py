"""How long a device waits before it connects again: capped exponential back-off with full jitter.

After a power cut a whole fleet knocks at once. Doubling spreads the attempts over time and jitter spreads the devices
over each wait (AWS Builders' Library, "Timeouts, retries, and backoff with jitter").
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, kw_only=True)
class BackOff:
    """Waits in seconds: the first is at most `base`, each next limit twice as long, none beyond `cap`.

    Raises ValueError unless 0 < base <= cap.
    """

    base: float = 2.0
    cap: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.base <= self.cap:
            raise ValueError(f"back-off needs 0 < base <= cap, got base {self.base} and cap {self.cap}")

    def limit(self, failures: int) -> float:
        """Return the longest wait after that many failed attempts in a row, counted from 1."""
        # The exponent is bounded, because 2.0 ** 1024 overflows; no cap in seconds needs more than 64 doublings.
        return min(self.cap, self.base * 2.0 ** min(failures - 1, 64))

    def delay(self, failures: int, random: Random) -> float:
        """Return the wait after that many failed attempts in a row: anything between 0 and the limit alike."""
        return random.uniform(0, self.limit(failures))
