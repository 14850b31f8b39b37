"""What is wrong for longer than a call: clocks, services that are down, a CRL that ends in a storm.

Clocks between the containers of one deployment are not searched by the race tests; here one container after the other
has a clock of its own.
"""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.response import StreamingBody
from urllib3.exceptions import ProtocolError

from jitr.messages.dead_letters import decode_dead_letter
from tests.faults.machine import containers
from tests.faults.machine.cloud import Cloud
from tests.faults.machine.counting import Count
from tests.faults.machine.injection import Fault
from tests.faults.machine.invariants import everything_wrong
from tests.faults.stories.activation_scenarios import knocked
from tests.faults.stories.activations import (
    CRL,
    SCHEDULE,
    SERIAL,
    activation_way,
    deliver,
    factory,
    key,
    knock,
    sweep,
)
from tests.faults.stories.enforcements import PUBLISHED, held, listing
from tests.faults.stories.queue_stories import worker

OUTAGES = (Fault.SERVER_ERROR, Fault.NOT_REACHED, Fault.DENIED, Fault.THROTTLED)


# Clocks


@pytest.mark.parametrize("minutes", [-5, -1, 1, 5])
@pytest.mark.parametrize("entry", ["hold", "revoked"])
def test_containers_whose_clocks_differ_leave_no_listed_certificate_active(
    aws: Cloud, count: Count, monkeypatch: pytest.MonkeyPatch, minutes: int, entry: str
) -> None:
    """The first container is killed after any call; a sweep, and then Lambda's retry, go by another clock.

    Lambda keeps its clocks within milliseconds; with minutes between them the wait for the end of a lease may be too
    short, and it is the retry that makes it good.
    """
    listed = held(SERIAL) if entry == "hold" else SERIAL
    found = knocked()
    for at in range(1, 20):
        found.begin()
        aws.faults.plan(at, Fault.CRASH, lasting=False)

        def between() -> None:
            aws.faults.end()
            aws.account.clock.advance(minutes=minutes)
            aws.account.s3.objects[CRL] = listing(listed, number=40)
            sweep(aws, PUBLISHED)

        way = activation_way(aws)
        way.between = between
        way.deliver(found.event)
        if not way.errors:
            break
        count("clocks")
        aws.faults.end()
        aws.account.clock.advance(minutes=17 - minutes)
        sweep(aws, SCHEDULE)
        assert aws.account.iot.status(found.device) != "ACTIVE", f"after call {at}"
        assert everything_wrong(aws.account, found.watched) == [], f"after call {at}"
    assert at > 10


@pytest.mark.parametrize("seconds", [-300, -61, -5, 5, 61, 300])
def test_a_good_device_gets_in_whatever_the_clocks_say(aws: Cloud, count: Count, seconds: int) -> None:
    """A lease that seems to be open, or to have ended long ago, delays at most."""
    found = knocked()
    for at in range(1, 20):
        found.begin()
        aws.faults.plan(at, Fault.CRASH, lasting=False)
        way = activation_way(aws)

        def between() -> None:
            aws.faults.end()
            aws.account.clock.advance(seconds=seconds)

        way.between = between
        way.deliver(found.event)
        if not way.errors:
            break
        count("clocks")
        if way.letters or aws.account.iot.status(found.device) != "ACTIVE":
            aws.account.clock.advance(minutes=10)
            deliver(aws, knock(aws, found.device))
        aws.account.clock.advance(minutes=17)
        sweep(aws)
        assert aws.account.iot.status(found.device) == "ACTIVE", f"after call {at}"
        assert everything_wrong(aws.account, found.watched) == [], f"after call {at}"
    assert at > 10


# Services


