"""What happens to a CRL when one call of the enforcement function goes wrong: told to its end, then judged."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from tests.faults.machine.cloud import Cloud
from tests.faults.machine.injection import Fault
from tests.faults.machine.invariants import unsettled, wrong_changes
from tests.faults.machine.told import Told
from tests.faults.stories.activations import CRL, SCHEDULE, enforcement_way, sweep
from tests.faults.stories.enforcements import PUBLISHED, Swept


class Story(StrEnum):
    """What follows the fault."""

    ONCE = "once, then retries"
    LASTING = "for two schedules"
    CROSSING = "once, and another event before the retry"


def stories(fault: Fault) -> tuple[Story, ...]:
    """Return what may follow a fault; another event matters where the lease of a sweep is left, or may be."""
    return tuple(Story) if fault in (Fault.CRASH, Fault.ANSWER_LOST) else (Story.ONCE, Story.LASTING)


# A lease of a sweep that was killed ends after 16 minutes.
_SCHEDULE_MINUTES = 17


def tell(swept: Swept, at: int, fault: Fault, story: Story) -> Told:
    """Tell a case: the call number `at` has the fault."""
    aws = swept.arranged.begin()
    aws.faults.plan(at, fault, lasting=story is Story.LASTING)
    way = enforcement_way(aws)
    calls = []

    def between() -> None:
        calls.extend(aws.faults.calls)
        if story is not Story.LASTING:
            aws.faults.end()
        if story is Story.CROSSING:
            aws.account.clock.advance(seconds=5)
            sweep(aws, PUBLISHED)

    way.between = between
    way.deliver(swept.event)
    if not way.errors:
        between()
    if story is Story.LASTING:
        aws.account.clock.advance(minutes=_SCHEDULE_MINUTES)
        way.deliver(SCHEDULE)
    wrong = [f"raised {each}" for each in way.errors if "internal" in each or "unexpected" in each]
    wrong += _recorded_too_early(aws, swept)
    aws.faults.end()
    aws.account.clock.advance(minutes=_SCHEDULE_MINUTES)
    sweep(aws)
    wrong += _judged(aws, swept)
    return Told.of(at, calls[at - 1], fault, story, wrong)


def _enforced(aws: Cloud) -> list[str]:
    """The CRLs that are recorded as enforced."""
    items = aws.account.dynamodb.table.items.items()
    return [item["enforced"]["S"] for (pk, _), item in items if pk == "crl" and "enforced" in item]


def _recorded_too_early(aws: Cloud, swept: Swept) -> Iterator[str]:
    if swept.published in _enforced(aws) and swept.event is PUBLISHED:
        for device, status in swept.expected.items():
            if status != "ACTIVE" and aws.account.iot.certificates[device].status == "ACTIVE":
                yield "I1: recorded as enforced, and a listed device is ACTIVE"


def _judged(aws: Cloud, swept: Swept) -> Iterator[str]:
    yield from wrong_changes(aws.account, swept.arranged.watched)
    yield from unsettled(aws.account)
    for device, expected in swept.expected.items():
        if (status := aws.account.iot.certificates[device].status) != expected:
            yield f"I1, I5: {status} instead of {expected}"
    if _enforced(aws) != [swept.published]:
        yield "I5: the CRL is not recorded as enforced"
    if aws.account.s3.objects[CRL] != swept.arranged.account.s3.objects[CRL]:
        yield "the published CRL was changed"
