"""Two functions at once on the same certificates: one runs, whole, right before each call of the other.

Every schedule with more than one switch, crashes in between included, is searched for activation and enforcement by
test_activation_enforcement_race.py, and for an operator's reinstatement by test_reinstatement_race.py; here are the
pairs that those leave out, through the real handlers and clients, with one switch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from jitr.activation.steps import TIME_LIMIT
from jitr.bulk.job import JobKind, JobPlan
from jitr.bulk.queue import Shift
from tests.aws.aws_faults import Killed
from tests.faults.machine.cloud import Cloud
from tests.faults.machine.counting import Count
from tests.faults.machine.invariants import unsettled, wrong_changes
from tests.faults.stories import bulk_jobs
from tests.faults.stories.activation_scenarios import distribution_point, listed, odd_distribution_point, renewed
from tests.faults.stories.activations import (
    CRL,
    SCHEDULE,
    SERIAL,
    Arranged,
    activation_way,
    arranged,
    factory,
    knock,
    sweep,
)
from tests.faults.stories.bulk_jobs import INACTIVE, Ordered, jobs
from tests.faults.stories.enforcements import PUBLISHED, activated, held, listing

ANY_TIME = 1_000
Act = Callable[[Cloud], None]


@dataclass
class Pair:
    """What is there, the function that is interrupted, what interrupts it, and how the certificates may end.

    `limit` is how long the first one may run: one that the other outlasts is killed.
    """

    arranged: Arranged
    first: Act
    second: Act
    ends: Mapping[str, tuple[str, ...]]
    operators_word: bool = False
    limit: timedelta = timedelta(minutes=15)


def _activate(found: Arranged) -> Act:
    def act(aws: Cloud) -> None:
        way = activation_way(aws)
        way.deliver(found.event)
        assert way.letters == [], way.errors

    return act


def _revoke_all(aws: Cloud) -> None:
    """Order a job that makes all of the CA's certificates INACTIVE, and let it be done."""
    total = len(aws.account.iot.certificates)
    plan = JobPlan(kind=JobKind.REVOKE, ca_certificate_id=factory().ca_certificate_id, total=total, wanted=INACTIVE)
    jobs(aws).create("all", plan, by="somebody", at=aws.account.clock())
    way = bulk_jobs.worker(aws)
    way.send(Shift("all", 1).to_json())
    assert way.work()


def _publish(*entries: Any) -> Act:
    def act(aws: Cloud) -> None:
        aws.account.s3.objects[CRL] = listing(*entries, number=40)
        sweep(aws, PUBLISHED)

    return act


def _knocking(start: Callable[[], Arranged]) -> Arranged:
    found = start()
    aws = found.begin()
    found.event = knock(aws, found.device)
    found.keep(aws)
    return found


def _two_knocks(start: Callable[[], Arranged]) -> Pair:
    found = _knocking(start)
    ends = {found.device.certificate_id: found.expected}
    return Pair(found, _activate(found), lambda aws: _activate(_later(found, aws))(aws), ends, limit=TIME_LIMIT)


def _later(found: Arranged, aws: Cloud) -> Arranged:
    again = Arranged(found.account, found.configuration, found.device, found.watched)
    again.event = knock(aws, found.device)
    return again


def _activation_and_revocation(start: Callable[[], Arranged]) -> Pair:
    found = _knocking(start)
    ends = {found.device.certificate_id: ("REVOKED", "INACTIVE", "PENDING_ACTIVATION")}
    return Pair(found, _activate(found), _publish(held(SERIAL)), ends, limit=TIME_LIMIT)


def _activation_and_job() -> Pair:
    found = _knocking(arranged)
    ends = {found.device.certificate_id: ("INACTIVE",)}
    return Pair(found, _activate(found), _revoke_all, ends, operators_word=True, limit=TIME_LIMIT)


def _job_and_activation() -> Pair:
    pair = _activation_and_job()
    return Pair(pair.arranged, pair.second, pair.first, pair.ends, operators_word=True)


def _sweep_and_job(*, job_first: bool) -> Pair:
    aws, found, devices = activated(11, 12)
    found.keep(aws)
    ends = {devices[11].certificate_id: ("REVOKED",), devices[12].certificate_id: ("INACTIVE",)}
    both: list[Act] = [_publish(11), _revoke_all]
    if job_first:
        both.reverse()
    return Pair(found, both[0], both[1], ends, operators_word=True)


