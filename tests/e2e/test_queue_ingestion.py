"""Queue ingestion end to end: real rule, real queue, real batches; a fleet that knocks repeatedly, and a dead letter.

A stack of its own, because it is deployed in another mode than the others'. What waits is made certain by switching the
event source mapping off, not by timing.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jitr.messages.dead_letters import decode_dead_letter
from jitr_fleet.deployments.deployment import Ingestion
from jitr_local.device.mqtt_attempt import Ending, MqttAttempt
from jitr_local.device.reference_device import RunResult
from jitr_local.stack.local_stack import Instance, LocalStack
from jitr_local.story.factory import Factory, MadeDevice

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

pytestmark = pytest.mark.e2e
DEVICES = 20
# Long enough for two busy cores; nothing waits for it unless something is broken.
PATIENCE = 300.0
QUEUE, DEAD_LETTERS = "jitr-local-activation", "jitr-local-dead-letters"


class Fleet:
    """A stack in queue mode, and its CAs: `factory` has published a CRL, `silent` has not."""

    def __init__(self, stack: LocalStack, instance: Instance, factory: Factory, silent: Factory) -> None:
        self.stack, self.instance, self.factory, self.silent = stack, instance, factory, silent
        self.iot: IoTClient = instance.client("iot")
        self.functions: LambdaClient = instance.client("lambda")
        self.sqs: SQSClient = instance.client("sqs")

    def statuses(self, devices: list[MadeDevice]) -> Counter[str]:
        """Count certificates by status."""
        return Counter(
            self.iot.describe_certificate(certificateId=each.certificate_id)["certificateDescription"]["status"]
            for each in devices
        )

    def switch_batches(self, *, on: bool) -> None:
        """Let Lambda hand batches to the activation function, or not."""
        found = self.functions.list_event_source_mappings(FunctionName=self.instance.function)
        (mapping,) = found["EventSourceMappings"]
        self.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=on)

    def url(self, name: str) -> str:
        """Return a queue's URL."""
        return self.sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def waiting(self, name: str = QUEUE) -> int:
        """Return how many messages a queue holds, seen or hidden."""
        found = self.sqs.get_queue_attributes(QueueUrl=self.url(name), AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])

    def knock(self, device: MadeDevice) -> None:
        """Let a device connect once, and be dropped."""
        once = MqttAttempt(
            host=self.instance.mqtt_host,
            port=self.instance.mqtt_port,
            context=device.identity.tls_context(Path(self.instance.server_ca)),
            client_id=device.common_name,
            patience=60.0,
        )
        assert once.run(None).ending is Ending.DROPPED

    def log(self) -> list[dict[str, Any]]:
        """Return the activation function's own log lines."""
        pages = (
            self.instance.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=f"/aws/lambda/{self.instance.function}")
        )
        texts = [line for page in pages for event in page["events"] for line in event["message"].splitlines()]
        return [json.loads(text) for text in texts if text.startswith("{") and '"outcome"' in text]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The stack, started in queue mode."""
    folder = tmp_path_factory.mktemp("queued")
    factory, silent = (Factory.open(name, folder / "devices") for name in ("queued-factory", "queued-silent"))
    stack = LocalStack(folder / "stack", Ingestion.QUEUE)
    try:
        instance = stack.start(cas=[factory.ca, silent.ca])
        factory.publish_crl(instance)
        yield Fleet(stack, instance, factory, silent)
    finally:
        stack.stop()


def until(done: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def test_a_fleet_that_knocked_while_nobody_answered_gets_in(fleet: Fleet) -> None:
    """Twenty devices, several events each in the queue; then batches begin, all become ACTIVE, and nothing is left."""
    fleet.switch_batches(on=False)
    devices = [fleet.factory.make(f"queued-{number}") for number in range(DEVICES)]
    for _ in range(2):
        with ThreadPoolExecutor(4) as several:
            list(several.map(fleet.knock, devices))
    assert fleet.waiting() >= 2 * DEVICES
    assert fleet.statuses(devices) == {"PENDING_ACTIVATION": DEVICES}
    fleet.switch_batches(on=True)
    until(lambda: fleet.statuses(devices) == {"ACTIVE": DEVICES}, "not all devices are ACTIVE")
    until(lambda: fleet.waiting() == 0, "the queue does not get empty")
    assert fleet.waiting(DEAD_LETTERS) == 0
    assert devices[0].at(fleet.instance).run(timeout=PATIENCE).result is RunResult.ADMITTED


def test_an_undecidable_event_is_buried_on_its_last_receive_with_reason_and_step(fleet: Fleet) -> None:
    """Its CA has no CRL; the event was received four times before, as by four functions that died."""
    fleet.switch_batches(on=False)
    device = fleet.silent.make("queued-undecidable")
    fleet.knock(device)
    until(lambda: fleet.waiting() > 0, "no event in the queue")
    receive_all(fleet, times=4)
    fleet.switch_batches(on=True)
    until(lambda: fleet.waiting(DEAD_LETTERS) > 0, "no dead letter")
    until(lambda: fleet.waiting() == 0, "the queue does not get empty")
    (message,) = fleet.sqs.receive_message(QueueUrl=fleet.url(DEAD_LETTERS), MaxNumberOfMessages=10)["Messages"]
    letter = decode_dead_letter(message["Body"])
    assert (letter.origin, letter.reason, letter.step) == ("queue", "no_crl", 5)
    assert letter.certificate_id == device.certificate_id
    assert fleet.statuses([device]) == {"PENDING_ACTIVATION": 1}


def receive_all(fleet: Fleet, *, times: int) -> None:
    """Receive every message so often, and leave it visible."""
    for _ in range(times):
        fleet.sqs.receive_message(QueueUrl=fleet.url(QUEUE), MaxNumberOfMessages=10, VisibilityTimeout=0)


def test_a_device_costs_one_activation_however_often_it_knocked(fleet: Fleet) -> None:
    """Seen in the function's own log: as many activations as devices."""
    outcomes = Counter(line["outcome"] for line in fleet.log())
    assert outcomes["activated"] == DEVICES
    assert outcomes["dead_letter"] == 1


def test_switching_to_direct_loses_nothing_that_waits(fleet: Fleet) -> None:
    """An event in the queue, then a deploy in the other mode: both it and the next device's are decided."""
    fleet.switch_batches(on=False)
    before, after = (fleet.factory.make(f"queued-{name}") for name in ("before", "after"))
    fleet.knock(before)
    until(lambda: fleet.waiting() > 0, "no event in the queue")
    fleet.stack = LocalStack(fleet.stack.folder, Ingestion.DIRECT)
    fleet.stack.deploy([fleet.factory.ca, fleet.silent.ca])
    fleet.switch_batches(on=True)
    until(lambda: fleet.statuses([before]) == {"ACTIVE": 1}, "what waited was not worked off")
    assert after.at(fleet.instance).run(timeout=PATIENCE).result is RunResult.ADMITTED
    assert fleet.waiting() == 0
