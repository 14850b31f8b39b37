"""How many requests went to AWS IoT, and how many it throttled: those too that botocore repeated with success."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jitr.aws.failures import is_throttle

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Requests since the last look; `throttled` counts those that AWS IoT refused as too many, by operation."""

    requests: int
    throttled: Mapping[str, int]


@dataclass
class CallCounts:
    """Counts on a client's behalf, one dictionary look-up for each answer; not for several threads at once."""

    requests: int = 0
    throttled: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, client: IoTClient) -> CallCounts:
        """Count what a client asks from now on.

        `response-received` is botocore's event for each attempt, with its parsed answer (botocore/endpoint.py).
        """
        counts = cls()
        client.meta.events.register("response-received.iot", counts.answered)
        return counts

    def answered(self, *, event_name: str, parsed_response: Mapping[str, Any] | None, **_: object) -> None:
        """Count one attempt; one without an answer has no response."""
        self.requests += 1
        code = ((parsed_response or {}).get("Error") or {}).get("Code", "")
        if is_throttle(code):
            self.throttled[event_name.rpartition(".")[2]] += 1

    def take(self) -> Spent:
        """Return the counts since the last look, and begin again."""
        spent = Spent(requests=self.requests, throttled=dict(self.throttled))
        self.requests = 0
        self.throttled.clear()
        return spent