@pytest.mark.parametrize("fault", OUTAGES)
@pytest.mark.parametrize("service", ["s3", "dynamodb", "iot"])
@pytest.mark.parametrize("ingestion", ["direct", "queue"])
def test_a_service_that_is_down_for_a_while_loses_nobody(
    aws: Cloud, count: Count, service: str, fault: Fault, ingestion: str
) -> None:
    """Nobody gets in meanwhile; dead letters say why; redriven, everybody is where they belong."""
    found = knocked()
    found.begin()
    aws.account.s3.objects[CRL] = listing(SERIAL + 1, held(SERIAL + 2), number=10)
    devices = [found.device, *(factory().issue(f"d-{n}", serial=SERIAL + n, key=key()) for n in (1, 2))]
    events = [knock(aws, each) for each in devices]
    aws.faults.down = (service, fault)
    count("services down")
    letters = _through(aws, events, ingestion)
    assert all(aws.account.iot.status(each) == "PENDING_ACTIVATION" for each in devices)
    if letters is None:
        # In the queue still: what only has to wait is no dead letter.
        assert fault is Fault.THROTTLED
    else:
        assert len(letters) == 3
        assert all(each.step is not None and each.reason != "internal" for each in letters)
    aws.faults.end()
    aws.account.clock.advance(minutes=5)
    _through(aws, [each.event for each in letters or ()], ingestion)
    aws.account.clock.advance(minutes=17)
    sweep(aws)
    ends = [aws.account.iot.status(each) for each in devices]
    assert ends == ["ACTIVE", "REVOKED", "PENDING_ACTIVATION"]
    assert everything_wrong(aws.account, found.watched) == []


def _through(aws: Cloud, events: list[Any], ingestion: str) -> Any:
    """Deliver events; returns the dead letters, None where messages still wait in the queue."""
    if ingestion == "direct":
        ways = [deliver(aws, each) for each in events]
        return [decode_dead_letter(letter) for way in ways for letter in way.letters]
    way = worker(aws)
    way.send(*map(json.dumps, events))
    emptied = way.work(until=aws.account.clock() + timedelta(hours=1))
    bodies = [each.body for each in aws.account.sqs.queues.pop(containers.DEAD_LETTERS, [])]
    return [decode_dead_letter(body) for body in bodies] if emptied else None


def test_an_answer_that_breaks_off_is_no_crl(aws: Cloud, count: Count, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 begins to answer and stops: half a CRL would list half of the revoked devices."""
    found = knocked()
    found.begin()

    class BrokenOff(io.BytesIO):
        def read(self, *_: Any, **__: Any) -> bytes:
            raise ProtocolError("broken off")

    real = aws.account.s3.GetObject

    def get(given: Any) -> Any:
        answer = real(given)
        return {**answer, "Body": StreamingBody(BrokenOff(), answer["ContentLength"])}

    monkeypatch.setattr(aws.account.s3, "GetObject", get, raising=False)
    count("services down")
    way = deliver(aws, found.event)
    (letter,) = map(decode_dead_letter, way.letters)
    assert (letter.reason, letter.step) == ("fetch_failed", 5)
    assert aws.account.iot.status(found.device) == "PENDING_ACTIVATION"


# A CRL that ends


@pytest.mark.parametrize("ingestion", ["direct", "queue"])
def test_a_crl_that_ends_in_the_middle_of_a_storm_stops_the_second_half(
    aws: Cloud, count: Count, ingestion: str
) -> None:
    """The first half is ACTIVE, the second waits and is not activated on a guess; with a new CRL all are ACTIVE."""
    found = knocked()
    found.begin()
    now = aws.account.clock()
    ends = now + timedelta(minutes=3)
    aws.account.s3.objects[CRL] = factory().crl(number=10, this_update=now - timedelta(minutes=50), next_update=ends)
    devices = [factory().issue(f"storm-{n}", serial=5000 + n, key=key()) for n in range(20)]
    early, late = devices[:10], devices[10:]
    count("CRL that ends")
    _through(aws, [knock(aws, each) for each in early], ingestion)
    assert {aws.account.iot.status(each) for each in early} == {"ACTIVE"}
    aws.account.clock.now = ends + timedelta(seconds=1)
    letters = _through(aws, [knock(aws, each) for each in late], ingestion)
    assert {aws.account.iot.status(each) for each in late} == {"PENDING_ACTIVATION"}
    assert sorted(each.certificate_id for each in letters) == sorted(each.certificate_id for each in late)
    assert {(each.reason, each.step) for each in letters} == {("expired", 5)}
    aws.account.s3.objects[CRL] = factory().crl(number=11, this_update=now - timedelta(minutes=40))
    assert _through(aws, [each.event for each in letters], ingestion) == []
    assert {aws.account.iot.status(each) for each in devices} == {"ACTIVE"}
    assert everything_wrong(aws.account, found.watched) == []
