"""The functions that a storm can be let loose on: the real one, and the field's usual handler beside it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from bench.storm.aws import Aws
from bench.storm.invocations import Handler
from jitr.activation.queue import is_batch
from jitr.handlers.activate import build_function
from jitr.handlers.clients import Surroundings
from jitr.settings import Configuration, Environment
from tests.aws.fake_iot import ACCOUNT, REGION

BUCKET = "jitr-storm-crl"
QUEUE = "https://sqs.example/storm"
DEAD_LETTERS = "https://sqs.example/dead-letters"


def real_function(configuration: Configuration, environment: Environment, surroundings: Surroundings) -> Handler:
    """Return the activation function as a new container builds it; told apart as its handler does it."""
    function = build_function(configuration, environment, surroundings)

    def handle(event: Any, context: Any) -> Any:  # noqa: ANN401 - as Lambda hands it over
        if not is_batch(event):
            return function.run(event, request_id=context.aws_request_id)
        left = context.get_remaining_time_in_millis
        return function.run_batch(event, request_id=context.aws_request_id, seconds_left=lambda: left() / 1000)

    return handle


def usual_handler(aws: Aws) -> Handler:
    """Return what most published handlers do: four calls for every knock, botocore's own retries, nothing kept.

    The order is that of AWS's own sample (Describe, CreatePolicy, AttachPolicy, UpdateCertificate), a policy of each
    device's own, errors raised: so that the retries are Lambda's.
    """
    client = aws.session().client("iot")

    def handle(event: Any, _context: Any) -> None:  # noqa: ANN401 - as Lambda hands it over
        found = client.describe_certificate(certificateId=event["certificateId"])["certificateDescription"]
        name = f"policy-{event['certificateId']}"
        document = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"arn:aws:iot:{REGION}:{ACCOUNT}:client/x"}
            ],
        }
        with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_policy(policyName=name, policyDocument=json.dumps(document))
        client.attach_policy(policyName=name, target=found["certificateArn"])
        client.update_certificate(certificateId=event["certificateId"], newStatus="ACTIVE")

    return handle
