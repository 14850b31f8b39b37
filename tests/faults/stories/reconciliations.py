"""What the passes over a CA's certificates find and mend when one call goes wrong: told to the end, then judged.

Everything that a schedule does before its passes is told by enforcement_stories.py; here faults meet the passes' calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from jitr.aws.state_table import StateTable
from jitr.enforcement.passes import Passes, PassKind
from tests.faults.machine.cloud import Cloud
from tests.faults.machine.injection import Call, Fault
from tests.faults.machine.invariants import unsettled, wrong_changes
from tests.faults.machine.told import Told
from tests.faults.stories.activations import CRL, SCHEDULE, Arranged, enforcement_way, factory, key, sweep
from tests.faults.stories.enforcements import activated, by_hand, by_serial, each_its_own, held, listing, plain
from tests.worlds import raw_der
from tests.worlds.odd_certificates import device

# A pass whose run was killed is free again after 16 minutes.
_SCHEDULE_MINUTES = 17
_LATELY = timedelta(hours=20)


class Story(StrEnum):
    """What follows the fault."""

    ONCE = "once, then schedules"
    LASTING = "for two schedules"
    CROSSING = "once, and another schedule at once"


def stories(fault: Fault) -> tuple[Story, ...]:
    """Return what may follow a fault; another schedule at once matters where a pass's lease is left."""
    if fault is Fault.CRASH:
        return Story.ONCE, Story.CROSSING
    return (Story.ONCE, Story.LASTING) if fault in (Fault.THROTTLED, Fault.NOT_REACHED) else (Story.ONCE,)


@dataclass
class Compared:
    """A deployment whose passes are due; `expected` are statuses by certificate id.

    `revoked_at_most` of them: what else is off is INACTIVE. `unreadable` is how many cannot be read at all. After
    `schedules` without a fault it has to be so.
    """

    arranged: Arranged
    expected: dict[str, tuple[str, ...]]
    revoked_at_most: int = 100
    unreadable: int = 0
    schedules: int = 1


def passes(aws: Cloud) -> Passes:
    """The passes as the table has them, past every fault."""
    table: StateTable = aws.account.dynamodb.table  # type: ignore[assignment]
    return Passes(table)


def tell(compared: Compared, at: int, fault: Fault, story: Story) -> Told:
    """Tell a case: the call number `at` has the fault."""
    aws = compared.arranged.begin()
    aws.faults.plan(at, fault, lasting=story is Story.LASTING)
    way = enforcement_way(aws)
    calls: list[Call] = []

    def between() -> None:
        calls.extend(aws.faults.calls)
        if story is not Story.LASTING:
            aws.faults.end()
        if story is Story.CROSSING:
            aws.account.clock.advance(seconds=5)
            sweep(aws)

    way.between = between
    way.deliver(SCHEDULE)
    if not way.errors:
        between()
    if story is Story.LASTING:
        aws.account.clock.advance(minutes=_SCHEDULE_MINUTES)
        way.deliver(SCHEDULE)
    wrong = [f"raised {each}" for each in way.errors if "internal" in each or "unexpected" in each]
    aws.faults.end()
    for _ in range(compared.schedules):
        aws.account.clock.advance(minutes=_SCHEDULE_MINUTES)
        sweep(aws)
    wrong += _judged(aws, compared)
    return Told.of(at, calls[at - 1], fault, story, wrong)


def _judged(aws: Cloud, compared: Compared) -> Iterator[str]:
    yield from wrong_changes(aws.account, compared.arranged.watched)
    if not compared.unreadable:
        yield from unsettled(aws.account)
    certificates = aws.account.iot.certificates
    for each, allowed in compared.expected.items():
        if (status := certificates[each].status) not in allowed:
            yield f"I1: {status} instead of {allowed}"
    revoked = sum(certificates[each].status == "REVOKED" for each in compared.expected)
    if revoked > compared.revoked_at_most:
        yield f"I7: {revoked} are REVOKED, and the brake lets {compared.revoked_at_most} through"
    for kind in PassKind:
        state = passes(aws).state(factory().ca_certificate_id, kind)
        if state.began_at is not None or state.found is None or state.age(at=aws.account.clock()) > _LATELY:
            yield f"I5: the pass over {kind} certificates has not ended: {state}"
        elif kind is PassKind.UNKNOWN and state.found.unreadable != compared.unreadable:
            yield f"I1: {state.found.unreadable} unreadable certificates were counted"


# Scenarios


def _due(aws: Cloud, found: Arranged, kind: PassKind, *, marker: str | None = None) -> None:
    """Let the last pass of one kind be a day ago; with a marker, another one is under way."""
    known, at = passes(aws), aws.account.clock()
    taken = known.take(known.state(factory().ca_certificate_id, kind), owner="earlier", at=at)
    assert taken is not None
    changed = replace(taken, ended_at=at - timedelta(hours=25))
    if marker is not None:
        changed = replace(changed.begun(at=at), marker=marker)
    assert known.record(changed, owner="earlier")
    known.release(taken, owner="earlier")
    found.keep(aws)


def set_active_again() -> Compared:
    """Two were REVOKED and registered again, one is on hold, one is good; somebody set them all ACTIVE.

    One REVOKED is all that the brake lets through. The pass is under way, at a page whose marker AWS IoT does not take
    any more.
    """
    aws, found, devices = activated(10, 11, 12, 13, start=by_serial, issue=each_its_own)
    aws.account.s3.objects[CRL] = listing(10, 11, held(12), number=2)
    sweep(aws)
    for each in devices.values():
        aws.account.iot.certificates[each.certificate_id].status = "ACTIVE"
    found.configuration = replace(found.configuration, brake_devices=1)
    _due(aws, found, PassKind.KNOWN, marker="of yesterday")
    off = ("REVOKED", "INACTIVE")
    ends = dict(zip((each.certificate_id for each in devices.values()), (off, off, off[1:], ("ACTIVE",)), strict=True))
    return Compared(found, ends, revoked_at_most=1)


def registered_by_others() -> Compared:
    """Past us, and not among the newest: one that is on the CRL, one that is not, and one that nobody can read."""
    aws, found, _ = activated(10, issue=plain)
    listed, good = each_its_own(11), plain(12)
    der = raw_der.certificate(factory(), 13, key=key())[:-40]
    unreadable = device(der, 13, key())
    aws.account.s3.objects[CRL] = listing(1, 11, number=2)
    sweep(aws)
    for each in (listed, good, unreadable):
        by_hand(aws, each)
    _due(aws, found, PassKind.UNKNOWN)
    ends = {listed: ("REVOKED",), good: ("ACTIVE",), unreadable: ("ACTIVE",)}
    return Compared(found, {each.certificate_id: end for each, end in ends.items()}, unreadable=1, schedules=2)


SCENARIOS: dict[str, Callable[[], Compared]] = {
    each.__name__: each for each in (set_active_again, registered_by_others)
}
