"""One policy for each device: what its certificate says gets in through validators only, and the policy is its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jitr.errors import Outcome, Reason, Undecided
from jitr.settings import ThingNameSource
from jitr_local import pki
from tests.aws.aws_faults import CallLog, Killed
from tests.worlds.deployment import TestDeployment

VALUES = ("thing_name", "common_name", "serial", "certificate_id")
MORE_THAN_ENOUGH = 40


def template(*topics: str) -> str:
    """A template that allows publishing to topics."""
    statement = {"Effect": "Allow", "Action": "iot:Publish", "Resource": [f"@{{partition}}/{each}" for each in topics]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def use(deployment: TestDeployment, text: str) -> None:
    """Let the CA's policy be made of this template."""
    deployment.configuration.policies["default"] = text  # type: ignore[index]


def name_of(device: pki.Device) -> str:
    """The name of a device's own policy."""
    return f"jitr-test.{device.certificate_id}.default"


def resources(deployment: TestDeployment, policy: str) -> list[str]:
    """What a policy's one statement allows."""
    found: list[str] = json.loads(deployment.iot.policies[policy].document)["Statement"][0]["Resource"]
    return found


def test_a_device_gets_a_policy_of_its_own_with_its_own_values(deployment: TestDeployment) -> None:
    """All four of them; it is attached, and the certificate is ACTIVE."""
    use(deployment, template(*(f"@{{device.{each}}}" for each in VALUES)))
    device = deployment.ca.issue("pump-7", serial=0xAB1)
    assert deployment.knock(device).outcome is Outcome.ACTIVATED
    assert resources(deployment, name_of(device)) == [
        "aws/pump-7",
        "aws/pump-7",
        "aws/ab1",
        f"aws/{device.certificate_id}",
    ]
    certificate = deployment.iot.certificates[device.certificate_id]
    assert (certificate.policies, certificate.status) == ([name_of(device)], "ACTIVE")
    assert not certificate.ever_active_without_policy
    assert set(deployment.iot.policies) == {name_of(device)}


def test_two_devices_get_two_policies(deployment: TestDeployment) -> None:
    """Neither may do what the other may."""
    use(deployment, template("@{device.common_name}"))
    devices = [deployment.ca.issue(name) for name in ("pump-1", "pump-2")]
    for device in devices:
        deployment.knock(device)
    assert [resources(deployment, name_of(device)) for device in devices] == [["aws/pump-1"], ["aws/pump-2"]]


def test_a_policy_of_its_own_costs_one_limited_call_more(deployment: TestDeployment) -> None:
    """Created first, then attached: it never exists before."""
    use(deployment, template("@{device.serial}"))
    deployment.iot.calls.clear()
    deployment.knock(deployment.ca.issue())
    warm = [call for call in deployment.iot.quota_limited_calls if call != "DescribeCACertificate"]
    assert warm == ["DescribeCertificate", "CreatePolicy", "AttachPolicy", "UpdateCertificate"]


@pytest.mark.parametrize("name", ["pump 7", "*", "a/b", "pump+", "${iot:ClientId}", "@{account}", 'pump"', "pümp"])
def test_a_hostile_common_name_is_rejected_and_nothing_is_created(deployment: TestDeployment, name: str) -> None:
    """I6: no policy, no Thing, and the text is not repeated."""
    deployment.configure(thing_name=ThingNameSource.SERIAL)
    use(deployment, template("@{device.common_name}"))
    device = deployment.ca.issue(name)
    result = deployment.knock(device)
    assert (result.outcome, result.reason, result.step) == (Outcome.REJECTED, Reason.UNUSABLE_NAME, 7)
    assert deployment.iot.policies == {}
    assert deployment.iot.things == {}
    assert deployment.iot.status(device) == "PENDING_ACTIVATION"
    assert len(name) < 2 or name not in result.message


