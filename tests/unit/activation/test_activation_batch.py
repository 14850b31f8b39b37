"""Batches from the queue: one activation a device, nobody lost, nobody in anybody's way, and waiting is no failure."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

import pytest

from jitr.activation.queue import ATTEMPTS, MAX_RECEIVES, Delivery
from jitr.errors import Reason
from jitr_local import pki
from tests.aws.aws_faults import CallLog, Killed, failing, killed_after
from tests.worlds.deployment import CRL_KEY, TestDeployment
from tests.worlds.queue_ingestion import QueueIngestion


@pytest.fixture
def queue(deployment: TestDeployment) -> QueueIngestion:
    """The deployment behind a queue, with as many turns as it likes."""
    return QueueIngestion.before(deployment)


def devices(deployment: TestDeployment, number: int) -> list[pki.Device]:
    """Return devices with a name each."""
    return [deployment.ca.issue(f"device-{each}") for each in range(number)]


def statuses(deployment: TestDeployment, among: list[pki.Device]) -> Counter[str]:
    """Count devices by their certificates' status."""
    return Counter(deployment.iot.status(device) for device in among)


def counted(log: CallLog) -> Counter[str]:
    """Count calls by operation."""
    return Counter(log.calls)


def test_a_batch_is_decided_device_by_device(deployment: TestDeployment, queue: QueueIngestion) -> None:
    """Good ones ACTIVE, listed ones REVOKED, and nothing comes back."""
    good, listed = devices(deployment, 3), deployment.ca.issue("listed", serial=7)
    deployment.publish(deployment.ca.crl([7]))
    for device in [*good, listed]:
        queue.knock(device)
    assert queue.invoke() == []
    assert statuses(deployment, good) == {"ACTIVE": 3}
    assert deployment.iot.status(listed) == "REVOKED"
    assert queue.queues.waiting == []
    assert queue.letters() == []


def test_a_damaged_row_is_in_nobodys_way(deployment: TestDeployment, queue: QueueIngestion) -> None:
    """Its device comes back and is buried in the end; the others of its batch are decided."""
    damaged, sound = devices(deployment, 2)
    deployment.knock(damaged)
    rows = deployment.activation.rows
    key = rows.key_of(damaged.certificate_id)
    assert key is not None
    rows.write(key, "SET #state = :junk", {":junk": {"S": "JUNK"}}, "attribute_exists(#state)")
    deployment.activation = deployment.container()
    cold = QueueIngestion.before(deployment)
    for device in (damaged, sound):
        cold.knock(device)
    assert len(cold.invoke()) == 1
    assert deployment.iot.status(sound) == "ACTIVE"
    cold.settle()
    (letter,) = cold.letters()
    assert letter.certificate_id == damaged.certificate_id


def test_ten_knocks_in_one_batch_are_one_activation(deployment: TestDeployment, queue: QueueIngestion) -> None:
    """Three calls for all of them."""
    deployment.knock(deployment.ca.issue("first"))
    (device,) = devices(deployment, 1)
    for _ in range(10):
        queue.knock(device)
        deployment.clock.advance(seconds=1)
    log = CallLog(deployment.iot_client)
    assert queue.invoke() == []
    calls = counted(log)
    assert (calls["DescribeCertificate"], calls["AttachPolicy"], calls["UpdateCertificate"]) == (1, 1, 1)


def test_a_fleet_that_knocks_ten_times_each_costs_three_calls_a_device(
    deployment: TestDeployment, queue: QueueIngestion
) -> None:
    """In many batches, in the order of a storm: everybody's first knock, everybody's second, and so on."""
    fleet = devices(deployment, 12)
    for _ in range(10):
        for device in fleet:
            queue.knock(device)
        deployment.clock.advance(seconds=10)
    log = CallLog(deployment.iot_client)
    queue.settle()
    calls = counted(log)
    assert statuses(deployment, fleet) == {"ACTIVE": 12}
    assert [calls[name] for name in ("DescribeCertificate", "AttachPolicy", "UpdateCertificate")] == [12, 13, 12]
    assert calls["CreatePolicy"] == 1
    assert queue.letters() == []


