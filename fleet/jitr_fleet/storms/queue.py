"""A storm with `ingestion = "queue"`: events wait in order, and turns at AWS IoT are taken evenly."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from jitr_fleet.storms import model
from jitr_fleet.storms.arrivals import Arrival, Knocks
from jitr_fleet.storms.model import Capacity, Course
from jitr_fleet.storms.pending import PendingDevices

# A storm that lasts so many times longer than its quota asks for is drowned in its own knocks.
_PATIENCE = 8


@dataclass
class _Entry:
    """What came in one step: first events, further ones, and how many devices were pending then."""

    at: float
    first: float
    further: float
    pending: float


@dataclass
class _QueueStorm:
    arrival: Arrival
    knocks: Knocks
    capacity: Capacity
    course: Course
    line: deque[_Entry] = field(default_factory=deque)
    turns: float = 1.0
    waiting: float = 0.0

    def run(self) -> Course:
        course, step = self.course, self.course.step
        devices = PendingDevices(self.knocks, step)
        arrivals, now = self.arrival.counts(step), 0.0
        last = _PATIENCE * max(self.arrival.over, self.arrival.devices / self.capacity.per_second) + 600
        while now < last:
            now += step
            came = next(arrivals, 0.0)
            further = devices.pass_time() + devices.come(came)
            self._enqueue(_Entry(now, came, further, devices.count))
            activated, looked_up, plain = self._serve(now)
            devices.activate(activated)
            course.count(activated, looked_up, plain, self.capacity.quotas)
            course.pending.append(devices.count)
            if course.active[-1] >= course.enough:
                break
        course.drained_after = now + self._drain()
        return course

    def _drain(self) -> float:
        """Work on what is left once no device waits any more: knocks that are answered already; returns how long."""
        asked = sum(entry.further * self._near(entry) for entry in self.line)
        plain = sum(entry.further for entry in self.line) - asked
        self.course.calls[model.LOOK_UP] += asked
        work = asked * model.LOOK_UP_SECONDS + plain * model.FURTHER_SECONDS
        return max(asked / self.capacity.per_second, work / self.capacity.containers)

    def _enqueue(self, entry: _Entry) -> None:
        self.line.append(entry)
        self.course.events += entry.first + entry.further
        self.waiting += entry.first + entry.further
        self.course.peak_queue = max(self.course.peak_queue, self.waiting)

    def _serve(self, now: float) -> tuple[float, float, float]:
        """Work from the head of the queue while there are turns and time.

        Returns how many events were activated, were looked up, and needed neither.
        """
        step = self.course.step
        if now < model.START_SECONDS:
            return 0.0, 0.0, 0.0
        self.turns = min(self.turns + self.capacity.per_second * step, max(1.0, self.capacity.per_second * step))
        seconds = available = self.capacity.containers * step
        activated = looked_up = plain = 0.0
        while self.line and seconds > 0 and self.turns > 0:
            entry = self.line[0]
            asked = entry.further * self._near(entry)
            work = entry.first * model.ACTIVATION_SECONDS + asked * model.LOOK_UP_SECONDS
            work += (entry.further - asked) * model.FURTHER_SECONDS
            turns = entry.first + asked
            part = min(1.0, seconds / work if work else 1.0, self.turns / turns if turns else 1.0)
            seconds, self.turns = seconds - part * work, self.turns - part * turns
            activated, looked_up = activated + part * entry.first, looked_up + part * asked
            plain += part * (entry.further - asked)
            self.waiting -= part * (entry.first + entry.further)
            if entry.first:
                self.course.longest_wait = max(self.course.longest_wait, now - entry.at)
            if part < 1.0:
                entry.first, entry.further = entry.first * (1 - part), entry.further * (1 - part)
                break
            self.line.popleft()
        self.course.busiest = max(self.course.busiest, (available - seconds) / step)
        return activated, looked_up, plain

    def _near(self, entry: _Entry) -> float:
        """Return which share of an entry's further knocks came so shortly before the activation that AWS is asked."""
        soon = self.course.active_at(entry.at + model.MARGIN_SECONDS) - self.course.active_at(entry.at)
        return min(1.0, soon / entry.pending) if entry.pending > 0 else 1.0


def queue_storm(arrival: Arrival, knocks: Knocks, capacity: Capacity) -> Course:
    """Return how a storm goes whose events wait in SQS."""
    step = capacity.step(arrival.devices, arrival.over)
    return _QueueStorm(arrival, knocks, capacity, Course(arrival.devices, step)).run()
