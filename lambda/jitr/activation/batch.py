"""A batch of registration events from the queue (`ingestion = "queue"`): decided one device after the other, paced.

Every message ends in one of four ways: *done* (deleted by Lambda, because the answer does not name it), *back* (named;
SQS delivers it again), *sent again* (a copy whose attempts begin at one, then done), *buried* (a dead letter, then
done). Send first, then done: whoever is killed in between leaves a message too many, never one too few.

- Several events of one device in a batch are one activation: the newest is decided, the others share its end.
- What cannot be an event is buried at once, so that it is in nobody's way.
- Undecided events come back, later each time, and are buried with reason and step on the last attempt.
- Events that may have killed the function before are tried last, in no fixed order, and what is done by then is deleted
  at once: whatever kills the function again, the others of its batch get through.
- Where AWS IoT throttles, or time runs out, the rest of the batch goes back untried. Waiting is no failed attempt: a
  message that only had to wait is sent again before its attempts run out, and never becomes a dead letter by load.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jitr.activation.observation import Observation
from jitr.activation.queue import ATTEMPTS, LONGEST_DELAY_SECONDS, MOST_ROUNDS, ActivationQueue, Delivery
from jitr.activation.steps import Activation
from jitr.aws.turns import BatchTurns, Crowding, NoTurn
from jitr.errors import Outcome, Reason, Undecided
from jitr.messages.dead_letters import DeadLetter
from jitr.messages.envelopes import Origin
from jitr.messages.event import CertificateRegistered, age_seconds, named_certificate_id
from jitr.messages.result import EventResult
from jitr.telemetry.activation import ActivationTelemetry

# No device is begun with less time than this: one that is cut short costs its whole batch an attempt.
RESERVED_SECONDS = 15.0
# An event comes back after this and up to as much again, twice as long each time. Longer than a lease: a retry that
# comes while the lease of its own earlier attempt is open would be an attempt for nothing.
_FIRST_RETRY_SECONDS = 60.0
# What was not even begun comes back within this.
_UNTRIED_SECONDS = 20.0
# What made way for other CAs' devices comes back within this at first, and within twice as long each time.
_CROWDING_SECONDS = 20.0
# An event that comes so often was undecided before, or killed the function, or was with one that did.
_SUSPECT_ATTEMPT = 3
# Trying again changes nothing about these.
_HOPELESS = frozenset({Reason.MALFORMED_EVENT, Reason.FOREIGN_ACCOUNT})
# Nothing is wrong with the event or its device: somebody else is at work, or AWS IoT has too much to do.
_HELD_UP = frozenset({Reason.THROTTLED, Reason.LEASE_HELD})


@dataclass(frozen=True, kw_only=True)
class ActivationBatch:
    """The use case; `now` is in epoch seconds, `chance` returns numbers from 0 to 1."""

    activation: Activation | Observation
    queue: ActivationQueue
    telemetry: ActivationTelemetry
    turns: BatchTurns
    now: Callable[[], float]
    chance: Callable[[], float]

    def run(
        self, records: Sequence[Mapping[str, Any]], *, request_id: str, seconds_left: Callable[[], float]
    ) -> list[str]:
        """Decide a batch and return the ids of the messages that have to come back; no message can make it raise."""
        back: list[str] = []
        knocks = []
        for delivery in map(Delivery.parse, records):
            if delivery.envelope.event is None:
                back += self._bury_unreadable(delivery)
            else:
                knocks.append(delivery)
        waiting = deque(self._in_order(_by_device(knocks)))
        done: list[Delivery] = []
        crowding: list[Delivery] = []
        self.turns.begin(latest=self.now() + seconds_left() - RESERVED_SECONDS)
        try:
            while waiting and seconds_left() >= RESERVED_SECONDS:
                if _attempt(waiting[0]) >= _SUSPECT_ATTEMPT:
                    self._delete(done)
                    done.clear()
                try:
                    comes_back, go_on = self._decide(waiting[0], request_id)
                except Crowding:
                    crowding += waiting.popleft()
                    continue
                done += [each for each in waiting.popleft() if each.message_id not in comes_back]
                back += comes_back
                if not go_on:
                    break
        except NoTurn:
            pass  # Nothing was asked about this device either: it goes back with the others.
        finally:
            self.turns.end()
        back += self._put_back(crowding, request_id, self._after_others)
        return back + self._put_back([each for group in waiting for each in group], request_id)

    def _in_order(self, groups: list[list[Delivery]]) -> list[list[Delivery]]:
        """Put those that were tried most last, suspects among themselves in any order."""
        sound = [group for group in groups if _attempt(group) < _SUSPECT_ATTEMPT]
        suspects = [group for group in groups if _attempt(group) >= _SUSPECT_ATTEMPT]
        return sorted(sound, key=_attempt) + sorted(suspects, key=lambda _: self.chance())

    def _delete(self, done: Sequence[Delivery]) -> None:
        """Delete messages before Lambda does; where that fails, it is left to Lambda."""
        try:
            self.queue.delete(done)
        except Undecided as failure:
            self.telemetry.queue_failed(failure)

    def _put_back(
        self, untried: Sequence[Delivery], request_id: str, longest: Callable[[int], float] = lambda _: _UNTRIED_SECONDS
    ) -> list[str]:
        if untried:
            self.telemetry.put_back(len(untried), age_seconds=self._oldest(untried), request_id=request_id)
        return [each.message_id for each in untried if not self._wait(each, self.chance() * longest(each.attempt))]

    @staticmethod
    def _after_others(attempt: int) -> float:
        """Return the seconds for which a device of a CA that crowds others out waits at most: they double."""
        return min(_CROWDING_SECONDS * 2.0 ** (attempt - 1), LONGEST_DELAY_SECONDS)

    def _decide(self, group: Sequence[Delivery], request_id: str) -> tuple[list[str], bool]:
        """Decide about one device; returns which messages come back, and whether to go on. Raises NoTurn."""
        event = group[0].envelope.event
        try:
            self.telemetry.began(named_certificate_id(event), request_id=request_id)
            ca = event.get("caCertificateId")
            self.turns.about(ca if isinstance(ca, str) else None)
            result = self.activation.activate(event, owner=group[0].message_id)
        except NoTurn:
            raise
        except Undecided as error:
            ca = event.get("caCertificateId") if error.step != 1 else None
            age = self._oldest(group)
            self.telemetry.undecided(error, ca_certificate_id=ca, age_seconds=age, request_id=request_id)
            throttled = error.reason is Reason.THROTTLED
            if throttled:
                self.turns.slow_down()
            return self._end_undecided(group, error), not throttled
        self.telemetry.ended(result, request_id=request_id)
        return self._share(group[1:], result), True

    def _share(self, others: Sequence[Delivery], result: EventResult) -> list[str]:
        """Let the other events of a device end as the first one did; returns which of them come back.

        While another invocation is at work on it, one of them may be the very event that has to carry on should that
        one have died, so they come back.
        """
        if result.outcome is Outcome.WAITING and result.reason == Reason.LEASE_HELD:
            return [each.message_id for each in others if not self._wait(each, self._later(each.attempt))]
        return []

    def _end_undecided(self, group: Sequence[Delivery], error: Undecided) -> list[str]:
        attempt = _attempt(group)
        if error.reason in _HELD_UP and all(each.round < MOST_ROUNDS for each in group):
            return [each.message_id for each in group if not self._wait(each, self._later(each.attempt))]
        if error.reason in _HOPELESS or attempt >= ATTEMPTS:
            letter = DeadLetter(
                event=group[0].envelope.event,
                origin=Origin.QUEUE.value,
                reason=error.reason.value,
                step=error.step,
                message=error.message,
            )
            return [] if self._bury(letter) else [each.message_id for each in group]
        for each in group:
            self._put_off(each, self._later(attempt))
        return [each.message_id for each in group]

    def _bury_unreadable(self, delivery: Delivery) -> list[str]:
        letter = DeadLetter(
            event=None,
            origin=Origin.QUEUE.value,
            reason="unreadable",
            step=None,
            message=delivery.envelope.message,
            body=delivery.body,
        )
        return [] if self._bury(letter) else [delivery.message_id]

    def _oldest(self, deliveries: Sequence[Delivery]) -> float | None:
        now = self.now()
        ages = [age_seconds(each.envelope.event, now) for each in deliveries]
        return max((age for age in ages if age is not None), default=None)

    def _later(self, attempt: int) -> float:
        """Return the seconds until an event is tried again: full jitter above what any retry has to wait."""
        longest: float = min(_FIRST_RETRY_SECONDS * 2**attempt, LONGEST_DELAY_SECONDS)
        return _FIRST_RETRY_SECONDS + self.chance() * (longest - _FIRST_RETRY_SECONDS)

    def _wait(self, delivery: Delivery, seconds: float) -> bool:
        """Let an event wait that nothing is wrong with; returns whether a copy waits in its place."""
        if delivery.attempt < ATTEMPTS:
            self._put_off(delivery, seconds)
            return False
        try:
            # A copy is another event to the lease of an earlier attempt, so it comes when that has ended.
            self.queue.send_again(delivery, max(seconds, _FIRST_RETRY_SECONDS))
        except Undecided:
            return False
        return True

    def _put_off(self, delivery: Delivery, seconds: float) -> None:
        try:
            self.queue.put_off(delivery, max(1.0, seconds))
        except Undecided as failure:
            # It comes back all the same, by the queue's own time.
            self.telemetry.queue_failed(failure)

    def _bury(self, letter: DeadLetter) -> bool:
        try:
            self.queue.bury(letter)
        except Undecided as failure:
            self.telemetry.queue_failed(failure)
            return False
        self.telemetry.buried(letter)
        return True


def _by_device(deliveries: Sequence[Delivery]) -> list[list[Delivery]]:
    """Group events by what they say they are about, the newest of each group first."""
    groups: dict[tuple[str, ...], list[Delivery]] = {}
    for each in deliveries:
        event = each.envelope.event
        ids = tuple(str(event.get(key)) for key in ("certificateId", "caCertificateId", "awsAccountId"))
        groups.setdefault(ids, []).append(each)
    return [sorted(group, key=_knocked, reverse=True) for group in groups.values()]


def _attempt(group: Sequence[Delivery]) -> int:
    return max(each.attempt for each in group)


def _knocked(delivery: Delivery) -> datetime:
    """Return when an event was published; one that does not say so counts as the newest."""
    latest = datetime.max.replace(tzinfo=UTC)
    try:
        return CertificateRegistered.parse(delivery.envelope.event).knocked_at or latest
    except Undecided:
        return latest