def test_events_about_other_devices_are_not_taken_for_duplicates(
    deployment: TestDeployment, queue: QueueIngestion
) -> None:
    """Neither is an event that names the same certificate under another CA."""
    (device,) = devices(deployment, 1)
    event = queue.knock(device)
    queue.send(event | {"caCertificateId": "f" * 64})
    assert queue.invoke() == []
    assert deployment.iot.status(device) == "ACTIVE"


HOSTILE: list[Any] = [
    "",
    "not JSON",
    "[]",
    "null",
    "[" * 50_000,
    '{"certificateId": "<script>", "caCertificateId": {}, "awsAccountId": []}',
    {"certificateId": "0" * 64},
    {"certificateId": ["x"], "caCertificateId": None, "awsAccountId": 7, "timestamp": "x"},
    {"jitrDeadLetter": 1, "event": None},
]


@pytest.mark.parametrize("body", HOSTILE, ids=[f"body-{number}" for number in range(len(HOSTILE))])
def test_poison_becomes_a_dead_letter_at_once_and_is_in_nobodys_way(
    deployment: TestDeployment, queue: QueueIngestion, body: Any
) -> None:
    """First in its batch, and the others are decided all the same."""
    queue.send(body)
    fleet = devices(deployment, 2)
    for device in fleet:
        queue.knock(device)
    assert queue.invoke() == []
    assert statuses(deployment, fleet) == {"ACTIVE": 2}
    (letter,) = queue.letters()
    assert letter.reason in ("unreadable", "malformed_event")
    assert queue.queues.waiting == []


def test_what_is_unreadable_is_kept_as_it_came(queue: QueueIngestion) -> None:
    """For whoever wants to know where it came from."""
    queue.send("not JSON")
    queue.invoke()
    assert json.loads(queue.queues.dead[0])["body"] == "not JSON"


def test_an_event_of_another_account_is_buried_at_once(deployment: TestDeployment, queue: QueueIngestion) -> None:
    """Trying again does not make it ours."""
    (device,) = devices(deployment, 1)
    event = deployment.iot.connect(device, deployment.ca)
    queue.send(event | {"awsAccountId": "999999999999"})
    assert queue.invoke() == []
    (letter,) = queue.letters()
    assert letter.reason == Reason.FOREIGN_ACCOUNT


def test_an_undecided_event_is_buried_on_its_last_attempt_with_reason_step_and_event(
    deployment: TestDeployment, queue: QueueIngestion
) -> None:
    """After five attempts, later each time, by the function itself."""
    deployment.s3.delete_object(Bucket="jitr-test-crl", Key=CRL_KEY)
    (device,) = devices(deployment, 1)
    event = queue.knock(device)
    began = deployment.clock.now
    assert queue.settle() == ATTEMPTS
    (letter,) = queue.letters()
    assert (letter.reason, letter.step, letter.event) == ("no_crl", 5, event)
    assert "there is no CRL at" in letter.message
    assert letter.certificate_id == device.certificate_id
    assert deployment.iot.status(device) == "PENDING_ACTIVATION"
    assert (deployment.clock.now - began).total_seconds() > 15 * 60


def test_what_is_mended_meanwhile_is_activated(deployment: TestDeployment, queue: QueueIngestion) -> None:
    """The third attempt finds a CRL."""
    deployment.s3.delete_object(Bucket="jitr-test-crl", Key=CRL_KEY)
    (device,) = devices(deployment, 1)
    queue.knock(device)
    for _ in range(2):
        assert len(queue.invoke()) == 1
        deployment.clock.advance(minutes=20)
    deployment.publish(deployment.ca.crl())
    assert queue.invoke() == []
    assert deployment.iot.status(device) == "ACTIVE"
    assert queue.letters() == []


def test_one_device_has_one_dead_letter_however_often_it_knocked(
    deployment: TestDeployment, queue: QueueIngestion
) -> None:
    """Its events in the same batch share the end."""
    deployment.s3.delete_object(Bucket="jitr-test-crl", Key=CRL_KEY)
    (device,) = devices(deployment, 1)
    for _ in range(5):
        queue.knock(device)
    queue.settle()
    assert [letter.reason for letter in queue.letters()] == ["no_crl"]


