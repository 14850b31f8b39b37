"""Events that circle: throttled for hours they make no dead letter, so their figures have to wake somebody up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

from jitr.messages.event import age_seconds
from tests.aws.aws_faults import failing
from tests.aws.emf import follow_stdout, written
from tests.worlds.deployment import TestDeployment
from tests.worlds.queue_ingestion import QueueIngestion

# The alarm EventsHeldUp: its threshold and its period in seconds, as tests/infra/test_alarms.py finds them.
THRESHOLD, PERIOD = 3600, 1800
HOURS = 3
EVENT = {"certificateId": "a" * 64, "caCertificateId": "b" * 64, "awsAccountId": "1" * 12}


def figures(capsys: pytest.CaptureFixture[str]) -> Iterator[tuple[str, float]]:
    """Yield the figures that were written since the last look, by name."""
    for line in written(capsys):
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in directive["Metrics"]:
                yield from ((metric["Name"], value) for value in line[metric["Name"]])


def work_for_hours(queue: QueueIngestion, capsys: pytest.CaptureFixture[str]) -> dict[int, dict[str, list[float]]]:
    """Let the function take batches for hours, and return what it wrote by period."""
    clock, found = queue.deployment.clock, defaultdict[int, dict[str, list[float]]](lambda: defaultdict(list))
    began = clock.now.timestamp()
    while queue.queues.waiting and clock.now.timestamp() - began < HOURS * 3600:
        queue.invoke()
        for name, value in figures(capsys):
            found[int(clock.now.timestamp() - began) // PERIOD][name].append(value)
        soonest = min((message.visible_at for message in queue.queues.waiting), default=0.0)
        clock.advance(seconds=max(1.0, soonest - clock.now.timestamp()))
    return found


@pytest.mark.parametrize(
    ("client", "operation", "code", "others"),
    [
        ("dynamodb", "UpdateItem", "ProvisionedThroughputExceededException", True),
        ("dynamodb", "GetItem", "ThrottlingException", True),
        ("iot_client", "DescribeCertificate", "ThrottlingException", False),
        ("iot_client", "AttachPolicy", "ThrottlingException", False),
    ],
    ids=["writes to the state table", "reads of the state table", "the first call", "a later call"],
)
def test_throttled_for_hours_an_event_makes_no_dead_letter_but_an_alarm(
    deployment: TestDeployment,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    client: str,
    operation: str,
    code: str,
    others: bool,
) -> None:
    """In every period from the second hour on, so it does not come and go, also when waits are as long as can be."""
    queue = QueueIngestion.before(deployment, chance=1.0)
    follow_stdout(monkeypatch)
    queue.knock(deployment.ca.issue("device"))
    with failing(getattr(deployment, client), operation, code):
        found = work_for_hours(queue, capsys)
    assert queue.letters() == []
    assert queue.queues.waiting, "the event still waits"
    ages = [max(found[period]["EventAgeSeconds"], default=0.0) for period in range(HOURS * 3600 // PERIOD)]
    assert [age > THRESHOLD for age in ages] == [period * PERIOD > THRESHOLD - PERIOD for period in range(len(ages))]
    if others:
        assert all(sum(of["Undecided"]) > sum(of["UndecidedThrottled"]) for of in found.values())


def test_events_that_are_put_back_for_hours_raise_the_same_alarm(
    deployment: TestDeployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invocations that never have the time to begin a device: nothing is undecided then, and nothing gets in."""
    queue = QueueIngestion.before(deployment, lasting=1.0, chance=1.0)
    follow_stdout(monkeypatch)
    queue.knock(deployment.ca.issue("device"))
    found = work_for_hours(queue, capsys)
    assert not any(of["Undecided"] for of in found.values())
    assert min(max(of["EventAgeSeconds"]) for period, of in found.items() if period > 2) > THRESHOLD


def test_an_event_that_ends_in_time_leaves_no_age(
    deployment: TestDeployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long it took is another figure."""
    queue = QueueIngestion.before(deployment)
    follow_stdout(monkeypatch)
    queue.knock(deployment.ca.issue("device"))
    queue.settle()
    names = {name for name, _ in figures(capsys)}
    assert "Activated" in names
    assert "EventAgeSeconds" not in names


@pytest.mark.parametrize(
    ("event", "age"),
    [
        (EVENT | {"timestamp": 1_000_000}, 500.0),
        (EVENT | {"timestamp": 2_000_000}, 0.0),
        (EVENT | {"timestamp": "1000000"}, None),
        (EVENT | {"timestamp": -5}, None),
        (EVENT, None),
        ({"timestamp": 1_000_000}, None),
        ("junk", None),
    ],
    ids=["past", "a clock that is ahead", "text", "negative", "not told", "not an event", "not an object"],
)
def test_the_age_of_an_event_is_what_it_says_or_nothing(event: object, age: float | None) -> None:
    """Nobody is woken up by what is no event."""
    assert age_seconds(event, 1500.0) == age
