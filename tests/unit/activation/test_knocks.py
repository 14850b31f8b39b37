"""Repeated knocks cost no quota: how often AWS IoT is asked about a device that knocks again and again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jitr.activation.knocks import CLOCK_MARGIN
from jitr.aws.state_table import StateTable
from jitr.errors import Outcome, Reason, Undecided
from jitr.registry.rows import Registry
from jitr_local import pki
from tests.aws.aws_faults import CallLog, Killed, failing, killed_after
from tests.worlds.deployment import TABLE, TestDeployment

AN_ACTIVATION = ["DescribeCertificate", "AttachPolicy", "UpdateCertificate"]


def milliseconds(at: datetime) -> int:
    """Return a time as AWS writes it into an event."""
    return int(at.timestamp() * 1000)


def knock(deployment: TestDeployment, device: pki.Device, *, ago: float = 0, **different: Any) -> dict[str, Any]:
    """Let a device connect, and return the event, published so many seconds ago."""
    event = deployment.iot.connect(device, deployment.ca)
    event["timestamp"] = milliseconds(deployment.clock.now - timedelta(seconds=ago))
    return event | different


@pytest.fixture
def asked(deployment: TestDeployment) -> CallLog:
    """The calls to AWS IoT that are made from now on, once what every container asks once is known."""
    deployment.knock(deployment.ca.issue("another"))
    return CallLog(deployment.iot_client)


def quota_calls(log: CallLog) -> list[str]:
    """Return the calls that devices cost, without those about CAs and Things."""
    return [call for call in log.calls if call in AN_ACTIVATION]


@pytest.mark.parametrize("containers", ["same", "another"])
def test_ten_knocks_while_waiting_cost_one_activation(
    deployment: TestDeployment, asked: CallLog, containers: str
) -> None:
    """Three calls for the first, none for the other nine, in whichever container they end."""
    device = deployment.ca.issue("device-1")
    knocks = [knock(deployment, device, ago=100 - 10 * number) for number in range(10)]
    deployment.clock.advance(seconds=30)
    results = []
    for event in knocks:
        results.append(deployment.deliver(event))
        if containers == "another":
            deployment.activation = deployment.container()
            deployment.activation.authorities.find(deployment.ca.ca_certificate_id, at=deployment.clock())
    assert [each.outcome for each in results] == [Outcome.ACTIVATED, *[Outcome.ALREADY_DECIDED] * 9]
    assert {(each.reason, each.step) for each in results[1:]} == {("active", 2)}
    assert quota_calls(asked) == AN_ACTIVATION
    assert deployment.iot.status(device) == "ACTIVE"


def test_the_same_container_does_not_even_ask_the_table(deployment: TestDeployment) -> None:
    """It remembers what it activated."""
    device = deployment.ca.issue("device-1")
    first, second = knock(deployment, device, ago=60), knock(deployment, device, ago=30)
    deployment.deliver(first)
    log = CallLog(deployment.iot_client, deployment.dynamodb)
    assert deployment.deliver(second).outcome is Outcome.ALREADY_DECIDED
    assert log.calls == []


def test_another_container_asks_the_table_once(deployment: TestDeployment) -> None:
    """Two reads for the first late knock, none for those after it."""
    device = deployment.ca.issue("device-1")
    knocks = [knock(deployment, device, ago=60 - number) for number in range(3)]
    deployment.deliver(knocks[0])
    deployment.activation = deployment.container()
    log = CallLog(deployment.iot_client, deployment.dynamodb)
    assert {deployment.deliver(event).outcome for event in knocks[1:]} == {Outcome.ALREADY_DECIDED}
    assert log.calls == ["GetItem", "GetItem"]


@pytest.mark.parametrize(
    "timestamp",
    [None, "1700000000000", -1, 0, True, 1.5, 10**30, [], {}, "future", "month-old"],
    ids=["missing", "text", "negative", "zero", "true", "fraction", "huge", "list", "object", "future", "month-old"],
)
def test_a_knock_without_a_usable_time_takes_the_long_way(
    deployment: TestDeployment, asked: CallLog, timestamp: Any
) -> None:
    """Nothing is concluded from what AWS would not write."""
    device = deployment.ca.issue("device-1")
    deployment.deliver(knock(deployment, device, ago=60))
    event = knock(deployment, device, ago=60)
    if timestamp == "future":
        timestamp = milliseconds(deployment.clock.now + timedelta(days=1))
    if timestamp == "month-old":
        timestamp = milliseconds(deployment.clock.now - timedelta(days=31))
    event["timestamp"] = timestamp
    if timestamp is None:
        del event["timestamp"]
    asked.calls.clear()
    result = deployment.deliver(event)
    assert (result.outcome, result.reason) == (Outcome.ALREADY_DECIDED, "active")
    assert asked.calls == ["DescribeCertificate"]


@pytest.mark.parametrize(("seconds", "answered"), [(-6, True), (-5, False), (-1, False), (0, False), (4, False)])
def test_clocks_may_differ_by_the_margin(
    deployment: TestDeployment, asked: CallLog, seconds: int, answered: bool
) -> None:
    """A knock shortly before the activation, by AWS IoT's clock, may have been after it by ours.

    Where it says nothing of the registration, as first events do not.
    """
    assert timedelta(seconds=5) == CLOCK_MARGIN
    device = deployment.ca.issue("device-1")
    deployment.deliver(knock(deployment, device, ago=60))
    activated = deployment.clock.now
    deployment.clock.advance(seconds=10)
    event = knock(deployment, device, certificateRegistrationTimestamp=None)
    event["timestamp"] = milliseconds(activated + timedelta(seconds=seconds))
    asked.calls.clear()
    deployment.deliver(event)
    assert asked.calls == ([] if answered else ["DescribeCertificate"])


@pytest.mark.parametrize(
    ("registered", "knocked", "answered"),
    [
        (-60, -1, True),
        (-60, 4, True),
        (-60, 59, True),
        (-60, 61, False),
        (-2, 4, True),
        (-1, 4, False),
        (3, 4, False),
    ],
    ids=["before", "at the same moment", "soon after", "later", "just before", "just registered", "registered again"],
)
def test_what_was_registered_before_its_activation_is_answered_at_that_moment(
    deployment: TestDeployment, asked: CallLog, registered: int, knocked: int, *, answered: bool
) -> None:
    """A certificate that was ACTIVE never waits for activation again, unless it was deleted and registered again."""
    device = deployment.ca.issue("device-1")
    deployment.deliver(knock(deployment, device, ago=60))
    activated = deployment.clock.now
    deployment.clock.advance(minutes=5)
    event = knock(deployment, device)
    event["timestamp"] = milliseconds(activated + timedelta(seconds=knocked))
    event["certificateRegistrationTimestamp"] = str(milliseconds(activated + timedelta(seconds=registered)))
    asked.calls.clear()
    deployment.deliver(event)
    assert quota_calls(asked) == ([] if answered else ["DescribeCertificate"])


@pytest.mark.parametrize("containers", ["same", "another"])
def test_a_certificate_that_was_deleted_and_registered_again_is_looked_at(
    deployment: TestDeployment, asked: CallLog, containers: str
) -> None:
    """Its knock is newer than the activation that is remembered."""
    device = deployment.ca.issue("device-1")
    deployment.deliver(knock(deployment, device, ago=60))
    deployment.clock.advance(minutes=2)
    registered = deployment.iot.certificates.pop(device.certificate_id)
    registered.policies.clear()
    if containers == "another":
        deployment.activation = deployment.container()
    asked.calls.clear()
    result = deployment.deliver(knock(deployment, device))
    assert (result.outcome, result.reason) == (Outcome.ACTIVATED, None)
    assert deployment.iot.status(device) == "ACTIVE"
    assert quota_calls(asked)[:3] == AN_ACTIVATION


@pytest.mark.parametrize("containers", ["same", "another"])
@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_late_knock_of_a_device_that_was_switched_off_switches_nothing_on(
    deployment: TestDeployment, containers: str, status: str
) -> None:
    """Whether it is answered from memory or the long way (I3)."""
    device = deployment.ca.issue("device-1", serial=7)
    first, late = knock(deployment, device, ago=60), knock(deployment, device, ago=30)
    deployment.deliver(first)
    if status == "REVOKED":
        deployment.publish(deployment.ca.crl([7]))
        deployment.sweep()
    else:
        deployment.iot.certificates[device.certificate_id].status = "INACTIVE"
    if containers == "another":
        deployment.activation = deployment.container()
    log = CallLog(deployment.iot_client)
    assert deployment.deliver(late).outcome is Outcome.ALREADY_DECIDED
    assert deployment.iot.status(device) == status
    assert "UpdateCertificate" not in log.calls


def row_of(deployment: TestDeployment, device: pki.Device) -> dict[str, Any]:
    """Return the registry row of an activated device, for tests that change it."""
    row = deployment.row(device)
    assert row is not None
    return row


@pytest.mark.parametrize("change", ["wanted", "activating", "unknown", "two", "imported", "no-row"])
def test_what_the_registry_does_not_say_clearly_is_asked_for(deployment: TestDeployment, change: str) -> None:
    """Wanted revocations, open activations, other certificates with the serial number: the long way."""
    device = deployment.ca.issue("device-1")
    late = knock(deployment, device, ago=30)
    deployment.deliver(knock(deployment, device, ago=60))
    row = row_of(deployment, device)
    if change == "wanted":
        row |= {"state": {"S": "REVOKE_WANTED"}, "wanted_status": {"S": "REVOKED"}}
    elif change == "activating":
        row |= {"state": {"S": "ACTIVATING"}, "lease_owner": {"S": "x"}, "lease_until": {"N": "1"}}
    elif change == "two":
        row |= {"certificate_ids": {"SS": [device.certificate_id, "f" * 64]}}
    elif change == "imported":
        del row["activated_at_ms"]
    if change == "unknown":
        deployment.dynamodb.delete_item(
            TableName=TABLE, Key={"pk": {"S": f"id#{device.certificate_id}"}, "sk": {"S": "known"}}
        )
    elif change == "no-row":
        deployment.dynamodb.delete_item(TableName=TABLE, Key={"pk": row["pk"], "sk": row["sk"]})
    else:
        deployment.dynamodb.put_item(TableName=TABLE, Item=row)
    deployment.activation = deployment.container()
    log = CallLog(deployment.iot_client)
    assert deployment.deliver(late).outcome is Outcome.ALREADY_DECIDED
    assert next(each for each in log.calls if each != "DescribeCACertificate") == "DescribeCertificate"
    assert deployment.iot.status(device) == ("REVOKED" if change == "wanted" else "ACTIVE")
    if change == "activating":
        assert deployment.row_state(device) == "ACTIVE"


def test_a_step_8_that_was_interrupted_is_finished_by_the_events_own_retry(deployment: TestDeployment) -> None:
    """The row says ACTIVATING, so the knock is not answered by it, however late it comes."""
    device = deployment.ca.issue("device-1")
    event = knock(deployment, device, ago=60)
    with killed_after(deployment.iot_client, "UpdateCertificate"), pytest.raises(Killed):
        deployment.deliver(event, owner="r")
    assert (deployment.iot.status(device), deployment.row_state(device)) == ("ACTIVE", "ACTIVATING")
    deployment.clock.advance(minutes=2)
    deployment.activation = deployment.container()
    assert deployment.deliver(event, owner="r").outcome is Outcome.ALREADY_DECIDED
    assert deployment.row_state(device) == "ACTIVE"


def test_an_event_that_was_overtaken_activates_nothing_again(deployment: TestDeployment) -> None:
    """Two functions saw PENDING_ACTIVATION; the one that comes second to the row finds that its answer is outdated."""
    device = deployment.ca.issue("device-1")
    deployment.knock(deployment.ca.issue("another"))
    slow, quick = (knock(deployment, device, ago=ago) for ago in (20, 10))
    other = deployment.container()
    log = CallLog(deployment.iot_client)
    overtaken = False

    def overtake(**_: Any) -> None:
        nonlocal overtaken
        if not overtaken:
            overtaken = True
            deployment.clock.advance(seconds=1)
            assert other.activate(quick, owner="quick").outcome is Outcome.ACTIVATED

    deployment.iot_client.meta.events.register("after-call.iot.DescribeCertificate", overtake)
    result = deployment.deliver(slow)
    assert (result.outcome, result.reason, result.step) == (Outcome.ALREADY_DECIDED, "active", 6)
    assert log.calls.count("UpdateCertificate") == 1
    assert (deployment.iot.status(device), deployment.row_state(device)) == ("ACTIVE", "ACTIVE")


def test_a_rejection_answers_the_knocks_before_it_for_a_while(deployment: TestDeployment, asked: CallLog) -> None:
    """A device whose Thing is another's knocks as often as a good one."""
    deployment.knock(deployment.ca.issue("taken"))
    device = deployment.ca.issue("taken")
    knocks = [knock(deployment, device, ago=60 - number) for number in range(5)]
    asked.calls.clear()
    results = [deployment.deliver(event) for event in knocks]
    assert {(each.outcome, each.reason) for each in results} == {(Outcome.REJECTED, Reason.THING_IN_USE)}
    assert quota_calls(asked) == ["DescribeCertificate"]
    deployment.clock.advance(minutes=6)
    deployment.deliver(knocks[4])
    assert quota_calls(asked) == ["DescribeCertificate"] * 2


