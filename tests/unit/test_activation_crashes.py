"""The function is killed after each of its AWS calls, and the event delivered again: always the same end state (I5)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from jitr.activation import LEASE
from jitr.errors import Reason, Undecided
from jitr.settings import OnExistingThing
from jitr_local import pki
from tests.aws_faults import CallLog, Killed
from tests.deployment import TestDeployment

# More than any activation needs; a run that is not killed any more ends the search.
MORE_THAN_ENOUGH = 40


def end_state(deployment: TestDeployment, device: pki.Device) -> dict[str, Any]:
    """Everything that an activation leaves behind."""
    certificate = deployment.iot.certificates[device.certificate_id]
    row = dict(deployment.row(device) or {})
    return {
        "status": certificate.status,
        "policies": certificate.policies,
        "things": certificate.things,
        "claims": {name: (thing.attributes, thing.kind) for name, thing in deployment.iot.things.items()},
        "groups": {name: list(members) for name, members in deployment.iot.thing_groups.items()},
        "row": row.get("state"),
        "lease": row.get("lease_owner"),
        "replaces": row.get("replaces"),
        "others": [c.status for each, c in deployment.iot.certificates.items() if each != device.certificate_id],
    }


def good(deployment: TestDeployment) -> pki.Device:
    """A device that ends ACTIVE."""
    return deployment.ca.issue("device-1", serial=1001)


def revoked(deployment: TestDeployment) -> pki.Device:
    """A device that ends REVOKED."""
    deployment.publish(deployment.ca.crl([1001]))
    return good(deployment)


def weak(deployment: TestDeployment) -> pki.Device:
    """A device that ends INACTIVE."""
    return deployment.ca.issue("device-1", serial=1001, key="RSA-1024")


def renewed(deployment: TestDeployment) -> pki.Device:
    """A device whose new certificate replaces an ACTIVE one."""
    deployment.configure(on_existing_thing=OnExistingThing.REPLACE)
    deployment.knock(deployment.ca.issue("device-1", serial=1000, not_before=pki.now() - 5 * pki.DAY))
    return good(deployment)


def grouped(deployment: TestDeployment) -> pki.Device:
    """A device whose Thing has a type, an attribute and two groups."""
    deployment.iot.thing_types.add("pump")
    deployment.iot.thing_groups |= {"pumps": [], "north": []}
    deployment.configure(thing_type="pump", thing_groups=("pumps", "north"), thing_attributes={"model": "A1"})
    return good(deployment)


SCENARIOS = {
    "good": (good, "ACTIVE"),
    "revoked": (revoked, "REVOKED"),
    "weak": (weak, "INACTIVE"),
    "renewed": (renewed, "ACTIVE"),
    "grouped": (grouped, "ACTIVE"),
}


@pytest.mark.parametrize("redelivered_as", ["the same event", "another knock"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_crash_after_any_call_ends_in_the_same_state(
    deployment: TestDeployment, scenario: str, redelivered_as: str
) -> None:
    """Killed after call 1, 2, 3, …; then a cold container gets Lambda's retry, or the device knocks again later."""
    arrange, expected = SCENARIOS[scenario]
    log = CallLog(deployment.iot_client, deployment.dynamodb, deployment.s3)
    device = arrange(deployment)
    statuses = []
    for kill_after in range(1, MORE_THAN_ENOUGH):
        forget(deployment, device)
        log.calls.clear()
        log.kill_after = kill_after
        event = deployment.iot.connect(device, deployment.ca)
        deployment.activation = deployment.container()
        try:
            deployment.deliver(event, owner="event")
        except Killed:
            killed = True
        else:
            killed = False
        log.kill_after = None
        deployment.activation = deployment.container()
        if redelivered_as == "another knock":
            deployment.clock.advance(seconds=LEASE.total_seconds() + 1)
            deployment.deliver(event, owner="another")
        else:
            deployment.clock.advance(minutes=1)
            deployment.deliver(event, owner="event")
        assert_invariants(deployment, device)
        statuses.append(end_state(deployment, device))
        if not killed:
            break
    assert len(statuses) > 4
    assert all(state == statuses[-1] for state in statuses)
    assert statuses[-1]["status"] == expected
    if scenario == "grouped":
        assert statuses[-1]["groups"] == {"pumps": ["device-1"], "north": ["device-1"]}
    if scenario == "renewed":
        (old,) = (c for c in deployment.iot.certificates.values() if c.pem != pki.pem(device.certificate))
        assert old.status == "INACTIVE"


def forget(deployment: TestDeployment, device: pki.Device) -> None:
    """Undo what the last round did to the device (and, for a renewal, to its predecessor), so that rounds compare."""
    deployment.iot.certificates.pop(device.certificate_id, None)
    row = deployment.row(device)
    if row is not None:
        deployment.dynamodb.delete_item(TableName="jitr-test-state", Key={k: row[k] for k in ("pk", "sk")})
    old = [(each, c) for each, c in deployment.iot.certificates.items() if c.policies]
    deployment.iot.things.clear()
    for members in deployment.iot.thing_groups.values():
        members.clear()
    for certificate_id, certificate in old:
        certificate.status = "ACTIVE"
        deployment.iot_client.create_thing(
            thingName="device-1", attributePayload={"attributes": {"certificate_id": certificate_id}}
        )


def assert_invariants(deployment: TestDeployment, device: pki.Device) -> None:
    """I2 and I3 hold whatever happened."""
    assert not deployment.iot.certificates[device.certificate_id].ever_active_without_policy
    mine = [status for each, status in deployment.iot.history if each == device.certificate_id]
    assert mine.count("ACTIVE") == 0 or "REVOKED" not in mine


def throttles(deployment: TestDeployment, event: object, owner: str) -> bool:
    """Deliver an event, and say whether AWS IoT throttled it."""
    try:
        deployment.deliver(event, owner=owner)
    except Undecided as error:
        return error.reason is Reason.THROTTLED
    return False


def test_devices_beyond_the_quota_are_throttled_and_none_is_lost(deployment: TestDeployment) -> None:
    """Thirty devices at ten calls a second each: what is throttled is delivered again, and all end ACTIVE."""
    seconds: Counter[tuple[str, int]] = Counter()

    def ten_a_second(operation: str) -> bool:
        second = (operation, int(deployment.clock().timestamp()))
        seconds[second] += 1
        return seconds[second] <= 10

    deployment.iot.quota = ten_a_second
    devices = [deployment.ca.issue(f"device-{n}", key=key) for n, key in enumerate([pki.new_key()] * 30)]
    waiting = [(f"event-{n}", deployment.iot.connect(each, deployment.ca)) for n, each in enumerate(devices)]
    throttled = 0
    while waiting:
        deployment.clock.advance(minutes=1)
        still_waiting = []
        for owner, event in waiting:
            if throttles(deployment, event, owner):
                still_waiting.append((owner, event))
        throttled += len(still_waiting)
        assert len(still_waiting) < len(waiting)
        waiting = still_waiting
    assert throttled > 0
    assert {deployment.iot.status(device) for device in devices} == {"ACTIVE"}