@pytest.mark.parametrize("operation", ["DescribeCertificate", "AttachPolicy", "UpdateCertificate"])
def test_throttling_ends_the_batch_and_never_makes_a_dead_letter(
    deployment: TestDeployment, queue: QueueIngestion, operation: str
) -> None:
    """Hours of it, many receives each; when it is over, everybody is ACTIVE."""
    fleet = devices(deployment, 4)
    for device in fleet:
        queue.knock(device)
    with failing(deployment.iot_client, operation, "ThrottlingException"):
        log = CallLog(deployment.iot_client)
        assert len(queue.invoke()) == 4
        assert counted(log)["DescribeCertificate"] <= 1
        for _ in range(4 * ATTEMPTS):
            deployment.clock.advance(minutes=16)
            queue.invoke()
    assert queue.letters() == []
    queue.settle()
    assert statuses(deployment, fleet) == {"ACTIVE": 4}
    assert queue.letters() == []


def test_an_event_that_waits_for_weeks_comes_to_an_end(
    deployment: TestDeployment, queue: QueueIngestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS Lambda's own end to such chains is switched off, so the rounds are counted, and the last is a dead letter."""
    monkeypatch.setattr("jitr.activation.batch.MOST_ROUNDS", 3)
    (device,) = devices(deployment, 1)
    queue.knock(device)
    with failing(deployment.iot_client, "DescribeCertificate", "ThrottlingException"):
        for _ in range(6 * ATTEMPTS):
            deployment.clock.advance(minutes=16)
            queue.invoke()
    (letter,) = queue.letters()
    assert (letter.certificate_id, letter.reason) == (device.certificate_id, Reason.THROTTLED)
    assert queue.queues.waiting == []


@pytest.mark.parametrize(
    ("attributes", "rounds"),
    [
        (None, 0),
        ({"round": {"stringValue": "7", "dataType": "Number"}}, 7),
        ({"round": {"stringValue": "-7", "dataType": "Number"}}, 0),
        ({"round": {"stringValue": "9" * 40, "dataType": "Number"}}, 0),
        ({"round": {"binaryValue": "7"}}, 0),
        ("round", 0),
    ],
)
def test_rounds_are_read_from_what_anybody_may_have_sent(attributes: object, rounds: int) -> None:
    """Whoever may send to the queue may say anything; nothing of it stops a batch."""
    record = {"messageId": "m", "receiptHandle": "h", "body": "{}", "messageAttributes": attributes}
    assert Delivery.parse(record).round == rounds


def test_a_throttled_function_lets_the_others_wait_too(deployment: TestDeployment) -> None:
    """What is left of the rate is in the line that all containers stand in."""
    queue = QueueIngestion.before(deployment, per_second=1.0)
    throttled, *others = devices(deployment, 6)
    queue.knock(throttled)
    with failing(deployment.iot_client, "DescribeCertificate", "ThrottlingException"):
        queue.invoke()
    before = deployment.clock.now
    for device in others:
        queue.knock(device)
    queue.container()
    queue.invoke()
    assert statuses(deployment, others) == {"ACTIVE": 5}
    assert (deployment.clock.now - before).total_seconds() >= 1.1 * 5


def test_a_batch_keeps_to_the_pace(deployment: TestDeployment) -> None:
    """Half a device a second: ten devices take eighteen seconds; answered knocks cost no time."""
    queue = QueueIngestion.before(deployment, per_second=0.5)
    fleet = devices(deployment, 10)
    for device in fleet:
        queue.knock(device)
    began = deployment.clock.now
    assert queue.invoke() == []
    assert (deployment.clock.now - began).total_seconds() == pytest.approx(18, abs=0.1)
    for device in fleet:
        event = deployment.iot.connect(device, deployment.ca)
        queue.send(event | {"timestamp": int(began.timestamp() * 1000) - 60_000})
    again = deployment.clock.now
    assert queue.invoke() == []
    assert deployment.clock.now == again


def test_who_has_no_turn_in_time_goes_back_untried_and_gets_in_later(deployment: TestDeployment) -> None:
    """A share of one device in twenty seconds: most of a batch has to wait, and nobody is given up."""
    queue = QueueIngestion.before(deployment, per_second=0.05)
    fleet = devices(deployment, 10)
    for device in fleet:
        queue.knock(device)
    log = CallLog(deployment.iot_client)
    assert len(queue.invoke()) == 8
    assert counted(log)["DescribeCertificate"] == 2
    queue.settle()
    assert statuses(deployment, fleet) == {"ACTIVE": 10}
    assert queue.letters() == []
    assert counted(log)["DescribeCertificate"] == 10


def test_no_device_is_begun_when_time_runs_out(deployment: TestDeployment, queue: QueueIngestion) -> None:
    """Slow answers leave less and less; what is left goes back before Lambda cuts it short."""
    fleet = devices(deployment, 10)
    for device in fleet:
        queue.knock(device)
    slow = "before-call.iot.UpdateCertificate"
    deployment.iot_client.meta.events.register(slow, lambda **_: deployment.clock.advance(seconds=12))
    back = queue.invoke()
    assert len(back) == 7
    assert statuses(deployment, fleet)["ACTIVE"] == 3
    queue.settle()
    assert statuses(deployment, fleet) == {"ACTIVE": 10}
    assert queue.letters() == []


def test_those_tried_most_come_last(deployment: TestDeployment) -> None:
    """An event that kills the function does so after the others of its batch are done."""
    queue = QueueIngestion.before(deployment)
    deadly, *fleet = devices(deployment, 4)
    queue.knock(deadly)
    queue.queues.waiting[0].receives = 3
    for device in fleet:
        queue.knock(device)

    def kill(params: Any, **_: Any) -> None:
        if deadly.certificate_id in params["url_path"]:
            raise Killed("out of memory")

    deployment.iot_client.meta.events.register("before-call.iot.DescribeCertificate", kill)
    with pytest.raises(Killed):
        queue.invoke()
    assert statuses(deployment, fleet) == {"ACTIVE": 3}


def test_an_event_that_always_kills_the_function_ends_as_a_dead_letter_and_the_others_get_in(
    deployment: TestDeployment,
) -> None:
    """SQS moves it as it is; its reason is `crashed`."""
    queue = QueueIngestion.before(deployment, chance=Random(1).random)  # noqa: S311
    deadly, *fleet = devices(deployment, 4)
    for device in (deadly, *fleet):
        queue.knock(device)

    def kill(params: Any, **_: Any) -> None:
        if deadly.certificate_id in params["url_path"]:
            raise Killed("out of memory")

    deployment.iot_client.meta.events.register("before-call.iot.DescribeCertificate", kill)
    for _ in range(MAX_RECEIVES + 20):
        try:
            queue.invoke()
        except Killed:
            queue.container()
        deployment.clock.advance(minutes=5)
    assert queue.queues.waiting == []
    assert statuses(deployment, fleet) == {"ACTIVE": 3}
    (letter,) = queue.letters()
    assert (letter.reason, letter.certificate_id) == ("crashed", deadly.certificate_id)


@pytest.mark.parametrize("operation", ["AttachPolicy", "UpdateCertificate"])
def test_a_killed_batch_is_taken_up_again(deployment: TestDeployment, queue: QueueIngestion, operation: str) -> None:
    """All of its messages come back after the queue's time, when leases have ended; nobody is lost."""
    fleet = devices(deployment, 3)
    for device in fleet:
        queue.knock(device)
    with killed_after(deployment.iot_client, operation), pytest.raises(Killed):
        queue.invoke()
    queue.container()
    assert queue.invoke() == []
    assert queue.queues.receive(10) == []
    deployment.clock.advance(seconds=271)
    queue.settle()
    assert statuses(deployment, fleet) == {"ACTIVE": 3}
    assert {deployment.row_state(device) for device in fleet} == {"ACTIVE"}
    assert queue.letters() == []


def test_a_lease_of_a_killed_attempt_loses_no_event(deployment: TestDeployment, queue: QueueIngestion) -> None:
    """A newer knock meets the lease and is done; the killed one, in the same batch, comes back and carries on."""
    (device,) = devices(deployment, 1)
    queue.knock(device)
    with killed_after(deployment.iot_client, "AttachPolicy"), pytest.raises(Killed):
        queue.invoke()
    # SQS may hand a message over again before its time.
    queue.queues.waiting[0].visible_at = 0
    deployment.clock.advance(seconds=1)
    queue.knock(device)
    queue.container()
    assert queue.invoke() == ["message-1"]
    assert deployment.iot.status(device) == "PENDING_ACTIVATION"
    queue.settle()
    assert deployment.iot.status(device) == "ACTIVE"
    assert queue.letters() == []


def test_a_message_that_comes_twice_waits_for_its_own_first_delivery(
    deployment: TestDeployment, queue: QueueIngestion
) -> None:
    """At least once means sometimes twice at a time; the lease is its own, and it is no dead letter on the last one."""
    (device,) = devices(deployment, 1)
    queue.knock(device)
    with killed_after(deployment.iot_client, "AttachPolicy"), pytest.raises(Killed):
        queue.invoke()
    message = queue.queues.waiting[0]
    message.visible_at, message.receives = 0, ATTEMPTS - 1
    queue.container()
    assert queue.invoke() == []
    (copy,) = queue.queues.waiting
    assert (copy.message_id, copy.receives) == ("message-2", 0)
    assert copy.visible_at - deployment.clock.now.timestamp() >= 60
    queue.settle()
    assert deployment.iot.status(device) == "ACTIVE"
    assert queue.letters() == []


def test_a_letter_that_cannot_be_sent_leaves_the_event_in_the_queue(
    deployment: TestDeployment, queue: QueueIngestion
) -> None:
    """Send first, delete then; poison too comes back until there is a letter about it."""
    queue.send("poison")
    (device,) = devices(deployment, 1)
    queue.knock(device)
    queue.queues.failing = True
    assert queue.invoke() == ["message-1"]
    assert deployment.iot.status(device) == "ACTIVE"
    queue.queues.failing = False
    deployment.clock.advance(minutes=5)
    assert queue.invoke() == []
    assert [letter.reason for letter in queue.letters()] == ["unreadable"]


def test_a_queue_that_cannot_be_told_to_wait_brings_events_back_by_itself(
    deployment: TestDeployment, queue: QueueIngestion
) -> None:
    """After its own visibility timeout."""
    deployment.s3.delete_object(Bucket="jitr-test-crl", Key=CRL_KEY)
    (device,) = devices(deployment, 1)
    queue.knock(device)
    queue.queues.failing = True
    assert queue.invoke() == ["message-1"]
    assert queue.queues.waiting[0].visible_at == pytest.approx(deployment.clock.now.timestamp() + 270)


def test_a_dead_letter_that_is_moved_back_is_decided_like_the_event_in_it(
    deployment: TestDeployment, queue: QueueIngestion
) -> None:
    """As by SQS's own redrive in the console; if it fails again, the letter holds the event, not the letter."""
    deployment.s3.delete_object(Bucket="jitr-test-crl", Key=CRL_KEY)
    (device,) = devices(deployment, 1)
    event = queue.knock(device)
    queue.settle()
    queue.queues.redrive()
    queue.settle()
    assert [letter.event for letter in queue.letters()] == [event]
    deployment.publish(deployment.ca.crl())
    queue.queues.redrive()
    queue.settle()
    assert deployment.iot.status(device) == "ACTIVE"


@pytest.mark.parametrize("attempt", range(1, ATTEMPTS))
@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_an_event_waits_longer_than_a_lease_and_longer_each_time(
    deployment: TestDeployment, attempt: int, chance: float
) -> None:
    """Full jitter above a minute, so that a fleet's retries do not come all at once."""
    queue = QueueIngestion.before(deployment, chance=chance)
    deployment.s3.delete_object(Bucket="jitr-test-crl", Key=CRL_KEY)
    (device,) = devices(deployment, 1)
    queue.knock(device)
    queue.queues.waiting[0].receives = attempt - 1
    queue.invoke()
    waits = queue.queues.waiting[0].visible_at - deployment.clock.now.timestamp()
    assert waits == pytest.approx(60 if chance == 0 else min(60 * 2**attempt, 900), abs=1.0)
