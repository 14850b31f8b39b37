"""A storm with `ingestion = "direct"`: a model of Lambda's asynchronous queue, whose order AWS does not tell.

What finds no free container comes back after 1 s, 2 s, … 5 minutes (Lambda developer guide, "Error handling for
asynchronous invocation"), so whichever event comes back at the right moment is served: in no order at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from jitr_fleet.storms import model
from jitr_fleet.storms.arrivals import Arrival, Knocks
from jitr_fleet.storms.model import Capacity, Course
from jitr_fleet.storms.pending import PendingDevices

_LONGEST_RETRY_SECONDS = 300.0
# The model's jitter, as in bench/storm: a retry comes after half of its time to all of it.
_SPREAD = (0.5625, 0.6875, 0.8125, 0.9375)
_MOST_REFUSALS = 9
# Below this, numbers are multiplied out, so that none of them loses its digits.
_SMALLEST_SCALE = 1e-6
_PATIENCE = 8
_HALVINGS = 40


@dataclass
class _Pool:
    """Events that wait for their next try, by the step in which they make it and how often they were refused.

    Of each number, the part that belongs to pending devices is kept as a multiple of `scale`: when some of the devices
    become ACTIVE, what they sent turns into answered events everywhere at once. `near` is how many answered events came
    so shortly before the activation that AWS IoT is asked about them.
    """

    step: float
    scale: float = 1.0
    total: float = 0.0
    near: float = 0.0
    _due: dict[int, dict[int, list[float]]] = field(default_factory=dict)
    _pending: float = 0.0

    @property
    def answered(self) -> float:
        return max(0.0, self.total - self._pending * self.scale)

    def take(self, number: int) -> dict[int, tuple[float, float]]:
        """Take out what tries in a step: by refusals, how many events, and how many of them of pending devices."""
        found = {}
        for refusals, (total, pending) in self._due.pop(number, {}).items():
            self.total -= total
            self._pending -= pending
            found[refusals] = (total, min(total, pending * self.scale))
        return found

    def put(self, number: int, refusals: int, total: float, pending: float) -> None:
        """Let events come back after as long as they were refused often, spread over the second half of it."""
        wait = min(_LONGEST_RETRY_SECONDS, 2.0**refusals)
        for part in _SPREAD:
            due = number + max(1, round(wait * part / self.step))
            entry = self._due.setdefault(due, {}).setdefault(min(refusals + 1, _MOST_REFUSALS), [0.0, 0.0])
            for n, amount in enumerate((total, pending / self.scale)):
                entry[n] += amount / len(_SPREAD)
        self.total += total
        self._pending += pending / self.scale

    def activate(self, share: float) -> float:
        """Let so large a share of the pending devices become ACTIVE; returns how many events that answers."""
        answered = self._pending * self.scale * share
        self.scale *= 1 - share
        if self.scale < _SMALLEST_SCALE:
            for entries in self._due.values():
                for entry in entries.values():
                    entry[1] *= self.scale
            self._pending, self.scale = self._pending * self.scale, 1.0
        return answered


@dataclass(frozen=True)
class _Due:
    """What tries in one step: events of pending devices, of ACTIVE ones, and how many devices are pending."""

    trying: float
    others: float
    near: float
    devices: float

    def activated(self, served: float) -> float:
        """Return how many different devices a served share is about."""
        return self.devices * (1 - math.exp(-served * self.trying / self.devices)) if self.devices > 0 else 0.0

    def looked_up(self, served: float) -> float:
        """Return how many served events AWS IoT is asked about, although they activate nothing."""
        return max(0.0, served * self.trying - self.activated(served)) + served * self.near

    def seconds(self, served: float) -> float:
        """Return the containers' time that a served share takes."""
        further = max(0.0, served * (self.others - self.near))
        return (
            self.activated(served) * model.ACTIVATION_SECONDS
            + self.looked_up(served) * model.LOOK_UP_SECONDS
            + further * model.FURTHER_SECONDS
        )

    def served(self, available: float) -> float:
        """Return the share that so much time is enough for."""
        if self.seconds(1.0) <= available:
            return 1.0
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.seconds(middle) <= available else (low, middle)
        return low


@dataclass
class _DirectStorm:
    arrival: Arrival
    knocks: Knocks
    capacity: Capacity
    course: Course
    pool: _Pool

    def run(self) -> Course:
        course, step = self.course, self.course.step
        devices = PendingDevices(self.knocks, step)
        arrivals, now = self.arrival.counts(step), 0.0
        last = _PATIENCE * max(self.arrival.over, self.arrival.devices / self.capacity.per_second) + 3600
        while now < last:
            now += step
            came = next(arrivals, 0.0)
            again = devices.pass_time() + devices.come(came)
            course.events += came + again
            activated = self._serve(came + again, again, devices.count)
            devices.thin_out(min(1.0, activated / devices.count) if devices.count else 0.0)
            course.pending.append(devices.count)
            course.peak_queue = max(course.peak_queue, self.pool.total)
            if course.active[-1] >= course.enough:
                break
        # What is left are answered knocks; none of them comes back later than the longest retry lets it.
        course.calls[model.LOOK_UP] += self.pool.near
        work = self.pool.near * model.LOOK_UP_SECONDS + self.pool.total * model.FURTHER_SECONDS
        course.drained_after = now + max(work / self.capacity.containers, min(now, _LONGEST_RETRY_SECONDS))
        course.longest_wait = course.time_to(1.0)
        return course

    def _serve(self, new: float, again: float, devices: float) -> float:
        """Let every event that is due try once; returns how many devices became ACTIVE."""
        pool, number = self.pool, len(self.course.active)
        answered, due = pool.answered, pool.take(number)
        others = sum(total - pending for total, pending in due.values())
        trying = _Due(
            trying=new + sum(pending for _, pending in due.values()),
            others=others,
            near=min(others, pool.near * others / answered) if answered > others > 0 else min(others, pool.near),
            devices=devices,
        )
        served = trying.served(self.capacity.containers * self.course.step)
        activated = trying.activated(served)
        share = min(1.0, activated / devices) if devices else 0.0
        pool.near = max(0.0, pool.near - served * trying.near)
        for refusals, (total, pending) in (due | {0: (new, new)}).items():
            pool.put(number, refusals, total * (1 - served), pending * (1 - served))
        moved = pool.activate(share)
        # What a device sent in the last seconds before its activation, as often as devices knock at present.
        lately = activated * model.MARGIN_SECONDS * again / (devices * self.course.step) if devices else 0.0
        pool.near += min(moved, lately)
        self.course.count(activated, trying.looked_up(served), served * (others - trying.near), self.capacity.quotas)
        self.course.busiest = max(self.course.busiest, served * trying.seconds(1.0) / self.course.step)
        return activated


def direct_storm(arrival: Arrival, knocks: Knocks, capacity: Capacity) -> Course:
    """Return how a storm goes whose events Lambda's own queue holds: a model."""
    step = capacity.step(arrival.devices, arrival.over)
    return _DirectStorm(arrival, knocks, capacity, Course(arrival.devices, step), _Pool(step)).run()
