"""A storm in expectations: cohorts of devices, queues of events, and a function that a quota holds back.

The same rules as those of bench/storm, which runs the real function, but counted by cohort and step in place of device
and event, so that ten million devices take seconds. What an event takes of a container's time is an assumption here and
a result there; a test compares the two.

Left out: that SQS keeps order only nearly, errors, and whatever else calls AWS IoT in the account.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

# Calls a second that AWS allows by default for what one activation calls once each (Service Quotas, AWS IoT Core).
AWS_QUOTAS: Mapping[str, float] = {"DescribeCertificate": 10, "UpdateCertificate": 10, "AttachPolicy": 15}
LOOK_UP = "DescribeCertificate"
# What is left of a quota that a margin takes up whole.
_LEAST_TPS = 0.01
# What one event takes of a container's time. Assumptions: the quota, not they, decides how long a storm lasts.
ACTIVATION_SECONDS = 0.5
FURTHER_SECONDS = 0.02
LOOK_UP_SECONDS = 0.15
# What one event asks of the state table.
ACTIVATION_REQUESTS = 8
FURTHER_REQUESTS = 2
# From the knock to the function: rules engine, queue, and the start of the invocation.
DELIVERY_SECONDS = 0.2
# Until containers have started, cold, and looked up what they keep.
START_SECONDS = 2.0
# A knock less than this before the activation is looked up in AWS IoT after all, because another batch is at
# work on the device just then; all others are answered by the activation (jitr.activation.knocks).
MARGIN_SECONDS = 2.0
_STEPS = 2500
_SHORTEST_STEP = 0.1
# Fewer devices than this, and than this part of them, are none.
_NOBODY, _NOBODY_OF = 0.5, 0.01


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What a deployment may use: AWS IoT's quotas less a margin (calls a second), its share of that, containers."""

    quotas: Mapping[str, float] = field(default_factory=lambda: AWS_QUOTAS)
    margin: float = 0.2
    share: float = 1.0
    containers: int = 10

    @property
    def per_second(self) -> float:
        """Return how many devices a second the share of the scarcest quota allows, one call of each for a device."""
        return max(_LEAST_TPS, min(self.quotas.values()) - self.margin) * self.share

    def step(self, devices: int, over: float) -> float:
        """Return the seconds of one step, so that a storm takes some thousand of them."""
        return max(_SHORTEST_STEP, max(over, devices / self.per_second) / _STEPS)


@dataclass
class Course:
    """How a storm goes: times in seconds, counts are expected ones.

    `active` is how many devices are ACTIVE at the end of each step. `peak_queue` counts events that wait,
    `longest_wait` the time one of them did. `drained_after` is when nothing waited any more, or would not. `busiest` is
    how many containers were at work at once at most, `dynamodb` the most requests to the state table in a second.
    """

    devices: int
    step: float
    active: list[float] = field(default_factory=list)
    pending: list[float] = field(default_factory=list)
    calls: dict[str, float] = field(default_factory=dict)
    events: float = 0.0
    throttled: float = 0.0
    peak_queue: float = 0.0
    longest_wait: float = 0.0
    drained_after: float = 0.0
    busiest: float = 0.0
    dynamodb: float = 0.0

    @property
    def enough(self) -> float:
        """Return how many expected devices are all of them."""
        return self.devices - min(_NOBODY, _NOBODY_OF * self.devices)

    def time_to(self, share: float) -> float:
        """Return when so large a share of the devices was ACTIVE; infinity where that was never seen."""
        wanted = min(share * self.devices, self.enough)
        return next((self.step * (n + 1) for n, count in enumerate(self.active) if count >= wanted), math.inf)

    def active_at(self, seconds: float) -> float:
        """Return how many devices were ACTIVE at a time that was already simulated, or by now."""
        steps = min(float(len(self.active)), max(0.0, seconds / self.step))
        whole = int(steps)
        before = self.active[whole - 1] if whole else 0.0
        after = self.active[min(whole, len(self.active) - 1)] if self.active else 0.0
        return before + (steps - whole) * (after - before)

    def count(self, activated: float, looked_up: float, further: float, quotas: Mapping[str, float]) -> None:
        """Count the calls of one step, and those beyond a quota, which AWS throttles and botocore repeats.

        `further` are the events that needed no call to AWS IoT.
        """
        requests = (activated + looked_up) * ACTIVATION_REQUESTS + further * FURTHER_REQUESTS
        self.dynamodb = max(self.dynamodb, requests / self.step)
        for api, quota in quotas.items():
            made = activated + (looked_up if api == LOOK_UP else 0.0)
            beyond = max(0.0, made - quota * self.step - 1)
            self.calls[api] = self.calls.get(api, 0.0) + made + beyond
            self.throttled += beyond
        self.active.append((self.active[-1] if self.active else 0.0) + activated)
