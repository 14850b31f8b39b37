"""bench/storm itself: its clock, its quotas and its queues do what AWS does, and no device is lost in a storm."""

from __future__ import annotations

import pytest

from bench.storm.queues import StandardQueue
from bench.storm.quotas import Quotas
from bench.storm.scenario import Mode, Scenario, Who
from bench.storm.storm import run
from bench.storm.virtual_time import TimedOut, VirtualTime
from tests.worlds.seeded import seeded


def test_processes_take_turns_by_the_time_they_wake() -> None:
    """Blocking code of several processes is one line of events, whatever the machine does."""
    time, seen = VirtualTime(), []

    def process(name: str, seconds: float) -> None:
        for _ in range(3):
            time.sleep(seconds)
            seen.append((time.now, name))

    time.start(lambda: process("a", 2.0))
    time.start(lambda: process("b", 3.0))
    time.after(5.0, lambda: seen.append((time.now, "event")))
    time.run(until=100.0)
    assert seen == [(2, "a"), (3, "b"), (4, "a"), (5, "event"), (6, "b"), (6, "a"), (9, "b")]


def test_a_process_that_outlives_its_limit_is_killed_there() -> None:
    """Past everything that catches Exception, as Lambda does; afterwards its thread may go on."""
    time = VirtualTime()
    seen: list[float] = []

    def process() -> None:
        time.limit(10.0)
        try:
            while True:
                try:
                    time.sleep(4.0)
                except Exception:  # noqa: BLE001 - nothing of the kind may come here
                    seen.append(-1.0)
        except TimedOut:
            seen.append(time.now)
        time.sleep(1.0)
        seen.append(time.now)

    time.start(process)
    time.run(until=100.0)
    assert seen == [10.0, 11.0]


def test_what_a_process_raises_ends_the_run() -> None:
    """A mistake in the code under test is no silence."""
    time = VirtualTime()

    def fail() -> None:
        time.sleep(1.0)
        raise ZeroDivisionError

    time.start(fail)
    with pytest.raises(ZeroDivisionError):
        time.run(until=10.0)


def test_a_quota_lets_its_rate_through_and_a_second_of_it_at_once() -> None:
    """Ten calls at once, then ten a second; the rest is throttled and counted."""
    now = 0.0
    quotas = Quotas(lambda: now)
    answered = 0
    for tenth in range(100):
        now = tenth / 10
        answered += sum(quotas.take("DescribeCertificate") for _ in range(5))
    assert 100 <= answered <= 110
    assert quotas.throttled["DescribeCertificate"] == 500 - answered
    assert all(quotas.take("DescribeEndpoint") for _ in range(100))


def test_what_others_use_is_gone() -> None:
    """Of ten calls a second four are somebody else's."""
    now = 0.0
    quotas = Quotas(lambda: now, others=4.0)
    answered = 0
    for tenth in range(1000):
        now = tenth / 10
        answered += sum(quotas.take("UpdateCertificate") for _ in range(5))
    assert answered == pytest.approx(600, abs=12)


def queue(time: VirtualTime) -> StandardQueue:
    """Make a queue whose messages come back after 30 seconds, at most twice."""
    return StandardQueue(time, seeded(1), visibility=30.0, maximum_receives=2, epoch=lambda: time.now)


def test_a_message_that_is_not_deleted_comes_back_and_then_dies() -> None:
    """Hidden for its time, delivered as often as the queue allows, then a dead letter, and never in two places."""
    time = VirtualTime()
    found, received = queue(time), []
    found.send("one")

    def look() -> None:
        received.append([(each.body, each.received) for each in found.receive(10)])

    for at in (1.0, 20.0, 32.0, 70.0, 80.0):
        time.after(at, look)
    time.run(until=100.0)
    assert received == [[("one", 1)], [], [("one", 2)], [], []]
    assert (found.dead, found.depth) == (["one"], 0)


def test_a_message_can_be_put_off_and_deleted() -> None:
    """The last word on its visibility counts; once deleted it does not come back."""
    time = VirtualTime()
    found = queue(time)
    received: list[tuple[float, str]] = []
    found.send("later", delay=5.0)

    def look() -> None:
        received.extend((time.now, each.receipt) for each in found.receive(10))

    def put_off() -> None:
        found.hide("1-1", 60.0)

    def delete() -> None:
        found.delete([*found.hidden.values()])

    for at, action in ((1.0, look), (6.0, look), (7.0, put_off), (50.0, look), (70.0, look), (71.0, delete)):
        time.after(at, action)
    time.run(until=200.0)
    assert received == [(6.0, "1-1"), (70.0, "1-2")]
    assert found.waiting_bodies() == []


def test_a_storm_through_the_queue_loses_nobody_and_stays_inside_its_share() -> None:
    """Real function, real botocore: nobody lost, next to nothing throttled, duplicates mostly without a call."""
    storm = run(Scenario(devices=300))
    assert (storm.activated, storm.lost, storm.dead_letters) == (300, 0, 0)
    assert storm.throttled_share <= 0.05
    assert storm.per_second <= storm.bound * 1.01
    assert storm.share_of_bound >= 0.85  # at 300 devices the start counts; `make bench-storm` shows 1,000 and more
    assert storm.unneeded >= 0.5
    assert not [reason for _, reason in storm.outcomes if reason == "internal"]


@pytest.mark.parametrize("mode", list(Mode), ids=str)
def test_devices_that_knock_once_and_go_quiet_become_active(mode: Mode) -> None:
    """Nobody else repeats their events: each one that went missing would be a device lost."""
    storm = run(Scenario(devices=150, mode=mode, knocks=1))
    assert (storm.events, storm.activated, storm.lost) == (150, 150, 0)


def test_a_busy_account_slows_the_storm_and_loses_nobody() -> None:
    """Others use so much that the share is not there: throttled calls wait, and nothing becomes a dead letter."""
    storm = run(Scenario(devices=100, others=8.0))
    assert (storm.activated, storm.lost, storm.dead_letters) == (100, 0, 0)
    assert storm.throttled > 0
    assert not [reason for _, reason in storm.outcomes if reason == "internal"]


def test_a_storm_is_the_same_in_every_run() -> None:
    """Certificates differ, times do not."""
    first, second = (run(Scenario(devices=60)) for _ in range(2))
    assert (first.seconds, first.calls, sorted(first.waits)) == (second.seconds, second.calls, sorted(second.waits))


def test_the_usual_handler_wastes_what_the_queue_saves() -> None:
    """The peer runs in the same world: many times the calls for each device, and most of them throttled."""
    usual = run(Scenario(devices=60, mode=Mode.DIRECT, who=Who.USUAL, longest_seconds=3600.0))
    ours = run(Scenario(devices=60))
    assert usual.calls_per_device > 2 * ours.calls_per_device
    assert usual.throttled_share > 0.2 > ours.throttled_share
