"""Step 5a: where a CA has an allow-list, only those it names become ACTIVE."""

from __future__ import annotations

import pytest

from jitr.authorities.allow_list import AllowList
from jitr.aws.state_table import StateTable
from jitr.errors import Outcome, Reason, Undecided
from tests.aws.aws_faults import failing
from tests.worlds.deployment import TestDeployment


@pytest.fixture
def deployment(deployment: TestDeployment) -> TestDeployment:
    """A deployment whose CA has an allow-list."""
    deployment.configure(allow_list=True)
    return deployment


def test_a_serial_number_on_the_list_is_activated(deployment: TestDeployment) -> None:
    """The list names it, the CRL does not."""
    deployment.allow(7)
    assert deployment.knock(deployment.ca.issue(serial=7)).outcome is Outcome.ACTIVATED


def test_one_that_is_not_stays_pending_until_it_is(deployment: TestDeployment) -> None:
    """Nothing is decided for good: the next connect after the import activates."""
    device = deployment.ca.issue(serial=8)
    deployment.allow(7, 80, 0x80)
    result = deployment.knock(device)
    assert (result.outcome, result.reason, result.step) == (Outcome.WAITING, Reason.NOT_ALLOWED, 5)
    assert deployment.iot.status(device) == "PENDING_ACTIVATION"
    assert deployment.row(device) is None
    deployment.allow(8)
    assert deployment.knock(device).outcome is Outcome.ACTIVATED


def test_another_cas_list_does_not_count(deployment: TestDeployment) -> None:
    """Serial numbers are a CA's own."""
    deployment.dynamodb.put_item(TableName="jitr-test-state", Item={"pk": {"S": f"allow#{'0' * 64}"}, "sk": {"S": "7"}})
    assert deployment.knock(deployment.ca.issue(serial=7)).reason == Reason.NOT_ALLOWED


def test_a_listed_certificate_is_revoked_whatever_the_list_says(deployment: TestDeployment) -> None:
    """The CRL comes first, for those on the allow-list and for others."""
    deployment.publish(deployment.ca.crl([7, 8]))
    deployment.allow(7)
    assert deployment.knock(deployment.ca.issue(serial=7)).reason == Reason.REVOKED
    assert deployment.knock(deployment.ca.issue("other", serial=8)).reason == Reason.REVOKED


def test_an_unreadable_list_allows_nobody(deployment: TestDeployment) -> None:
    """Unknown is not good."""
    deployment.allow(7)
    device = deployment.ca.issue(serial=7)
    event = deployment.iot.connect(device, deployment.ca)
    with failing(deployment.dynamodb, "GetItem", "InternalServerError", 500), pytest.raises(Undecided):
        deployment.deliver(event)
    assert deployment.iot.status(device) == "PENDING_ACTIVATION"


def test_the_list_can_be_read(deployment: TestDeployment) -> None:
    """Serial numbers of any length, those of this CA alone."""
    deployment.allow(7, 2**159 - 1)
    found = AllowList(StateTable(deployment.dynamodb, "jitr-test-state")).serials(deployment.ca.ca_certificate_id)
    assert sorted(found) == [7, 2**159 - 1]
