"""From a device's first connect to ACTIVE, or not: real deploy, real rule, real function, real MQTT."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from jitr_local import pki
from jitr_local.device.mqtt_attempt import Ending
from jitr_local.device.reference_device import RunResult
from jitr_local.story.observations import NOT_REGISTERED, certificate_status, eventually, invoke, outputs
from jitr_local.story.registration_events import listening
from tests.e2e.conftest import World

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

pytestmark = pytest.mark.e2e


def test_a_good_device_is_dropped_activated_and_publishes(world: World) -> None:
    """The first connect is closed, a later one delivers; policy and Thing are attached to the ACTIVE certificate."""
    device = world.factory.make("good-1")
    report = world.connect(device)
    assert report.attempts[0].ending is Ending.DROPPED
    assert report.result is RunResult.DELIVERED
    assert world.status(device) == "ACTIVE"
    assert attachments(world, device.device) == (["jitr-local_default"], ["good-1"])


def test_a_revoked_device_never_gets_in_and_its_certificate_ends_revoked(world: World) -> None:
    """Its serial is on the CRL before it first connects."""
    device = world.factory.make("revoked-1")
    world.factory.publish_crl(world.instance, [device], number=2)
    report = world.connect(device, timeout=6)
    assert report.result is RunResult.NOT_ADMITTED
    assert eventually(lambda: world.status(device), within=10, wanted=lambda s: s == "REVOKED") == "REVOKED"


def test_a_forged_certificate_never_gets_in_nor_into_the_registry(world: World) -> None:
    """The issuer's name is right, the signing key is not."""
    impostor = pki.CertificateAuthority.create(world.factory.name)
    device = world.factory.make("forged-1", signed_by=impostor)
    assert world.connect(device, timeout=3).result is RunResult.NOT_ADMITTED
    assert certificate_status(world.instance, device) == NOT_REGISTERED


def test_a_replayed_event_does_not_bring_back_what_an_operator_switched_off(world: World) -> None:
    """The original event, heard on its topic, is delivered again after the operator's INACTIVE."""
    device = world.factory.make("replayed-1")
    with listening(world.instance) as events:
        assert world.connect(device).done
        original = eventually(lambda: events.of(device.certificate_id), within=5, wanted=bool)[0]
    iot: IoTClient = world.client("iot")
    iot.update_certificate(certificateId=device.certificate_id, newStatus="INACTIVE")
    answer = invoke(world.instance, original)
    assert (answer["certificate_id"], answer["outcome"]) == (device.certificate_id, "already_decided")
    assert world.connect(device, timeout=1).result is RunResult.NOT_ADMITTED
    assert world.status(device) == "INACTIVE"


def test_duplicate_and_reordered_events_end_in_one_activation(world: World) -> None:
    """The same event eight times, four at once, after the device's own: one policy, one Thing, ACTIVE."""
    device = world.factory.make("duplicate-1")
    world.connect(device, timeout=0.2)
    event = world.event(device, world.factory)
    with ThreadPoolExecutor(max_workers=4) as pool:
        answers = list(pool.map(lambda _: invoke(world.instance, event), range(8)))
    outcomes = {str(answer.get("outcome", answer.get("errorMessage"))) for answer in answers}
    assert eventually(lambda: world.status(device), within=20, wanted=lambda s: s == "ACTIVE") == "ACTIVE"
    # A delivery that meets another one at work is undecided (lease_held) and tried again by Lambda.
    undecided = [json.loads(text) for text in outcomes - {"activated", "already_decided"}]
    assert {each["reason"] for each in undecided} <= {"lease_held"}
    assert attachments(world, device.device) == (["jitr-local_default"], ["duplicate-1"])
    assert invoke(world.instance, event)["outcome"] == "already_decided"


def test_without_a_crl_nothing_is_decided_and_once_it_is_there_the_next_knock_activates(world: World) -> None:
    """PENDING_ACTIVATION and a dead letter with the reason; after publication the device gets in by itself.

    The event is sent to the function the way Lambda's own queue holds it: the emulator's rules try once only.
    """
    device = world.silent.make("early-1")
    assert world.connect(device, timeout=1).result is RunResult.NOT_ADMITTED
    functions: LambdaClient = world.client("lambda")
    event = json.dumps(world.event(device, world.silent)).encode()
    functions.invoke(FunctionName=world.instance.function, InvocationType="Event", Payload=event)
    letters = eventually(lambda: dead_letters(world, device.certificate_id), within=40, wanted=bool)
    assert letters, "no dead letter arrived"
    assert json.loads(letters[0]["responsePayload"]["errorMessage"])["reason"] == "no_crl"
    assert world.status(device) == "PENDING_ACTIVATION"
    world.silent.publish_crl(world.instance)
    assert world.connect(device).result is RunResult.DELIVERED
    assert world.status(device) == "ACTIVE"


def test_an_unmanaged_ca_is_left_alone(world: World) -> None:
    """An event of a CA that this deployment does not manage: no call, no retry, an outcome."""
    stranger = pki.CertificateAuthority.create("Stranger")
    event = {
        **world.event(world.factory.make("stranger-1"), world.factory),
        "caCertificateId": stranger.ca_certificate_id,
    }
    answer = invoke(world.instance, event)
    assert answer["outcome"] == "unmanaged_ca"


def attachments(world: World, device: pki.Device) -> tuple[list[str], list[str]]:
    """The names of the policies and Things attached to a certificate."""
    iot: IoTClient = world.client("iot")
    described = iot.describe_certificate(certificateId=device.certificate_id)
    target = described["certificateDescription"]["certificateArn"]
    policies = [policy["policyName"] for policy in iot.list_attached_policies(target=target)["policies"]]
    return policies, iot.list_principal_things(principal=target)["things"]


def dead_letters(world: World, certificate_id: str) -> list[dict[str, Any]]:
    """The dead letters about one certificate that can be received now."""
    sqs: SQSClient = world.client("sqs")
    answer = sqs.receive_message(
        QueueUrl=outputs(world.instance).dead_letter_queue, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    letters = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
    return [letter for letter in letters if letter["requestPayload"]["certificateId"] == certificate_id]
