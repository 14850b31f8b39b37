"""What a storm will be like for one deployment: the course of it, what would shorten it, and what to beware of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from jitr_fleet.deployments.concurrency import SECONDS_PER_ACTIVATION, concurrency_for, queue_concurrency_for
from jitr_fleet.deployments.deployment import Deployment, Ingestion
from jitr_fleet.storms.arrivals import Arrival, Knocks
from jitr_fleet.storms.clients import Waits
from jitr_fleet.storms.direct import direct_storm
from jitr_fleet.storms.model import AWS_QUOTAS, Capacity, Course
from jitr_fleet.storms.queue import queue_storm

_DAY = 86400.0
# How many certificates AWS IoT registers by itself in a second, by default; a figure of 2019, nothing newer was found.
REGISTRATIONS_PER_SECOND = 15
# How long an event is kept (docs/ingestion.md).
KEPT_SECONDS: Mapping[Ingestion, float] = {Ingestion.QUEUE: 14 * _DAY, Ingestion.DIRECT: 6 * 3600.0}
_LOWEST = min(AWS_QUOTAS.values())
# More than so many knocks for each device, and the devices are the load.
_MANY_KNOCKS = 20
_SLOWER = 10
_WORTH_SAYING = 1.1
_START_SECONDS = 10.0
_LONG_DRAIN = 600.0
# What a new on-demand table takes in writes at once (DynamoDB developer guide, "On-demand capacity mode").
DYNAMODB_PER_SECOND = 4000


@dataclass(frozen=True, kw_only=True)
class StormQuestion:
    """The question.

    `quota` is the lowest of the three in calls a second, `margin` what others are left of it, `share` the percent of
    the rest that activation has: all that may be lent to it while enforcement and bulk work need nothing. `waits` is
    how long devices wait between two connects; `containers` None: as many as the stack takes by itself.
    """

    arrival: Arrival
    waits: Waits
    ingestion: Ingestion = Ingestion.QUEUE
    quota: int = 10
    margin: float = 0.2
    share: int = 100
    containers: int | None = None

    @property
    def capacity(self) -> Capacity:
        """Return what the deployment may use; a quota that was raised is so for all three calls alike."""
        chosen = self.containers
        if chosen is None:
            if self.ingestion is Ingestion.QUEUE:
                chosen = queue_concurrency_for((self.quota - self.margin) * self.share / 100)
            else:
                chosen = concurrency_for(self.quota, min(self.share, Deployment.activation_share))
        # Where only the lowest was told, AttachPolicy has at least AWS's default.
        quotas = {api: max(self.quota, own if own > _LOWEST else 0) for api, own in AWS_QUOTAS.items()}
        share = self.share / 100
        if self.ingestion is Ingestion.DIRECT:
            # As many as run at once, each for half a second, whatever may be lent to them.
            share = min(share, chosen / SECONDS_PER_ACTIVATION / max(1e-9, self.quota - self.margin))
        return Capacity(quotas=quotas, margin=self.margin, share=share, containers=chosen)

    def course(self) -> Course:
        """Return how the storm goes."""
        storm = queue_storm if self.ingestion is Ingestion.QUEUE else direct_storm
        return storm(self.arrival, Knocks(self.waits), self.capacity)


@dataclass(frozen=True, kw_only=True)
class StormPlan:
    """The answer.

    `least` is the seconds that quota and arrival allow at best; `raise_first` are the quotas to raise, the scarcest
    first (none where that brings little), `raised` the seconds that it would then take; `slower_knocks` is how often
    devices would knock if they waited ten times as long at most.
    """

    request: StormQuestion
    course: Course
    least: float
    raise_first: Mapping[str, int]
    raised: float
    slower_knocks: float
    warnings: tuple[str, ...]

    @property
    def throttled_share(self) -> float:
        """Return which share of the calls AWS throttles."""
        return self.course.throttled / max(1.0, sum(self.course.calls.values()))

    @property
    def empty_after(self) -> float:
        """Return when nothing waits any more: worked off, or dropped because it is as old as events may get."""
        course = self.course
        return min(course.drained_after, course.time_to(1.0) + KEPT_SECONDS[self.request.ingestion])

    @property
    def complete(self) -> bool:
        """Return whether all devices become ACTIVE in a time that was simulated."""
        return math.isfinite(self.course.time_to(1.0))


def make_plan(request: StormQuestion) -> StormPlan:
    """Answer a request: two or three simulations, seconds at ten million devices."""
    course = request.course()
    raised = replace(request, quota=2 * request.quota, containers=_twice(request.containers)).course().time_to(1.0)
    slower = replace(request, waits=request.waits.times(_SLOWER)).course()
    capacity = request.capacity
    helps = raised < course.time_to(1.0) / _WORTH_SAYING
    # The scarcest first: raising another one alone would bring nothing.
    scarcest = sorted(capacity.quotas.items(), key=lambda item: item[1])
    plan = StormPlan(
        request=request,
        course=course,
        # Arrivals by chance may all be there sooner than is to be expected.
        least=min(max(request.arrival.over, request.arrival.devices / capacity.per_second), course.time_to(1.0)),
        raise_first={api: 2 * request.quota for api, quota in scarcest if helps and quota < 2 * request.quota},
        raised=raised,
        slower_knocks=slower.events,
        warnings=(),
    )
    return replace(plan, warnings=tuple(_warnings(plan)))


def _twice(containers: int | None) -> int | None:
    return None if containers is None else 2 * containers


def _warnings(plan: StormPlan) -> Iterator[str]:
    """Yield what to beware of, each with what to do about it."""
    yield from _about_time(plan)
    yield from _about_knocks(plan)
    yield from _about_other_limits(plan)


def _about_time(plan: StormPlan) -> Iterator[str]:
    kept = KEPT_SECONDS[plan.request.ingestion]
    last = plan.course.time_to(1.0)
    if not plan.complete:
        yield "not all devices became ACTIVE in the time simulated: raise the quota, or let devices wait longer"
    if plan.course.longest_wait > kept:
        yield (
            f"events wait longer than the {_days(kept)} they are kept: a device that has gone quiet by then stays "
            "PENDING_ACTIVATION until it connects again"
        )
    if plan.complete and last > plan.least * _WORTH_SAYING + _START_SECONDS:
        yield (
            f"knocks of waiting devices take {1 - plan.least / last:.0%} of the time: they are looked up, or stand in "
            "the way of devices that come later"
        )


def _about_knocks(plan: StormPlan) -> Iterator[str]:
    course, devices, last = plan.course, plan.request.arrival.devices, plan.course.time_to(1.0)
    if course.events > _MANY_KNOCKS * devices:
        yield (
            f"each device connects {course.events / devices:,.0f} times before it gets in; with waits ten times as "
            f"long it would be {plan.slower_knocks / devices:,.0f} times: the devices' back-off decides what is billed"
        )
    full = plan.empty_after - last
    if plan.complete and full > max(_LONG_DRAIN, last * (_WORTH_SAYING - 1)):
        yield (
            f"answered knocks wait for another {full / 3600:,.1f} hours after the last activation, and a device that "
            "comes then waits behind them: let devices wait longer, or allow more containers"
        )
    if plan.request.ingestion is Ingestion.DIRECT and course.drained_after > KEPT_SECONDS[Ingestion.DIRECT]:
        yield (
            "events that Lambda could not hand over within six hours become dead letters, answered knocks too: take "
            'ingestion = "queue"'
        )


def _about_other_limits(plan: StormPlan) -> Iterator[str]:
    if plan.request.capacity.per_second > REGISTRATIONS_PER_SECOND:
        yield (
            f"AWS IoT registers {REGISTRATIONS_PER_SECOND} new certificates a second unless that quota is raised too "
            "(a figure of 2019: look at yours), so devices come in no faster"
        )
    if plan.course.dynamodb > DYNAMODB_PER_SECOND:
        yield (
            f"up to {plan.course.dynamodb:,.0f} requests a second to DynamoDB, where a new on-demand table begins with "
            f"{DYNAMODB_PER_SECOND:,} writes and three times as many reads"
        )


def _days(seconds: float) -> str:
    days = seconds / _DAY
    return f"{days:.0f} days" if days > 1 else f"{seconds / 3600:.0f} hours"
