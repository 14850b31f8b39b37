"""How long a device waits before it connects again: capped exponential back-off with jitter, above a floor.

After a power cut a whole fleet knocks at once. Doubling spreads the attempts over time and jitter spreads the devices
over each wait (AWS Builders' Library, "Timeouts, retries, and backoff with jitter"). The floor is AWS IoT's: it
takes one CONNECT a second from a client id (AWS IoT Core quotas, "Connect requests per second per client ID"), and a
device that is not ACTIVE yet gains nothing by asking more often than every ten seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from jitr_fleet.storms.clients import Waits


@dataclass(frozen=True, kw_only=True)
class BackOff:
    """Waits in seconds: the first limit is `base`, each next one twice as long, none beyond `cap` or below `floor`.

    No limit is below twice the floor either, unless the cap is, so that there is jitter from the first wait on. Raises
    ValueError unless 0 < base <= cap and 0 <= floor <= cap.
    """

    base: float = 2.0
    cap: float = 60.0
    floor: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.base <= self.cap:
            raise ValueError(f"back-off needs 0 < base <= cap, got base {self.base} and cap {self.cap}")
        if not 0 <= self.floor <= self.cap:
            raise ValueError(f"back-off needs 0 <= floor <= cap, got floor {self.floor} and cap {self.cap}")

    def limit(self, failures: int) -> float:
        """Return the longest wait after that many failed attempts in a row, counted from 1."""
        # The exponent is bounded, because 2.0 ** 1024 overflows; no cap in seconds needs more than 64 doublings.
        return min(self.cap, max(2 * self.floor, self.base * 2.0 ** min(failures - 1, 64)))

    @property
    def waits(self) -> Waits:
        """Return the waits as a storm's plan takes them."""
        return Waits(shortest=lambda _: self.floor, longest=self.limit)

    def delay(self, failures: int, random: Random) -> float:
        """Return the wait after that many failed attempts in a row: anything between floor and limit alike."""
        return random.uniform(self.floor, self.limit(failures))