def _pass_and_undoing(*, pass_first: bool) -> Pair:
    """A job is undone; a day after its last pass the function compares, too."""
    ordered: Ordered = bulk_jobs.undone()
    aws = ordered.arranged.begin()
    aws.account.clock.advance(hours=25)
    ordered.arranged.keep(aws)
    both: list[Act] = [_compare, _undo(ordered)]
    if not pass_first:
        both.reverse()
    ends = {each: (status,) for each, status in ordered.expected.items()}
    return Pair(ordered.arranged, both[0], both[1], ends, operators_word=True)


def _compare(aws: Cloud) -> None:
    sweep(aws, SCHEDULE)


def _undo(ordered: Ordered) -> Act:
    def undo(aws: Cloud) -> None:
        jobs(aws).create("undo", ordered.plan, by="somebody", at=aws.account.clock())
        way = bulk_jobs.worker(aws)
        way.send(Shift("undo", 1).to_json())
        assert way.work()

    return undo


def _undoing_and_sweep(*, undoing_first: bool) -> Pair:
    ordered: Ordered = bulk_jobs.undone()
    own = list(ordered.expected)
    ends = dict.fromkeys(own, ("ACTIVE",)) | dict.fromkeys(own[3:], ("INACTIVE",)) | {own[0]: ("REVOKED",)}
    both: list[Act] = [_undo(ordered), _publish(100)]
    if not undoing_first:
        both.reverse()
    return Pair(ordered.arranged, both[0], both[1], ends, operators_word=True)


PAIRS: dict[str, Callable[[], Pair]] = {
    "two knocks of a good device": lambda: _two_knocks(arranged),
    "two knocks of a renewed device": lambda: _two_knocks(renewed),
    "two knocks of a listed device": lambda: _two_knocks(listed),
    "activation, then a CRL": lambda: _activation_and_revocation(arranged),
    "activation, then a CRL at a distribution point": lambda: _activation_and_revocation(distribution_point),
    "activation of an odd certificate, then a CRL": lambda: _activation_and_revocation(odd_distribution_point),
    "activation, then a job": _activation_and_job,
    "job, then an activation": _job_and_activation,
    "sweep, then a job": lambda: _sweep_and_job(job_first=False),
    "job, then a sweep": lambda: _sweep_and_job(job_first=True),
    "undoing, then a sweep": lambda: _undoing_and_sweep(undoing_first=True),
    "sweep, then an undoing": lambda: _undoing_and_sweep(undoing_first=False),
    "pass, then an undoing": lambda: _pass_and_undoing(pass_first=True),
    "undoing, then a pass": lambda: _pass_and_undoing(pass_first=False),
}


@cache
def made(name: str) -> Pair:
    """A pair, made once."""
    return PAIRS[name]()


@pytest.mark.parametrize("name", PAIRS)
def test_wherever_another_function_comes_in_all_ends_well(aws: Cloud, count: Count, name: str) -> None:
    """Before each call of the first one the second one runs; then a schedule, and the device knocks if it waits."""
    pair = made(name)
    wrong = []
    for at in range(1, ANY_TIME):
        pair.arranged.begin()
        began = aws.account.clock()

        def come_in(began: datetime = began) -> None:
            pair.second(aws)
            if aws.account.clock() - began > pair.limit:
                aws.faults.dead = True
                raise Killed("its time is over")

        aws.faults.interrupt(at, come_in)
        pair.first(aws)
        came = aws.faults.interrupted
        aws.faults.end()
        if not came:
            break
        count("two at once")
        aws.account.clock.advance(minutes=17)
        sweep(aws, SCHEDULE)
        wrong += [f"before call {at}: {each}" for each in judged(aws, pair)]
    assert at > 5
    assert not wrong, "\n".join(wrong)


def judged(aws: Cloud, pair: Pair) -> list[str]:
    """Return what is wrong in the end."""
    watched = replace(pair.arranged.watched, operators_word=pair.operators_word)
    # What was published a moment ago may not be known to who is at work; in the end it has to count.
    wrong = [each for each in wrong_changes(aws.account, watched) if not each.startswith("I1")]
    wrong += unsettled(aws.account)
    for each, allowed in pair.ends.items():
        certificate = aws.account.iot.certificates[each]
        if certificate.status not in allowed:
            wrong.append(f"{certificate.status} instead of {allowed}")
        if len(certificate.policies) > 1 or len(certificate.things) > 1:
            wrong.append(f"attached to {certificate.policies}, {certificate.things}")
    return wrong
