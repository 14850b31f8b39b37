"""The enforcement function as CloudFormation gets it: code, limits, retries, and what starts it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aws_cdk import App
from aws_cdk.assertions import Annotations, Match

from jitr.enforcement.copies import PREFIX as PREFIX_OF_COPIES
from jitr.enforcement.sweep import SWEEP_LEASE
from jitr_fleet.deployments.deployment import Deployment, Fleet
from jitr_infra.app import add_deployments
from jitr_infra.stack import DeploymentStack
from tests.infra.synthesis import (
    ACTIVATE,
    BUCKET,
    ENFORCE,
    ENFORCEMENT_DEAD_LETTERS,
    PREFIX,
    QUEUES_OF_ACTIVATION,
    WITHOUT_BUNDLES,
    Json,
    Synthesis,
    ca,
    example_deployment,
    synthesise,
    variables,
)

FUNCTION, RULE, PERMISSION = "AWS::Lambda::Function", "AWS::Events::Rule", "AWS::Lambda::Permission"
PUBLISHED, SWEEP = f"{PREFIX}-crl-published", f"{PREFIX}-sweep"


def arn_of(stack: Synthesis, kind: str, **named: str) -> Json:
    """Return a reference to the ARN of a resource."""
    return {"Fn::GetAtt": [stack.id_of(kind, **named), "Arn"]}


def test_the_function_has_room_and_time_for_a_million_entries(stack: Synthesis) -> None:
    """Two CRLs of a million entries are compared in less than half of this memory."""
    function = stack.only(FUNCTION, FunctionName=ENFORCE)
    assert function["Handler"] == "jitr.handlers.enforce.handle"
    assert (function["MemorySize"], function["Timeout"]) == (1024, 900)


def test_a_sweeps_lease_outlives_the_function(stack: Synthesis) -> None:
    """Whoever finds it ended knows that its owner is dead."""
    assert timedelta(seconds=stack.only(FUNCTION, FunctionName=ENFORCE)["Timeout"]) < SWEEP_LEASE


def test_code_and_environment_are_activations(stack: Synthesis) -> None:
    """One bundle, one configuration: what decides and what enforces read the same CAs."""
    activate, enforce = (stack.only(FUNCTION, FunctionName=name) for name in (ACTIVATE, ENFORCE))
    for name in ("Code", "Runtime", "Architectures"):
        assert activate[name] == enforce[name]
    assert variables(activate, without=QUEUES_OF_ACTIVATION) == variables(enforce)


def test_a_sweep_is_tried_three_times_and_kept(stack: Synthesis) -> None:
    """Then it is in the function's own queue."""
    function = {"Ref": stack.id_of(FUNCTION, FunctionName=ENFORCE)}
    configuration = stack.only("AWS::Lambda::EventInvokeConfig", FunctionName=function)
    assert (configuration["MaximumEventAgeInSeconds"], configuration["MaximumRetryAttempts"]) == (6 * 3600, 2)
    queue = arn_of(stack, "AWS::SQS::Queue", QueueName=ENFORCEMENT_DEAD_LETTERS)
    assert configuration["DestinationConfig"]["OnFailure"]["Destination"] == queue


def test_one_sweep_runs_at_a_time_and_is_never_starved(stack: Synthesis) -> None:
    """Reserved where activation reserves too; the test of that function shows the other case."""
    assert stack.only(FUNCTION, FunctionName=ENFORCE)["ReservedConcurrentExecutions"] == 1


def test_the_log_is_kept_as_long_as_activations(stack: Synthesis) -> None:
    """And is a group of its own."""
    group = stack.only("AWS::Logs::LogGroup", LogGroupName=f"/aws/lambda/{ENFORCE}")
    assert group["RetentionInDays"] == 90


def test_a_published_crl_starts_a_sweep(stack: Synthesis) -> None:
    """Any object of the bucket, but not the function's own copies: it would start itself for ever."""
    assert stack.only(RULE, Name=PUBLISHED)["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": [BUCKET]},
            "object": {"key": [{"anything-but": {"prefix": PREFIX_OF_COPIES}}]},
        },
    }


@pytest.mark.parametrize(("minutes", "rate"), [(1, "rate(1 minute)"), (5, "rate(5 minutes)"), (60, "rate(1 hour)")])
def test_the_schedule_is_the_fleet_files(minutes: int, rate: str) -> None:
    """EventBridge wants the singular for one."""
    stack = synthesise(example_deployment(cas=(), enforcement_minutes=minutes))
    assert stack.only(RULE, Name=SWEEP)["ScheduleExpression"] == rate


@pytest.mark.parametrize("rule", [PUBLISHED, SWEEP])
def test_a_rule_invokes_the_function_and_loses_nothing(stack: Synthesis, rule: str) -> None:
    """What EventBridge cannot hand over goes where the function's own failures go."""
    (target,) = stack.only(RULE, Name=rule)["Targets"]
    assert target["Arn"] == arn_of(stack, FUNCTION, FunctionName=ENFORCE)
    assert target["DeadLetterConfig"]["Arn"] == arn_of(stack, "AWS::SQS::Queue", QueueName=ENFORCEMENT_DEAD_LETTERS)
    assert stack.only(RULE, Name=rule)["State"] == "ENABLED"


def test_only_these_two_rules_may_invoke_the_function(stack: Synthesis) -> None:
    """Each permission names its rule."""
    function = arn_of(stack, FUNCTION, FunctionName=ENFORCE)
    permissions = [each for each in stack.of_type(PERMISSION) if each["FunctionName"] == function]
    assert {each["Principal"] for each in permissions} == {"events.amazonaws.com"}
    sources = [each["SourceArn"] for each in permissions]
    rules = [arn_of(stack, RULE, Name=name) for name in (PUBLISHED, SWEEP)]
    assert sorted(map(str, sources)) == sorted(map(str, rules))


def test_only_these_two_rules_may_send_to_the_queue(stack: Synthesis) -> None:
    """The queue's own policy lets EventBridge in for them, and nobody else."""
    queue = stack.id_of("AWS::SQS::Queue", QueueName=ENFORCEMENT_DEAD_LETTERS)
    (policy,) = [each for each in stack.of_type("AWS::SQS::QueuePolicy") if each["Queues"] == [{"Ref": queue}]]
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    assert {(each["Principal"]["Service"], each["Action"]) for each in allowed} == {
        ("events.amazonaws.com", "sqs:SendMessage")
    }
    sources = [each["Condition"]["ArnEquals"]["aws:SourceArn"] for each in allowed]
    assert sorted(map(str, sources)) == sorted(str(arn_of(stack, RULE, Name=name)) for name in (PUBLISHED, SWEEP))


def noted(deployment: Deployment) -> bool:
    """Say whether a deployment's stack notes that distribution points lead nowhere but to its own bucket."""
    (stack,) = add_deployments(App(context=WITHOUT_BUNDLES), Fleet(deployments=(deployment,)))
    assert isinstance(stack, DeploymentStack)
    return bool(Annotations.from_stack(stack).find_info("*", Match.string_like_regexp("crl_hosts is empty")))


def test_distribution_points_without_hosts_are_noted() -> None:
    """It may be meant, if the CA publishes into the stack's bucket; otherwise no device ever gets in."""
    points = (ca("points", crl="cdp"),)
    assert noted(example_deployment(cas=points, crl_hosts=()))
    assert not noted(example_deployment(cas=points))
    assert not noted(example_deployment(cas=(ca("points"),), crl_hosts=()))
