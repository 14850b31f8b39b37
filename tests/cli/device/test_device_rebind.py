"""`jitr device rebind`: a Thing moves to another certificate of the same device."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jitr.errors import Outcome, Reason
from jitr.settings import ThingNameSource
from jitr_local.pki import Device
from tests.aws.aws_faults import CallLog, Killed, failing, killed_after
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.devices import active, end_lease, pending, reinstate, snapshot
from tests.worlds.deployment import TestDeployment

pytestmark = pytest.mark.usefixtures("same_account")


@pytest.fixture
def old(stack: TestDeployment) -> Device:
    """A device's first certificate, which has the Thing."""
    return active(stack)


@pytest.fixture
def new(stack: TestDeployment, old: Device) -> Device:
    """Its renewed one, which was turned away."""
    device = stack.ca.issue("device-1", not_before=stack.clock() - timedelta(hours=1))
    result = stack.knock(device)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.THING_IN_USE)
    return device


def rebind(jitr: Jitr, device: Device, *more: str) -> Answer:
    """Rebind to a certificate by its id, without questions."""
    return jitr("device", "rebind", device.certificate_id, "--yes", "--json", *more)


def holder(stack: TestDeployment) -> str:
    """The certificate that the Thing belongs to."""
    return stack.iot.things["device-1"].attributes["certificate_id"]


def attached(stack: TestDeployment, device: Device) -> list[str]:
    """The Things that a certificate is attached to."""
    return stack.iot.certificates[device.certificate_id].things


def test_the_new_certificate_gets_the_thing_and_the_old_one_goes(
    stack: TestDeployment, jitr: Jitr, old: Device, new: Device
) -> None:
    """The old one is INACTIVE only once the new one is ACTIVE, and attached no more."""
    answer = rebind(jitr, new)
    assert (answer.exit_code, answer.json["outcome"]) == (0, "rebound"), answer.err
    assert (answer.json["replaced"], answer.json["thing"]) == (old.certificate_id, "device-1")
    assert [stack.iot.status(each) for each in (new, old)] == ["ACTIVE", "INACTIVE"]
    assert stack.iot.history[-2:] == [(new.certificate_id, "ACTIVE"), (old.certificate_id, "INACTIVE")]
    assert holder(stack) == new.certificate_id
    assert (attached(stack, new), attached(stack, old)) == (["device-1"], [])
    assert stack.row_state(new) == "ACTIVE"
    assert not stack.iot.certificates[new.certificate_id].ever_active_without_policy


def test_a_rebound_device_counts_as_one(stack: TestDeployment, jitr: Jitr, new: Device) -> None:
    """The brake knows how many devices a CA has."""
    rebind(jitr, new)
    record = stack.activation.authorities.records.record(stack.ca.ca_certificate_id)
    assert record is not None
    assert record.devices == 2


def test_the_way_back_is_to_reinstate_the_old_one(stack: TestDeployment, jitr: Jitr, old: Device, new: Device) -> None:
    """Refused without --take-thing: two certificates of one Thing would be in use."""
    rebind(jitr, new)
    assert (reinstate(jitr, old).exit_code, stack.iot.status(old)) == (1, "INACTIVE")
    assert reinstate(jitr, old, "--take-thing").exit_code == 0
    assert [stack.iot.status(each) for each in (new, old)] == ["INACTIVE", "ACTIVE"]
    assert holder(stack) == old.certificate_id


def test_a_revoked_predecessor_gives_up_its_thing_too(
    stack: TestDeployment, jitr: Jitr, old: Device, new: Device
) -> None:
    """That is the usual reason for a new certificate; it stays REVOKED."""
    stack.iot.certificates[old.certificate_id].status = "REVOKED"
    assert rebind(jitr, new).exit_code == 0
    assert [stack.iot.status(each) for each in (new, old)] == ["ACTIVE", "REVOKED"]


def test_a_predecessor_that_is_gone_holds_nothing(stack: TestDeployment, jitr: Jitr, old: Device, new: Device) -> None:
    """Deleted from AWS IoT; its Thing is left."""
    del stack.iot.certificates[old.certificate_id]
    assert rebind(jitr, new).exit_code == 0
    assert (stack.iot.status(new), holder(stack)) == ("ACTIVE", new.certificate_id)


def test_a_thing_that_somebody_made_by_hand_is_claimed(stack: TestDeployment, jitr: Jitr) -> None:
    """It names no certificate; its other attributes stay."""
    stack.iot_client.create_thing(thingName="device-1", attributePayload={"attributes": {"site": "north"}})
    device = stack.ca.issue("device-1")
    assert stack.knock(device).reason is Reason.THING_IN_USE
    assert rebind(jitr, device).exit_code == 0
    assert stack.iot.things["device-1"].attributes == {"site": "north", "certificate_id": device.certificate_id}


def test_another_device_does_not_get_the_thing(stack: TestDeployment, jitr: Jitr, new: Device) -> None:
    """The Thing's certificate has another common name: somebody wrote that by hand."""
    other = active(stack, "device-2")
    stack.iot.things["device-1"].attributes["certificate_id"] = other.certificate_id
    before = snapshot(stack)
    answer = rebind(jitr, new)
    assert (answer.exit_code, "not the same device" in answer.err) == (1, True)
    assert snapshot(stack) == before


