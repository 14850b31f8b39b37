"""What demo and tests see of the local stack from outside: statuses, function answers, log lines, API calls."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

from jitr_fleet.deployments.stack_outputs import StackOutputs
from jitr_local.stack.local_stack import Instance, LocalStackError
from jitr_local.story.factory import MadeDevice

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_lambda import LambdaClient

NOT_REGISTERED: Final = "not registered"
_USER_AGENT: Final = "jitr"
_POLL: Final = 0.1

Answer = TypeVar("Answer")


def eventually(look: Callable[[], Answer], *, within: float, wanted: Callable[[Answer], bool]) -> Answer:
    """Look until the answer is wanted or the time (seconds) is over, and return the last answer."""
    deadline = time.monotonic() + within
    while not wanted(answer := look()) and time.monotonic() < deadline:
        time.sleep(_POLL)
    return answer


def outputs(instance: Instance) -> StackOutputs:
    """Return what the deployed stack says about itself; raises LocalStackError for another version's."""
    formation: CloudFormationClient = instance.client("cloudformation")
    stack = formation.describe_stacks(StackName=instance.stack)["Stacks"][0]
    found = StackOutputs.from_outputs({each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]})
    if found is None:
        raise LocalStackError(f"the stack {instance.stack} has other outputs than this version writes")
    return found


def certificate_status(instance: Instance, device: MadeDevice) -> str:
    """Return the certificate's status in AWS IoT, or `not registered`."""
    iot: IoTClient = instance.client("iot")
    try:
        return iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]["status"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return NOT_REGISTERED


def statuses(instance: Instance, ca_certificate_id: str, devices: Iterable[MadeDevice]) -> Counter[str]:
    """Count the statuses of a CA's devices with a few calls, however many there are."""
    iot: IoTClient = instance.client("iot")
    pages = iot.get_paginator("list_certificates_by_ca").paginate(caCertificateId=ca_certificate_id)
    known: dict[str, str] = {each["certificateId"]: each["status"] for page in pages for each in page["certificates"]}
    return Counter(known.get(device.certificate_id, NOT_REGISTERED) for device in devices)


def invoke(instance: Instance, event: dict[str, Any], *, function: str | None = None) -> dict[str, Any]:
    """Invoke a function, activation unless named, and return its answer, or its error as Lambda words it."""
    functions: LambdaClient = instance.client("lambda")
    answer: dict[str, Any] = json.loads(
        functions.invoke(FunctionName=function or instance.function, Payload=json.dumps(event).encode())[
            "Payload"
        ].read()
    )
    return answer


def log_lines(instance: Instance, function: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON lines that a function has logged, its metrics (embedded metric format) among them."""
    pages = instance.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
    for page in pages:
        for event in page["events"]:
            if event["message"].startswith("{"):
                yield json.loads(event["message"])


def metric_values(instance: Instance, function: str, metric: str) -> list[float]:
    """Return what a function wrote for one metric, in the order of its log."""
    return [value for line in log_lines(instance, function) if "_aws" in line for value in line.get(metric, ())]


def function_iot_calls(instance: Instance, *, since: datetime) -> int:
    """Count the AWS IoT calls that the functions made since then, as the emulator's CloudTrail recorded them.

    The emulator returns the newest fifty records of all calls at most. They name the HTTP method, not the action;
    the functions' are told by their user agent.
    """
    attributes = [{"AttributeKey": "EventSource", "AttributeValue": "iot.amazonaws.com"}]
    found = instance.client("cloudtrail").lookup_events(LookupAttributes=attributes, StartTime=since)["Events"]
    records = (json.loads(event["CloudTrailEvent"]) for event in found)
    return sum(_USER_AGENT in record["userAgent"].split() for record in records)
