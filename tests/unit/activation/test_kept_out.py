"""A CA that keeps its devices out does so before anything is asked of AWS IoT about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jitr.authorities.records import CaRecords
from jitr.aws.state_table import StateTable
from jitr.errors import Outcome, Reason
from jitr.settings import CaStatus
from jitr_local import pki
from tests.aws.aws_faults import CallLog, Killed, killed_after
from tests.worlds.deployment import TABLE, TestDeployment

QUOTA_LIMITED = {"DescribeCertificate", "UpdateCertificate", "AttachPolicy"}


def records(deployment: TestDeployment) -> CaRecords:
    """What operators write about CAs."""
    return CaRecords(StateTable(deployment.dynamodb, TABLE))


def hold(deployment: TestDeployment) -> None:
    """Do as `jitr ca hold`."""
    assert records(deployment).hold(deployment.ca.ca_certificate_id, by="somebody", at=deployment.clock())


def retire(deployment: TestDeployment, status: CaStatus = CaStatus.RETIRED) -> None:
    """Deploy another status."""
    (ca,) = deployment.configuration.cas
    deployment.configuration = replace(deployment.configuration, cas=(replace(ca, status=status),))


def deactivate(deployment: TestDeployment) -> None:
    """Set the CA INACTIVE in AWS IoT."""
    deployment.iot.cas[deployment.ca.ca_certificate_id].status = "INACTIVE"


KEPT_OUT: dict[Reason, Callable[[TestDeployment], None]] = {
    Reason.CA_ON_HOLD: hold,
    Reason.CA_RETIRED: retire,
    Reason.CA_INACTIVE: deactivate,
}


@pytest.mark.parametrize("reason", list(KEPT_OUT), ids=str)
def test_a_knock_of_a_ca_that_keeps_its_devices_out_costs_no_quota(deployment: TestDeployment, reason: Reason) -> None:
    """The same outcome and step as ever, and nothing is asked about the device, however often it knocks."""
    KEPT_OUT[reason](deployment)
    deployment.activation = deployment.container()
    device = deployment.ca.issue("device-1")
    log = CallLog(deployment.iot_client)
    for _ in range(3):
        result = deployment.knock(device)
        assert (result.outcome, result.reason, result.step) == (Outcome.WAITING, reason, 3)
    assert not QUOTA_LIMITED & set(log.calls)
    assert deployment.iot.status(device) == "PENDING_ACTIVATION"


def begun(deployment: TestDeployment, device: pki.Device) -> Any:
    """Let an activation be killed when AWS IoT was asked for ACTIVE, and return its event."""
    event = deployment.iot.connect(device, deployment.ca)
    with killed_after(deployment.iot_client, "UpdateCertificate"), pytest.raises(Killed):
        deployment.deliver(event, owner="first")
    assert deployment.iot.status(device) == "ACTIVE"
    return event


@pytest.mark.parametrize("reason", list(KEPT_OUT), ids=str)
def test_what_was_begun_is_finished_whatever_the_cas_state(deployment: TestDeployment, reason: Reason) -> None:
    """The device is ACTIVE, its row is not: the retry closes it, hold or not (I5)."""
    device = deployment.ca.issue("device-1")
    event = begun(deployment, device)
    KEPT_OUT[reason](deployment)
    deployment.clock.advance(minutes=2)
    deployment.activation = deployment.container()
    assert deployment.deliver(event, owner="first").outcome is Outcome.ALREADY_DECIDED
    row = deployment.row(device)
    assert row is not None
    assert row["state"] == {"S": "ACTIVE"}


def test_a_revocation_that_is_wanted_is_carried_out_on_a_hold(deployment: TestDeployment) -> None:
    """Marked while its activation was under way, and that was killed: off with the next event."""
    device = deployment.ca.issue("device-1", serial=7)
    event = begun(deployment, device)
    row = deployment.row(device)
    assert row is not None
    deployment.dynamodb.put_item(
        TableName=TABLE, Item=row | {"state": {"S": "REVOKE_WANTED"}, "wanted_status": {"S": "REVOKED"}}
    )
    hold(deployment)
    deployment.clock.advance(minutes=2)
    deployment.activation = deployment.container()
    deployment.deliver(event, owner="first")
    assert deployment.iot.status(device) == "REVOKED"


def test_a_listed_device_that_was_marked_is_switched_off_on_a_hold(deployment: TestDeployment) -> None:
    """Killed between the mark and the call: the retry finds the row by the certificate's id."""
    device = deployment.ca.issue("device-1", serial=7)
    deployment.publish(deployment.ca.crl([7]))
    event = deployment.iot.connect(device, deployment.ca)
    with killed_after(deployment.iot_client, "DescribeCertificate"), pytest.raises(Killed):
        deployment.deliver(event, owner="first")
    deployment.deliver(event, owner="first")
    assert deployment.iot.status(device) == "REVOKED"
    known = deployment.dynamodb.get_item(
        TableName=TABLE, Key={"pk": {"S": f"id#{device.certificate_id}"}, "sk": {"S": "known"}}
    )
    assert "Item" in known


def test_a_hold_that_ended_keeps_nobody_out_for_longer_than_a_minute(deployment: TestDeployment) -> None:
    """Whatever a container remembers of the CA."""
    device = deployment.ca.issue("device-1")
    hold(deployment)
    assert deployment.knock(device).reason == Reason.CA_ON_HOLD
    records(deployment).resume(deployment.ca.ca_certificate_id, by="somebody", at=deployment.clock())
    deployment.clock.advance(seconds=60)
    assert deployment.knock(device).outcome is Outcome.ACTIVATED


def test_an_open_lease_is_never_taken_for_a_no(deployment: TestDeployment) -> None:
    """Another event of the device waits, and once the lease has ended the next one is looked at."""
    device = deployment.ca.issue("device-1")
    begun(deployment, device)
    deployment.iot.certificates[device.certificate_id].status = "PENDING_ACTIVATION"
    other = deployment.iot.connect(device, deployment.ca)
    assert deployment.deliver(other, owner="other").reason == Reason.LEASE_HELD
    deployment.clock.advance(minutes=2)
    assert deployment.deliver(other, owner="other").outcome is Outcome.ACTIVATED
