"""The AWS that the function calls: AWS IoT throttling, through a real botocore client; DynamoDB, S3 and SQS in memory.

Every call takes its time on the virtual clock. AWS IoT answers in place of the network, below botocore's retries,
its errors and its parsing: what the function does about a throttle is what it would do on AWS.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from random import Random
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.awsrequest
from botocore.config import Config
from botocore.exceptions import ClientError

from bench.storm.quotas import Quotas
from bench.storm.virtual_time import VirtualTime
from tests.aws.fake_iot import REGION, FakeIot
from tests.aws.fake_iot_policies import Refused
from tests.aws.memory_aws import MemoryTable

# How long one call takes, in seconds: assumptions, on which pacing must not depend; an activation takes half a second.
CONTROL_PLANE_SECONDS = 0.09
DYNAMODB_SECONDS = 0.005
S3_SECONDS = 0.02
SQS_SECONDS = 0.01

_STATUS = {"ThrottlingException": 400, "ResourceNotFoundException": 404, "ResourceAlreadyExistsException": 409}


@dataclass
class Aws:
    """One account and Region; `activated_at` is when each certificate first became ACTIVE."""

    time: VirtualTime
    quotas: Quotas
    random: Random
    iot: FakeIot = field(default_factory=FakeIot)
    table: MemoryTable = field(default_factory=MemoryTable)
    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    sent: Callable[[str, str, float], None] = lambda _queue, _body, _delay: None
    hidden: Callable[[str, float], None] = lambda _receipt, _seconds: None
    activated_at: dict[str, float] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)

    def client(self, service: str, config: Config | None = None) -> Any:  # noqa: ANN401 - as boto3 has it
        """Return a client as a function makes it."""
        match service:
            case "iot":
                return self._iot_client(config)
            case "dynamodb":
                return MemoryDynamoDb(self)
            case "s3":
                return MemoryS3(self)
            case "sqs":
                return MemorySqs(self)
        raise ValueError(f"the storm has no {service}")

    def session(self, *_: object, **__: object) -> SimpleNamespace:
        """Stand for boto3.Session."""
        return SimpleNamespace(client=self.client, region_name=REGION, events=_session().events)

    def take(self, seconds: float) -> None:
        """Let a call take its time: between half and one and a half of what is usual."""
        self.time.sleep(seconds * self.random.uniform(0.5, 1.5))

    def _iot_client(self, config: Config | None) -> Any:  # noqa: ANN401
        client = _session().client("iot", config=config)
        given = threading.local()

        def keep(*, params: Mapping[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401
            given.operation, given.parameters = model.name, params

        def answer(**_: object) -> botocore.awsrequest.AWSResponse:
            return self._answer(given.operation, given.parameters)

        client.meta.events.register("provide-client-params.iot", keep)
        client.meta.events.register("before-send.iot", answer)  # type: ignore[arg-type]
        return client

    def _answer(self, operation: str, parameters: Mapping[str, Any]) -> botocore.awsrequest.AWSResponse:
        self.take(CONTROL_PLANE_SECONDS)
        if not self.quotas.take(operation):
            return _error("ThrottlingException", "Rate exceeded")
        try:
            answer = getattr(self.iot, "_" + botocore.xform_name(operation))(parameters)
        except Refused as refusal:
            return _error(refusal.code, str(refusal))
        self.answered[operation] = self.answered.get(operation, 0) + 1
        if operation == "UpdateCertificate" and parameters["newStatus"] == "ACTIVE":
            self.activated_at.setdefault(parameters["certificateId"], self.time.now)
        return _response(200, answer)


@dataclass
class MemoryDynamoDb:
    """The part of DynamoDB's client that the state table uses, over the table in memory."""

    aws: Aws

    def get_item(self, **given: Any) -> dict[str, Any]:  # noqa: ANN401
        """Read one item."""
        self.aws.take(DYNAMODB_SECONDS)
        item = self.aws.table.get(given["Key"])
        return {} if item is None else {"Item": item}

    def batch_get_item(self, **given: Any) -> dict[str, Any]:  # noqa: ANN401
        """Read up to a hundred items."""
        self.aws.take(DYNAMODB_SECONDS)
        ((name, wanted),) = given["RequestItems"].items()
        return {"Responses": {name: self.aws.table.get_many(wanted["Keys"])}}

    def update_item(self, **given: Any) -> dict[str, Any]:  # noqa: ANN401
        """Write one item on condition."""
        self.aws.take(DYNAMODB_SECONDS)
        item = self.aws.table.update(
            given["Key"],
            given["UpdateExpression"],
            given.get("ExpressionAttributeValues", {}),
            condition=given.get("ConditionExpression"),
        )
        if item is None:
            raise ClientError(
                {"Error": {"Code": "ConditionalCheckFailedException", "Message": "The conditional request failed"}},
                "UpdateItem",
            )
        return {"Attributes": item}


