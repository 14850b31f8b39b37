"""What one storm came to."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


class Outcomes(logging.Handler):
    """Counts what the function logs, by outcome and reason, in place of printing it."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: Counter[tuple[str, str | None]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one line."""
        fields = record.__dict__
        self.counted[str(fields.get("outcome")), fields.get("reason")] += 1


@dataclass(frozen=True, kw_only=True)
class Storm:
    """The figures of one run; times in virtual seconds, that is the time it would have taken on AWS.

    `bound` is how many devices a second the quota allows: the scarcest API less the margin, through the calls that one
    activation makes of it. `unneeded` is how many of the further events of a device were decided without a
    DescribeCertificate, as a share of them. `revocations` are the times at which enforcement switched a device off,
    `others` how many calls a second somebody else made.
    """

    who: str
    mode: str
    devices: int
    over_seconds: float
    activated: int
    lost: int
    dead_letters: int
    seconds: float
    drained_after: float
    calls: Counter[str]
    throttled: int
    events: int
    finished: int
    described: int
    waits: Sequence[float]
    peak_queue: int
    bound: float
    quota_bound: float
    outcomes: Counter[tuple[str, str | None]]
    computed_seconds: float
    revocations: Sequence[float] = ()
    others: float = 0.0

    @property
    def revoked_per_second(self) -> float:
        """Return how many devices a second enforcement switched off while it was at it."""
        return len(self.revocations) / max(self.revocations) if self.revocations else 0.0

    @property
    def per_second(self) -> float:
        """Return how many devices became ACTIVE a second, up to the last one."""
        return self.activated / self.seconds if self.seconds else 0.0

    @property
    def share_of_bound(self) -> float:
        """Return the rate as a share of what the quota allows, less the margin."""
        return self.per_second / self.bound

    @property
    def calls_per_device(self) -> float:
        """Return AWS IoT calls for each device that became ACTIVE, throttled ones included."""
        return sum(self.calls.values()) / max(1, self.activated)

    @property
    def throttled_share(self) -> float:
        """Return which share of the AWS IoT calls was throttled."""
        return self.throttled / max(1, sum(self.calls.values()))

    @property
    def unneeded(self) -> float:
        """Return which share of the events that were not a device's first cost no DescribeCertificate."""
        further = self.finished - self.activated
        return 1.0 if further <= 0 else max(0.0, 1 - max(0, self.described - self.activated) / further)

    def wait(self, percent: float) -> float:
        """Return the time from first connect to ACTIVE that so many percent of the activated devices stayed below."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")
