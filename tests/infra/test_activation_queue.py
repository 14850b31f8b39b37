"""Queue ingestion as CloudFormation gets it: rule, queue, mapping, function, and how a deploy switches modes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jitr.activation.batch import RESERVED_SECONDS
from jitr.activation.queue import ATTEMPTS, MAX_RECEIVES
from jitr.activation.steps import LEASE, TIME_LIMIT
from jitr_fleet.deployments.concurrency import queue_concurrency_for
from jitr_infra.parts.queued_ingestion import batch_size
from tests.infra.synthesis import (
    ACCOUNT,
    ACTIVATE,
    ACTIVATION_QUEUE,
    DEAD_LETTERS,
    ENFORCE,
    REGION,
    Json,
    Synthesis,
    observing_deployment,
    queued_deployment,
    synthesise,
)

FUNCTION, QUEUE, RULE = "AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::IoT::TopicRule"
RULE_ARN = f"arn:aws:iot:{REGION}:{ACCOUNT}:rule/jitr_prod_eu_registered"


def arn_of(stack: Synthesis, kind: str, **named: str) -> Json:
    """Return a reference to the ARN of a resource."""
    return {"Fn::GetAtt": [stack.id_of(kind, **named), "Arn"]}


def mapping(stack: Synthesis) -> Json:
    """Return what hands batches to the activation function."""
    function = {"Ref": stack.id_of(FUNCTION, FunctionName=ACTIVATE)}
    return stack.only("AWS::Lambda::EventSourceMapping", FunctionName=function)


def permissions(stack: Synthesis) -> list[Json]:
    """Return who else may invoke the activation function."""
    function = arn_of(stack, FUNCTION, FunctionName=ACTIVATE)
    return [each for each in stack.of_type("AWS::Lambda::Permission") if each["FunctionName"] == function]


def test_the_rule_sends_to_the_queue_and_nowhere_else(queued: Synthesis) -> None:
    """As plain JSON, with a role of its own."""
    (action,) = queued.only(RULE)["TopicRulePayload"]["Actions"]
    assert set(action) == {"Sqs"}
    assert action["Sqs"]["QueueUrl"] == {"Ref": queued.id_of(QUEUE, QueueName=ACTIVATION_QUEUE)}
    assert action["Sqs"]["UseBase64"] is False


def test_the_rules_roles_may_send_to_one_queue_each_on_behalf_of_this_rule_only(queued: Synthesis) -> None:
    """One for events, one for what could not be delivered."""
    payload = queued.only(RULE)["TopicRulePayload"]
    for action, queue in ((payload["Actions"][0], ACTIVATION_QUEUE), (payload["ErrorAction"], DEAD_LETTERS)):
        role = action["Sqs"]["RoleArn"]["Fn::GetAtt"][0]
        trust = queued.document["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        condition = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnEquals": {"aws:SourceArn": RULE_ARN}}
        assert [each["Condition"] for each in trust] == [condition]
        (policy,) = [each for each in queued.of_type("AWS::IAM::Policy") if {"Ref": role} in each["Roles"]]
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Action"] == "sqs:SendMessage"
        assert statement["Resource"] == arn_of(queued, QUEUE, QueueName=queue)


def test_nobody_may_invoke_the_function_behind_a_queue(queued: Synthesis, stack: Synthesis) -> None:
    """Lambda polls with the function's own role; directly it is the rule alone."""
    assert permissions(queued) == []
    assert [each["Principal"] for each in permissions(stack)] == ["iot.amazonaws.com"]


def test_the_queue_is_encrypted_kept_long_and_open_to_tls_only(queued: Synthesis) -> None:
    """14 days, as long as SQS keeps anything."""
    queue = queued.only(QUEUE, QueueName=ACTIVATION_QUEUE)
    assert queue["SqsManagedSseEnabled"] is True
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    reference = {"Ref": queued.id_of(QUEUE, QueueName=ACTIVATION_QUEUE)}
    (policy,) = [each for each in queued.of_type("AWS::SQS::QueuePolicy") if reference in each["Queues"]]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_a_message_comes_back_when_its_function_is_surely_gone(queued: Synthesis) -> None:
    """Six times the function's time, and longer than a lease: a crash is retried once its lease has ended."""
    visibility = queued.only(QUEUE, QueueName=ACTIVATION_QUEUE)["VisibilityTimeout"]
    assert visibility == 6 * queued.only(FUNCTION, FunctionName=ACTIVATE)["Timeout"]
    assert timedelta(seconds=visibility) > LEASE > TIME_LIMIT
    assert 2 * timedelta(seconds=RESERVED_SECONDS) < TIME_LIMIT