def test_every_check_comes_first(stack: TestDeployment, jitr: Jitr, new: Device) -> None:
    """On the CRL: neither the Thing nor the old certificate is touched."""
    stack.publish(stack.ca.crl([new.certificate.serial_number], number=2))
    before = snapshot(stack)
    answer = rebind(jitr, new)
    assert (answer.exit_code, answer.json["reason"], answer.json["step"]) == (1, "revoked", 5)
    assert snapshot(stack) == before


def test_only_waiting_certificates_get_a_thing_here(stack: TestDeployment, jitr: Jitr, old: Device) -> None:
    """INACTIVE ones come back with reinstate."""
    stack.iot.certificates[old.certificate_id].status = "INACTIVE"
    answer = rebind(jitr, old)
    assert (answer.exit_code, answer.json["reason"]) == (1, "not_pending")


def test_a_free_thing_needs_no_operator(stack: TestDeployment, jitr: Jitr) -> None:
    """The next connect does it all."""
    answer = rebind(jitr, pending(stack, "device-9"))
    assert (answer.exit_code, answer.json["reason"]) == (1, "thing_is_free")


def test_a_ca_without_things_has_nothing_to_rebind(stack: TestDeployment, jitr: Jitr) -> None:
    """thing_name = "off"."""
    stack.configure(thing_name=ThingNameSource.OFF)
    answer = rebind(jitr, pending(stack, "device-9"))
    assert (answer.exit_code, answer.json["reason"]) == (1, "no_thing")


def test_a_dry_run_and_a_no_write_nothing(stack: TestDeployment, jitr: Jitr, new: Device) -> None:
    """Both certificates and what becomes of them are shown."""
    before = snapshot(stack)
    dry = jitr("device", "rebind", new.certificate_id, "--dry-run", "--json")
    assert (dry.exit_code, dry.json["outcome"], "it becomes INACTIVE" in dry.err) == (0, "would_rebind", True)
    assert jitr("device", "rebind", new.certificate_id).exit_code == 130
    assert snapshot(stack) == before


def test_a_claim_that_moved_while_the_operator_thought_is_not_overwritten(
    stack: TestDeployment, jitr: Jitr, new: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else rebound it to a third certificate."""

    def moved(*_: Any) -> bool:
        stack.iot.things["device-1"].attributes["certificate_id"] = "c" * 64
        stack.iot.things["device-1"].version += 1
        return True

    monkeypatch.setattr("jitr_cli.console.call.Call.confirm", moved)
    answer = rebind(jitr, new)
    assert (answer.exit_code, answer.json["reason"]) == (2, "lease_held")
    assert (stack.iot.status(new), holder(stack)) == ("PENDING_ACTIVATION", "c" * 64)


def test_killed_after_the_claim_a_second_run_finishes(
    stack: TestDeployment, jitr: Jitr, old: Device, new: Device
) -> None:
    """The claim is the new certificate's by then, and the row knows which one has to go."""
    with killed_after(stack.iot_client, "UpdateThing"), pytest.raises(Killed):
        rebind(jitr, new)
    end_lease(stack, new)
    answer = rebind(jitr, new)
    assert (answer.exit_code, answer.json["replaced"]) == (0, old.certificate_id)
    assert [stack.iot.status(each) for each in (new, old)] == ["ACTIVE", "INACTIVE"]


def test_refused_at_the_end_the_old_one_stays_active(
    stack: TestDeployment, jitr: Jitr, old: Device, new: Device
) -> None:
    """No device is without a certificate meanwhile; the second run finishes."""
    with failing(stack.iot_client, "UpdateCertificate", "ThrottlingException"):
        assert rebind(jitr, new).exit_code == 69
    assert [stack.iot.status(each) for each in (new, old)] == ["PENDING_ACTIVATION", "ACTIVE"]
    assert rebind(jitr, new).exit_code == 0
    assert [stack.iot.status(each) for each in (new, old)] == ["ACTIVE", "INACTIVE"]


def test_a_crash_after_any_call_is_resumed(
    stack: TestDeployment, jitr: Jitr, old: Device, new: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after call 1, 2, 3, …: in the end one certificate is ACTIVE and attached, and it is the new one."""
    log = CallLog(stack.iot_client)
    log.watch_dynamodb(monkeypatch)
    killed = 0
    for kill_after in range(1, 80):
        log.calls.clear()
        log.kill_after = kill_after
        try:
            answer = rebind(jitr, new)
        except Killed:
            killed += 1
            assert "ACTIVE" in (stack.iot.status(old), stack.iot.status(new))
            continue
        finally:
            log.kill_after = None
            end_lease(stack, new)
        assert answer.exit_code == 0, answer.err
        if kill_after > len(log.calls):
            break
    assert killed > 10
    assert [stack.iot.status(each) for each in (new, old)] == ["ACTIVE", "INACTIVE"]
    assert (attached(stack, new), attached(stack, old)) == (["device-1"], [])
    assert (stack.row_state(new), holder(stack)) == ("ACTIVE", new.certificate_id)