@dataclass
class MemoryS3:
    """The part of S3's client that reads CRLs: conditional reads by tag."""

    aws: Aws

    def get_object(self, **given: Any) -> dict[str, Any]:  # noqa: ANN401
        """Read an object, unless it is the one that the caller has."""
        self.aws.take(S3_SECONDS)
        data = self.aws.objects.get((given["Bucket"], given["Key"]))
        if data is None:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "not there"}}, "GetObject")
        tag = f'"{hashlib.sha256(data).hexdigest()}"'
        if given.get("IfNoneMatch") == tag:
            raise ClientError({"Error": {"Code": "304", "Message": "Not Modified"}}, "GetObject")
        return {"Body": io.BytesIO(data), "ContentLength": len(data), "ETag": tag}


@dataclass
class MemorySqs:
    """The part of SQS's client that a function uses on its own queue and the dead letters."""

    aws: Aws

    def send_message(self, **given: Any) -> dict[str, Any]:  # noqa: ANN401
        """Put a message into a queue, after a while if asked."""
        self.aws.take(SQS_SECONDS)
        self.aws.sent(given["QueueUrl"], given["MessageBody"], float(given.get("DelaySeconds", 0)))
        return {"MessageId": "sent"}

    def change_message_visibility(self, **given: Any) -> dict[str, Any]:  # noqa: ANN401
        """Hide a message that was received for so many seconds from now on."""
        self.aws.take(SQS_SECONDS)
        self.aws.hidden(given["ReceiptHandle"], float(given["VisibilityTimeout"]))
        return {}

    def delete_message_batch(self, **given: Any) -> dict[str, Any]:  # noqa: ANN401
        """Answer as if messages were deleted; Lambda does so itself at the end of the batch."""
        self.aws.take(SQS_SECONDS)
        return {"Successful": [{"Id": each["Id"]} for each in given["Entries"]], "Failed": []}

    def change_message_visibility_batch(self, **given: Any) -> dict[str, Any]:  # noqa: ANN401
        """Do so for up to ten messages."""
        self.aws.take(SQS_SECONDS)
        for each in given["Entries"]:
            self.aws.hidden(each["ReceiptHandle"], float(each["VisibilityTimeout"]))
        return {"Successful": [{"Id": each["Id"]} for each in given["Entries"]], "Failed": []}


@cache
def _session() -> boto3.Session:
    """Return one session, which reads botocore's models once; each client has its own retries and events."""
    return boto3.Session(region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")


def _response(status: int, body: Mapping[str, Any], **headers: str) -> botocore.awsrequest.AWSResponse:
    content = json.dumps(body, default=lambda when: when.timestamp()).encode()
    # What botocore itself makes of the network's headers is no HTTPHeaders either, whatever its stubs say.
    sent: Any = botocore.awsrequest.HeadersDict(headers)
    found = botocore.awsrequest.AWSResponse("https://aws.example", status, sent, None)
    # In place of the stream that the network would have been.
    found._content = content  # type: ignore[attr-defined]  # noqa: SLF001
    return found


def _error(code: str, message: str) -> botocore.awsrequest.AWSResponse:
    return _response(_STATUS.get(code, 400), {"message": message}, **{"x-amzn-errortype": code})