def test_a_device_that_knocks_after_its_rejection_is_looked_at_again(
    deployment: TestDeployment, asked: CallLog
) -> None:
    """It may have been put right meanwhile."""
    deployment.knock(deployment.ca.issue("taken"))
    device = deployment.ca.issue("taken")
    deployment.deliver(knock(deployment, device, ago=60))
    deployment.clock.advance(seconds=10)
    asked.calls.clear()
    deployment.deliver(knock(deployment, device))
    assert quota_calls(asked) == ["DescribeCertificate"]


def test_waiting_is_never_remembered(deployment: TestDeployment, asked: CallLog) -> None:
    """`lease_held` least of all: the event that is answered might be the one that has to carry on."""
    device = deployment.ca.issue("device-1", not_before=pki.now() + 2 * pki.DAY)
    for ago in (60, 30):
        assert deployment.deliver(knock(deployment, device, ago=ago)).outcome is Outcome.WAITING
    assert quota_calls(asked) == ["DescribeCertificate"] * 2


def test_a_table_that_does_not_answer_costs_no_quota(deployment: TestDeployment, asked: CallLog) -> None:
    """Nothing would go on without it; the event comes back."""
    device = deployment.ca.issue("device-1")
    event = knock(deployment, device, ago=60)
    with failing(deployment.dynamodb, "GetItem", "InternalServerError", 500), pytest.raises(Undecided):
        deployment.deliver(event)
    assert quota_calls(asked) == []


def test_the_row_says_since_when_knocks_are_answered(deployment: TestDeployment) -> None:
    """A time before AWS IoT was asked for ACTIVE, in whole seconds, never a later one."""
    device = deployment.ca.issue("device-1")
    before = deployment.clock.now
    deployment.deliver(knock(deployment, device))
    rows = Registry(StateTable(deployment.dynamodb, TABLE))
    key = rows.key_of(device.certificate_id)
    assert key is not None
    row = rows.row(key)
    assert row is not None
    assert row.activated_at == before.astimezone(UTC)


def test_memory_is_bounded(deployment: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes; the table still knows it."""
    monkeypatch.setattr("jitr.activation.knocks._REMEMBERED", 2)
    devices = [deployment.ca.issue(f"device-{number}") for number in range(4)]
    for device in devices:
        deployment.deliver(knock(deployment, device, ago=60))
    log = CallLog(deployment.iot_client, deployment.dynamodb)
    deployment.deliver(knock(deployment, devices[3], ago=30))
    assert log.calls == []
    deployment.deliver(knock(deployment, devices[0], ago=30))
    assert log.calls == ["GetItem", "GetItem"]
