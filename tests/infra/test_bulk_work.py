"""Bulk work as CloudFormation gets it: queue, function, how they fit together, and what wakes somebody up."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

from jitr.aws.retries import longest_call_seconds
from jitr.bulk.queue import ATTEMPTS, QUEUE_VARIABLE
from jitr.bulk.work import AGAIN_SECONDS, LEASE, RESERVED_SECONDS
from jitr.handlers import bulk
from jitr.handlers.clients import BULK_CLIENT_CONFIG
from tests.infra.synthesis import (
    ACTIVATE,
    BULK,
    BULK_DEAD_LETTERS,
    BULK_WORK,
    NAME,
    Json,
    Synthesis,
)

FUNCTION, QUEUE, MAPPING = "AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::Lambda::EventSourceMapping"


def arn_of(stack: Synthesis, kind: str, **named: str) -> Json:
    """Return a reference to the ARN of a resource."""
    return {"Fn::GetAtt": [stack.id_of(kind, **named), "Arn"]}


def alarm(stack: Synthesis, name: str) -> Json:
    """Return one alarm by the end of its name."""
    return stack.only("AWS::CloudWatch::Alarm", AlarmName=f"jitr-{NAME}-{name}")


def test_the_function_is_of_the_same_bundle_and_knows_its_queue(stack: Synthesis) -> None:
    """One bundle, one configuration, and one variable more."""
    activate, found = (stack.only(FUNCTION, FunctionName=name) for name in (ACTIVATE, BULK))
    for name in ("Code", "Runtime", "Architectures"):
        assert activate[name] == found[name]
    module, _, name = found["Handler"].rpartition(".")
    assert getattr(import_module(module), name) is bulk.handle
    own = {QUEUE_VARIABLE: {"Ref": stack.id_of(QUEUE, QueueName=BULK_WORK)}}
    others = {"JITR_ACTIVATION_QUEUE", "JITR_DEAD_LETTERS"}
    variables = {name: value for name, value in activate["Environment"]["Variables"].items() if name not in others}
    assert found["Environment"]["Variables"] == variables | own


def test_two_invocations_at_most_and_only_failed_messages_come_back(stack: Synthesis) -> None:
    """Two is the least that Lambda allows; without the report one failed shift would repeat the others of its batch."""
    mapping = stack.only(MAPPING, FunctionName={"Ref": stack.id_of(FUNCTION, FunctionName=BULK)})
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["EventSourceArn"] == arn_of(stack, QUEUE, QueueName=BULK_WORK)
    assert mapping["BatchSize"] == 2


def test_nobody_else_may_invoke_the_function(stack: Synthesis) -> None:
    """Lambda polls with the function's own role."""
    function = arn_of(stack, FUNCTION, FunctionName=BULK)
    assert not [each for each in stack.of_type("AWS::Lambda::Permission") if each["FunctionName"] == function]


def test_a_message_comes_back_when_its_shift_is_surely_over(stack: Synthesis) -> None:
    """Six times the function's time, as AWS advises; a dead owner's lease has ended by then."""
    timeout = stack.only(FUNCTION, FunctionName=BULK)["Timeout"]
    visibility = stack.only(QUEUE, QueueName=BULK_WORK)["VisibilityTimeout"]
    assert visibility == 6 * timeout
    assert timedelta(seconds=timeout) < LEASE < timedelta(seconds=visibility)
    assert AGAIN_SECONDS < 900


def test_what_fails_again_and_again_becomes_a_dead_letter(stack: Synthesis) -> None:
    """After as many attempts as the function counts, so that the last one writes that the job failed."""
    queue = stack.only(QUEUE, QueueName=BULK_WORK)
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": arn_of(stack, QUEUE, QueueName=BULK_DEAD_LETTERS),
        "maxReceiveCount": ATTEMPTS,
    }


def test_the_slowest_certificate_fits_into_the_time_that_is_kept_for_it(stack: Synthesis) -> None:
    """Two calls with all their attempts, and the end of an activation; and most of the time is left for work."""
    activation = 55 + 1
    assert 2 * longest_call_seconds(BULK_CLIENT_CONFIG) + activation < RESERVED_SECONDS
    assert stack.only(FUNCTION, FunctionName=BULK)["Timeout"] > 3 * RESERVED_SECONDS


def test_a_job_that_fails_or_waits_raises_an_alarm(stack: Synthesis) -> None:
    """The work queue's age, and the dead letters' number."""
    for name, metric, queue, threshold in (
        ("BulkDeadLetters", "ApproximateNumberOfMessagesVisible", BULK_DEAD_LETTERS, 0),
        ("BulkWorkWaits", "ApproximateAgeOfOldestMessage", BULK_WORK, 5400),
    ):
        found = alarm(stack, name)
        assert (found["Namespace"], found["MetricName"], found["Statistic"]) == ("AWS/SQS", metric, "Maximum")
        (dimension,) = found["Dimensions"]
        assert dimension["Value"] == {"Fn::GetAtt": [stack.id_of(QUEUE, QueueName=queue), "QueueName"]}
        assert (found["ComparisonOperator"], found["Threshold"]) == ("GreaterThanThreshold", threshold)


def test_the_alarm_leaves_one_failed_shift_alone(stack: Synthesis) -> None:
    """It comes back once before anybody is woken."""
    visibility = stack.only(QUEUE, QueueName=BULK_WORK)["VisibilityTimeout"]
    assert visibility < alarm(stack, "BulkWorkWaits")["Threshold"] < 2 * visibility