def test_sqs_moves_only_what_the_function_never_answered_for(queued: Synthesis) -> None:
    """The function buries on its own last attempt, with the reason; SQS moves the bare event much later."""
    queue = queued.only(QUEUE, QueueName=ACTIVATION_QUEUE)
    target = arn_of(queued, QUEUE, QueueName=DEAD_LETTERS)
    assert queue["RedrivePolicy"] == {"deadLetterTargetArn": target, "maxReceiveCount": MAX_RECEIVES}
    assert MAX_RECEIVES > ATTEMPTS >= 5


def test_events_wait_out_hours_in_which_the_function_may_not_run(queued: Synthesis) -> None:
    """A receive takes as long as a message stays hidden: so long as Lambda keeps its own events, and not for days."""
    visibility = queued.only(QUEUE, QueueName=ACTIVATION_QUEUE)["VisibilityTimeout"]
    assert timedelta(hours=6) <= MAX_RECEIVES * timedelta(seconds=visibility) <= timedelta(hours=12)


def test_batches_are_limited_and_answered_message_by_message(queued: Synthesis) -> None:
    """Maximum concurrency instead of reserved concurrency, which would make messages fail that only have to wait."""
    found = mapping(queued)
    assert found["ScalingConfig"] == {"MaximumConcurrency": 10}
    assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert found["BatchSize"] == 10
    assert found["EventSourceArn"] == arn_of(queued, QUEUE, QueueName=ACTIVATION_QUEUE)
    assert "ReservedConcurrentExecutions" not in queued.only(FUNCTION, FunctionName=ACTIVATE)


def test_enforcement_still_reserves_its_one_execution(queued: Synthesis) -> None:
    """The queue is activation's."""
    assert queued.only(FUNCTION, FunctionName=ENFORCE)["ReservedConcurrentExecutions"] == 1


def test_what_waits_when_the_mode_is_switched_back_is_worked_off(stack: Synthesis, queued: Synthesis) -> None:
    """Queue, mapping and permissions are the same in both modes, but for how many batches are at work."""
    direct, other = (dict(mapping(each)) for each in (stack, queued))
    assert direct.pop("ScalingConfig") == {"MaximumConcurrency": 2}
    del other["ScalingConfig"]
    for name in ("EventSourceArn", "FunctionName", "FunctionResponseTypes", "BatchSize"):
        assert direct[name] == other[name]
    assert stack.only(QUEUE, QueueName=ACTIVATION_QUEUE) == queued.only(QUEUE, QueueName=ACTIVATION_QUEUE)


@pytest.mark.parametrize("mode", ["direct", "queue"])
def test_the_rule_is_switched_last(stack: Synthesis, queued: Synthesis, mode: str) -> None:
    """What its new target needs is there before; what the old one needed goes after it, as CloudFormation cleans up."""
    synthesis = stack if mode == "direct" else queued
    (rule,) = synthesis.resources(RULE)
    kinds = sorted(map(synthesis.type_of, rule["DependsOn"]))
    assert kinds == ["AWS::IAM::Policy", "AWS::Lambda::Permission" if mode == "direct" else "AWS::IAM::Policy"]


def test_who_observes_takes_two_batches_at_once() -> None:
    """It may write no turns, so each of two containers keeps to half of the share."""
    for different in ({}, {"ingestion": queued_deployment().ingestion}):
        synthesis = synthesise(observing_deployment(**different, cas=()))
        assert mapping(synthesis)["ScalingConfig"] == {"MaximumConcurrency": 2}


@pytest.mark.parametrize(
    ("api_tps", "share", "at_once", "batch"),
    [(10, 60, 10, 10), (1, 60, 2, 4), (100, 60, 100, 10), (5000, 100, 1000, 10)],
)
def test_batches_fit_into_the_functions_time(api_tps: int, share: int, at_once: int, batch: int) -> None:
    """All at work together wait for their turns far shorter than the function may run, even while nothing is lent."""
    lent = api_tps - 0.2
    tps = lent * share / 100
    assert queue_concurrency_for(lent) == at_once
    assert batch_size(tps, at_once) == batch
    assert at_once * batch / tps < TIME_LIMIT.total_seconds() - RESERVED_SECONDS


@pytest.mark.parametrize("tps", [0.01, 0.1, 1.0])
def test_the_slowest_deployment_gets_one_event_at_a_time(tps: float) -> None:
    """What has no turn in time goes back untried."""
    assert batch_size(tps, 1000) == 1


def test_the_number_of_batches_is_the_fleet_files() -> None:
    """For an account with few concurrent executions."""
    found: Any = mapping(synthesise(queued_deployment(maximum_concurrency=3)))
    assert found["ScalingConfig"] == {"MaximumConcurrency": 3}
