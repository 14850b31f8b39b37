"""How AWS throttles: one token bucket per API, for a whole account and Region."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# Calls a second that AWS allows by default (Service Quotas, AWS IoT Core); whatever is not named is not in the way.
AWS_DEFAULTS: Mapping[str, float] = {
    "DescribeCertificate": 10,
    "UpdateCertificate": 10,
    "AttachPolicy": 15,
    "CreatePolicy": 10,
    "GetPolicy": 10,
    "DescribeCACertificate": 10,
    "CreateThing": 100,
    "AttachThingPrincipal": 100,
}


@dataclass
class _Bucket:
    tokens: float
    filled_at: float = 0.0


@dataclass
class Quotas:
    """Answers whether a call is within its quota, and counts; a bucket holds what one second brings.

    `others` calls a second of each API are made by others in the account, evenly.
    """

    now: Callable[[], float]
    per_second: Mapping[str, float] = field(default_factory=lambda: AWS_DEFAULTS)
    others: float = 0.0
    made: Counter[str] = field(default_factory=Counter)
    throttled: Counter[str] = field(default_factory=Counter)
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def take(self, operation: str) -> bool:
        """Count a call, and say whether AWS answers it."""
        self.made[operation] += 1
        rate = self.per_second.get(operation)
        if rate is None or self._take(operation, rate):
            return True
        self.throttled[operation] += 1
        return False

    def _take(self, operation: str, rate: float) -> bool:
        now = self.now()
        bucket = self._buckets.setdefault(operation, _Bucket(rate, now))
        bucket.tokens = min(rate, bucket.tokens + (now - bucket.filled_at) * (rate - self.others))
        bucket.filled_at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