def test_a_value_that_the_template_does_not_ask_for_is_not_looked_at(deployment: TestDeployment) -> None:
    """A name with a space in it is nobody's business where only the serial number counts."""
    deployment.configure(thing_name=ThingNameSource.SERIAL)
    use(deployment, template("@{device.serial}"))
    assert deployment.knock(deployment.ca.issue("pump 7")).outcome is Outcome.ACTIVATED


def test_a_thing_name_in_the_template_of_a_ca_without_things_is_a_mistake_of_ours(deployment: TestDeployment) -> None:
    """The device has done nothing wrong: undecided, and every device of the CA alike."""
    deployment.configure(thing_name=ThingNameSource.OFF)
    use(deployment, template("@{device.thing_name}"))
    with pytest.raises(Undecided) as caught:
        deployment.knock(deployment.ca.issue())
    assert caught.value.reason is Reason.POLICY_UNUSABLE
    assert "@{device.thing_name}" in caught.value.message
    assert deployment.iot.policies == {}


def test_a_policy_that_is_left_from_an_older_template_is_brought_up_to_date(deployment: TestDeployment) -> None:
    """Killed after its creation, the template edited meanwhile: the device gets what the template says now."""
    use(deployment, template("@{device.serial}", "too-much"))
    device = deployment.ca.issue(serial=0x1F)
    log = CallLog(deployment.iot_client)
    log.kill_after = len(["DescribeCACertificate", "DescribeCertificate", "CreateThing", "AttachThing", "CreatePolicy"])
    with pytest.raises(Killed):
        deployment.knock(device)
    assert log.calls[-1] == "CreatePolicy"
    log.kill_after = None
    use(deployment, template("@{device.serial}"))
    deployment.clock.advance(minutes=5)
    assert deployment.knock(device).outcome is Outcome.ACTIVATED
    assert resources(deployment, name_of(device)) == ["aws/1f"]


def test_an_edit_does_not_touch_the_policies_of_devices_that_are_active(deployment: TestDeployment) -> None:
    """The lint and the documentation say so; only a shared policy reaches them."""
    use(deployment, template("@{device.serial}"))
    device = deployment.ca.issue(serial=0x1F)
    deployment.knock(device)
    use(deployment, template("@{device.serial}", "more"))
    deployment.knock(device)
    assert resources(deployment, name_of(device)) == ["aws/1f"]


def test_killed_after_any_call_and_delivered_again_it_ends_with_one_policy_attached(
    deployment: TestDeployment,
) -> None:
    """I5: whatever exists by then, the next delivery ends in the same state. Every round has a device of its own."""
    use(deployment, template("@{device.serial}"))
    log = CallLog(deployment.iot_client, deployment.dynamodb)
    states = []
    for kill_after in range(1, MORE_THAN_ENOUGH):
        deployment.iot.policies.clear()
        device = deployment.ca.issue(f"pump-{kill_after}", serial=kill_after)
        event = deployment.iot.connect(device, deployment.ca)
        deployment.activation = deployment.container()
        log.calls.clear()
        log.kill_after = kill_after
        killed = True
        try:
            deployment.deliver(event)
            killed = False
        except Killed:
            log.kill_after = None
            deployment.activation = deployment.container()
            deployment.clock.advance(minutes=2)
            deployment.deliver(event)
        assert resources(deployment, name_of(device)) == [f"aws/{kill_after:x}"]
        states.append(end_state(deployment, device))
        if not killed:
            break
    assert len(states) > 5
    assert all(state == states[-1] for state in states)
    assert states[-1]["status"] == "ACTIVE"


def end_state(deployment: TestDeployment, device: pki.Device) -> dict[str, Any]:
    """What an activation leaves in AWS IoT."""
    certificate = deployment.iot.certificates[device.certificate_id]
    assert not certificate.ever_active_without_policy
    return {
        "status": certificate.status,
        "attached": [each.replace(device.certificate_id, "ID") for each in certificate.policies],
        "policies": [each.replace(device.certificate_id, "ID") for each in deployment.iot.policies],
        "things": len(certificate.things),
    }
