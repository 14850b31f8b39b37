"""What happens to one device when one call of the activation function goes wrong: told to its end, then judged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from functools import cache

from jitr.messages.dead_letters import decode_dead_letter
from jitr_local import pki
from tests.faults.machine.cloud import Cloud
from tests.faults.machine.delivery import Asynchronous
from tests.faults.machine.injection import EFFECT_HAPPENED, EVERYWHERE, Call, Fault
from tests.faults.machine.invariants import certificate_row, unsettled, wrong_changes
from tests.faults.machine.told import Told
from tests.faults.stories.activations import (
    CRL,
    SCHEDULE,
    SERIAL,
    Arranged,
    activation_way,
    deliver,
    factory,
    knock,
    sweep,
)

# What AWS's failures may be called in a dead letter; `internal` would be a failure that nobody thought of.
_REASONS = {
    Fault.THROTTLED: {"throttled", "fetch_failed"},
    Fault.SERVER_ERROR: {"aws_unavailable", "fetch_failed"},
    Fault.DENIED: {"access_denied"},
    Fault.NOT_REACHED: {"aws_unavailable", "fetch_failed"},
    Fault.ANSWER_LOST: {"aws_unavailable", "fetch_failed", "lease_held"},
    Fault.REPEATED: {"lease_held"},
    Fault.CRASH: {"Runtime.ExitError", "lease_held"},
}


class Story(StrEnum):
    """What follows the fault."""

    ONCE = "once, then a cold container"
    WARM = "once, then the same container"
    LASTING = "at every attempt, until the event is redriven"
    CROSSING = "once, and another knock before the retry"
    DEACTIVATED = "once, and an operator switches the device off before the retry"
    LISTED = "once, and the CRL lists the device before the retry"


def stories(fault: Fault, *, all_of_them: bool) -> tuple[Story, ...]:
    """Return what may follow a fault; for most scenarios only what ends well, what lasts, and a late revocation."""
    if fault not in EVERYWHERE:
        return Story.ONCE, Story.LASTING
    return tuple(Story) if all_of_them else (Story.ONCE, Story.LASTING, Story.LISTED)


def tell(arranged: Arranged, at: int, fault: Fault, story: Story) -> Told:
    """Tell a case: the call number `at` has the fault."""
    aws = arranged.begin()
    aws.faults.plan(at, fault, lasting=story is Story.LASTING)
    way = activation_way(aws, keep_warm=story is Story.WARM)
    calls: list[Call] = []

    def between() -> None:
        calls.extend(aws.faults.calls)
        if story is not Story.LASTING:
            aws.faults.end()
        _BETWEEN.get(story, _nothing)(aws, arranged)

    way.between = between
    way.deliver(arranged.event)
    if not way.errors:
        # It went well all the same: what comes late then is a duplicate.
        between()
        way.deliver(arranged.event)
    wrong = list(_judged_before(aws, arranged, way, fault, story))
    _settle(aws, arranged, way)
    wrong += _judged_after(aws, arranged, story)
    wrong += _revocation_reaches(aws, arranged)
    return Told.of(at, calls[at - 1], fault, story, wrong)


@cache
def _listing(number: int) -> bytes:
    """A CRL with the device, newer than any that it was arranged with; made once, so its time must not say when."""
    return factory().crl([SERIAL], number=number, this_update=pki.now() - timedelta(minutes=30 - number))


def _knock_again(aws: Cloud, arranged: Arranged) -> None:
    """Let the device knock while the lease of the first delivery may be open."""
    aws.account.clock.advance(seconds=5)
    deliver(aws, knock(aws, arranged.device))


def _deactivate(aws: Cloud, arranged: Arranged) -> None:
    certificate = aws.account.iot.certificates[arranged.device.certificate_id]
    if certificate.status != "REVOKED":
        certificate.status = "INACTIVE"


def _list(aws: Cloud, _arranged: Arranged) -> None:
    """Publish a CRL with the device, which enforcement is told of at once."""
    aws.account.s3.objects[CRL] = _listing(10)
    sweep(aws, SCHEDULE)


def _nothing(_aws: Cloud, _arranged: Arranged) -> None:
    return


_BETWEEN = {Story.CROSSING: _knock_again, Story.DEACTIVATED: _deactivate, Story.LISTED: _list}


def _judged_before(aws: Cloud, arranged: Arranged, way: Asynchronous, fault: Fault, story: Story) -> Iterator[str]:
    """Judge what is there before anybody redrives anything."""
    status = aws.account.iot.status(arranged.device)
    if arranged.reason == "no_crl":
        if not way.letters and status == "PENDING_ACTIVATION" and story is not Story.LISTED:
            yield "I4, I5: undecided, and no dead letter"
        return
    if story is not Story.LASTING:
        if way.letters:
            yield f"I5: one fault and a dead letter: {way.errors[-1]}"
        if story is Story.ONCE and status not in arranged.expected:
            yield f"I5: {status}, and nobody looks at it any more after {way.answers[-1:]}"
        return
    if not way.letters:
        if status not in arranged.expected:
            yield f"I5: {status} without a dead letter after {way.answers[-1:]}"
        return
    yield from _judged_letter(aws, arranged, way.letters[-1], fault)


def _judged_letter(aws: Cloud, arranged: Arranged, body: str, fault: Fault) -> Iterator[str]:
    status = aws.account.iot.status(arranged.device)
    letter = decode_dead_letter(body)
    if letter.event != arranged.event:
        yield "I5: the dead letter has lost the event"
    if letter.reason not in _REASONS[fault]:
        yield f"the dead letter says {letter.reason} at step {letter.step}"
    if letter.step is None and fault is not Fault.CRASH:
        yield "the dead letter does not say at which step"
    if status == "ACTIVE" and fault not in EFFECT_HAPPENED and certificate_row(aws.account, SERIAL) is None:
        yield "I1: ACTIVE and unknown to enforcement"


def _settle(aws: Cloud, arranged: Arranged, way: Asynchronous) -> None:
    """Let faults end, redrive what is dead, and let the device knock if it still waits."""
    aws.faults.end()
    for letter in way.letters:
        aws.account.clock.advance(minutes=2)
        deliver(aws, decode_dead_letter(letter).event)
    if aws.account.iot.status(arranged.device) == "PENDING_ACTIVATION":
        aws.account.clock.advance(minutes=2)
        deliver(aws, knock(aws, arranged.device))
    aws.account.clock.advance(minutes=17)


def _judged_after(aws: Cloud, arranged: Arranged, story: Story) -> Iterator[str]:
    yield from wrong_changes(aws.account, arranged.watched)
    status = aws.account.iot.status(arranged.device)
    match story:
        case Story.DEACTIVATED:
            if status not in ("INACTIVE", "REVOKED"):
                yield f"I3: the operator had switched it off, and it is {status}"
        case Story.LISTED:
            if status == "ACTIVE":
                yield "I1: ACTIVE and on the CRL"
        case _:
            if status not in arranged.expected:
                yield f"I5: it ended {status}"
            yield from unsettled(aws.account)
    yield from _wrongly_attached(aws, arranged)


def _wrongly_attached(aws: Cloud, arranged: Arranged) -> Iterator[str]:
    """Judge Thing, groups and policy: one of each at most, and the Thing nobody else's."""
    iot, mine = aws.account.iot, aws.account.iot.certificates[arranged.device.certificate_id]
    if len(mine.things) > 1 or len(mine.policies) > 1:
        yield f"I5: attached to {mine.things}, {mine.policies}"
    if mine.status != "ACTIVE":
        return
    for group, members in iot.thing_groups.items():
        if members != mine.things:
            yield f"I5: group {group} has {members}"
    for thing in mine.things:
        if (owner := iot.things[thing].attributes["certificate_id"]) != arranged.device.certificate_id:
            yield f"I5: its Thing belongs to {owner}"
    if arranged.watched.with_thing:
        sharing = [each.status for each in iot.certificates.values() if each.things == mine.things]
        if sharing.count("ACTIVE") != 1:
            yield f"I5: certificates of one Thing: {sharing}"


def _revocation_reaches(aws: Cloud, arranged: Arranged) -> Iterator[str]:
    """Whatever is ACTIVE now can be switched off by a CRL later: enforcement knows it and its CRL."""
    if aws.account.iot.status(arranged.device) != "ACTIVE":
        return
    aws.account.s3.objects[CRL] = _listing(20)
    sweep(aws)
    if aws.account.iot.status(arranged.device) == "ACTIVE":
        yield "I1: a later CRL does not switch it off"
