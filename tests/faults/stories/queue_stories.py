"""What happens to a batch of the activation queue when one call of the function goes wrong: told to its end, judged.

The batch has a device that knocks three times, one with an odd certificate that is on the CRL, an event about a
certificate that AWS IoT does not know, and a message that is no event.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from jitr.activation.queue import MAX_RECEIVES
from jitr.activation.steps import TIME_LIMIT
from jitr.messages.dead_letters import decode_dead_letter
from jitr_local import pki
from tests.faults.machine import containers
from tests.faults.machine.cloud import Cloud
from tests.faults.machine.injection import Call, Fault
from tests.faults.machine.invariants import unsettled, wrong_changes
from tests.faults.machine.queueing import Worker
from tests.faults.machine.told import Told
from tests.faults.stories.activations import Arranged, arranged, factory, knock
from tests.worlds.odd_certificates import odd_device

LISTED_SERIAL = 0x2002
POISON = "\u0000 not an event {"
UNKNOWN = "f" * 64
# Longer than anything waits that comes back by itself, so that lasting faults meet the last attempt.
OUTAGE = timedelta(minutes=50)


@dataclass
class Batch:
    """The arranged deployment, the device on the CRL, and the messages."""

    arranged: Arranged
    listed: pki.Device
    bodies: tuple[str, ...]
    calls: tuple[Call, ...] = ()


def batch() -> Batch:
    """Arrange it."""
    found = arranged()
    found.publish(factory().crl([LISTED_SERIAL]))
    listed = odd_device("issuer as PrintableString", factory(), LISTED_SERIAL)
    aws = found.begin()
    knocks = [knock(aws, found.device) for _ in range(3)]
    unknown = {**knocks[0], "certificateId": UNKNOWN}
    bodies = [*map(json.dumps, (*knocks[:2], knock(aws, listed), unknown)), POISON, json.dumps(knocks[2])]
    found.keep(aws)
    return Batch(found, listed, tuple(bodies))


def worker(aws: Cloud) -> Worker:
    """The activation function behind its queue."""

    def cold() -> Any:
        function = containers.activation(aws)

        def invoke(event: Any, request_id: str, ends: float) -> Any:
            left = lambda: ends - aws.account.clock().timestamp()  # noqa: E731
            return function.run_batch(event, request_id=request_id, seconds_left=left)

        return invoke

    return Worker(
        aws,
        cold,
        queue=containers.ACTIVATION_QUEUE,
        dead_letters=containers.DEAD_LETTERS,
        hidden_seconds=6 * TIME_LIMIT.total_seconds(),
        receives=MAX_RECEIVES,
        seconds=TIME_LIMIT.total_seconds(),
    )


def begin(given: Batch) -> tuple[Cloud, Worker]:
    """Put the messages into the queue."""
    aws = given.arranged.begin()
    way = worker(aws)
    way.send(*given.bodies)
    aws.faults.end()
    return aws, way


def tell(given: Batch, at: int, fault: Fault, *, lasting: bool) -> Told:
    """Tell a case: the call number `at` has the fault, for hours if it is lasting."""
    aws, way = begin(given)
    aws.faults.plan(at, fault, lasting=lasting)
    emptied = way.work(until=aws.account.clock() + OUTAGE)
    call = aws.faults.calls[at - 1]
    wrong = list(_nothing_lost(aws, given))
    wrong += _letters(aws, given, fault, call, lasting=lasting)
    if not emptied and not lasting:
        wrong.append("I5: one fault, and hours later messages still wait")
    aws.faults.end()
    _redrive(aws, way, given)
    if not way.work():
        wrong.append("I5: the queue never gets empty")
    wrong += _judged(aws, given)
    wrong += way.errors
    return Told.of(at, call, fault, "lasting" if lasting else "once", wrong)


def _about(aws: Cloud, certificate_id: str) -> tuple[bool, list[str]]:
    """Say whether a message about a certificate waits, and which letters are about it."""
    queues = aws.account.sqs.queues
    waits = any(certificate_id in each.body for each in queues.get(containers.ACTIVATION_QUEUE, []))
    letters = [each.body for each in queues.get(containers.DEAD_LETTERS, []) if certificate_id in each.body]
    return waits, letters


def _nothing_lost(aws: Cloud, given: Batch) -> Iterator[str]:
    for device, wanted in ((given.arranged.device, "ACTIVE"), (given.listed, "REVOKED")):
        waits, letters = _about(aws, device.certificate_id)
        if aws.account.iot.status(device) != wanted and not waits and not letters:
            yield f"I5: lost: {aws.account.iot.status(device)} instead of {wanted}"


def _letters(aws: Cloud, given: Batch, fault: Fault, call: Call, *, lasting: bool) -> Iterator[str]:
    for device in (given.arranged.device, given.listed):
        _, letters = _about(aws, device.certificate_id)
        if letters and not lasting:
            yield f"I5: one fault and a dead letter: {letters[0]}"
        if letters and fault is Fault.THROTTLED and call.service == "iot":
            yield f"a dead letter by load alone: {letters[0]}"
        for letter in map(decode_dead_letter, letters):
            if letter.reason == "internal" or (letter.step is None and fault is not Fault.CRASH):
                yield f"the dead letter says {letter.reason} at step {letter.step}"
            if letter.certificate_id != device.certificate_id:
                yield "I5: the dead letter has lost the event"


def _redrive(aws: Cloud, way: Worker, given: Batch) -> None:
    """Move dead letters about devices back, as they are."""
    letters = aws.account.sqs.queues.get(containers.DEAD_LETTERS, [])
    for device in (given.arranged.device, given.listed):
        for message in [each for each in letters if device.certificate_id in each.body]:
            letters.remove(message)
            way.send(message.body)


def _judged(aws: Cloud, given: Batch) -> Iterator[str]:
    watched = given.arranged.watched
    yield from wrong_changes(aws.account, replace(watched, with_thing=True))
    yield from unsettled(aws.account)
    for device, wanted in ((given.arranged.device, "ACTIVE"), (given.listed, "REVOKED")):
        if aws.account.iot.status(device) != wanted:
            yield f"I5: it ended {aws.account.iot.status(device)} instead of {wanted}"
    _, unknown = _about(aws, UNKNOWN)
    if not unknown:
        yield "I5: the event about an unknown certificate is lost"
    letters = aws.account.sqs.queues.get(containers.DEAD_LETTERS, [])
    if not any("not an event" in each.body for each in letters):
        yield "I5: the message that is no event is lost"
