"""What tests of dead letters share: the queues of the test deployment, and letters to put into them."""

from __future__ import annotations

import json
from typing import Any

import boto3

from jitr.messages.dead_letters import DeadLetter
from tests.aws.failure_records import EVENT, on_failure_record
from tests.aws.fake_iot import REGION

QUEUES = ("activation", "enforcement", "bulk")


def queue_url(name: str = "activation") -> str:
    """Return the URL of one of the deployment's dead-letter queues."""
    suffix = "" if name == "activation" else f"-{name}"
    url: str = boto3.client("sqs", region_name=REGION).get_queue_url(QueueName=f"dead-letters{suffix}")["QueueUrl"]
    return url


def bury(*bodies: str, queue: str = "activation", attributes: dict[str, str] | None = None) -> list[str]:
    """Put letters into a queue and return their ids."""
    told: Any = {name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()}
    client, url = boto3.client("sqs", region_name=REGION), queue_url(queue)
    return [client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=told)["MessageId"] for body in bodies]


def letter(reason: str, step: int = 5, *, certificate_id: str | None = None) -> str:
    """An event that Lambda gave up for a reason of ours."""
    record = on_failure_record(json.dumps({"reason": reason, "step": step, "message": f"because {reason}"}))
    if certificate_id is not None:
        record["requestPayload"] = {**EVENT, "certificateId": certificate_id}
    return json.dumps(record)


def own_letter(reason: str) -> str:
    """An event that the function itself gave up, at the last receive of its message."""
    return DeadLetter(event=EVENT, origin="queue", reason=reason, step=5, message=f"because {reason}").to_json()


def visible(name: str = "activation") -> int:
    """Return how many letters anybody may receive right now."""
    attributes = boto3.client("sqs", region_name=REGION).get_queue_attributes(
        QueueUrl=queue_url(name), AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])
