"""The activation function as CloudFormation gets it: code, limits, environment, retries, log."""

from __future__ import annotations

import pytest
from aws_cdk import App
from aws_cdk.assertions import Annotations, Match

from jitr.settings import Environment
from jitr_fleet.deployments.deployment import Fleet
from jitr_infra.app import add_deployments
from jitr_infra.parts.build_target import BuildTarget
from tests.infra.synthesis import (
    ACCOUNT,
    ACTIVATE,
    ACTIVATION_QUEUE,
    AUTHORITIES,
    BUCKET,
    BULK,
    DEAD_LETTERS,
    ENFORCE,
    PREFIX,
    ROLL_OUT,
    WITHOUT_BUNDLES,
    Synthesis,
    example_deployment,
    synthesise,
)

FUNCTION = "AWS::Lambda::Function"


def test_the_function_is_python_on_arm(stack: Synthesis) -> None:
    """What the wheels are chosen for is what CloudFormation asks for."""
    function = stack.only(FUNCTION, FunctionName=ACTIVATE)
    assert function["Runtime"] == f"python{BuildTarget().python}" == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert function["Handler"] == "jitr.handlers.activate.handle"
    assert (function["MemorySize"], function["Timeout"]) == (512, 45)


def test_the_functions_name_says_what_it_does(stack: Synthesis) -> None:
    """People find it by `Activate`."""
    assert stack.only(FUNCTION, FunctionName=ACTIVATE)["FunctionName"] == f"{PREFIX}-Activate"


def test_the_environment_is_what_the_handler_reads(stack: Synthesis) -> None:
    """Both sides use one class; references stand for the names that CloudFormation fills in."""
    variables = stack.only(FUNCTION, FunctionName=ACTIVATE)["Environment"]["Variables"]
    filled_in = {
        name: next(
            (properties[key] for key in ("TableName", "QueueName") if key in properties),
            BUCKET,
        )
        if isinstance(value, dict)
        else value
        for name, value in variables.items()
        for properties in [stack.document["Resources"][value["Ref"]]["Properties"] if isinstance(value, dict) else {}]
    }
    environment = Environment.from_environ({**filled_in, "AWS_REGION": "eu-west-1"})
    assert environment == Environment(
        account=ACCOUNT,
        region="eu-west-1",
        partition="aws",
        state_table=f"{PREFIX}-state",
        crl_bucket=BUCKET,
        activation_queue=ACTIVATION_QUEUE,
        dead_letters=DEAD_LETTERS,
    )


def test_the_environment_holds_no_configuration(stack: Synthesis) -> None:
    """CAs and policies travel in the bundle, where they were reviewed."""
    variables = stack.only(FUNCTION, FunctionName=ACTIVATE)["Environment"]["Variables"]
    ours = {name for name in variables if not name.startswith("POWERTOOLS_")}
    queues = {"JITR_ACTIVATION_QUEUE", "JITR_DEAD_LETTERS"}
    assert ours == {"JITR_ACCOUNT", "JITR_PARTITION", "JITR_STATE_TABLE", "JITR_CRL_BUCKET", *queues}


def test_an_event_is_tried_three_times_within_six_hours(stack: Synthesis) -> None:
    """The asynchronous configuration is spelled out, on the unqualified function."""
    function = {"Ref": stack.id_of(FUNCTION, FunctionName=ACTIVATE)}
    configuration = stack.only("AWS::Lambda::EventInvokeConfig", FunctionName=function)
    assert configuration["MaximumEventAgeInSeconds"] == 6 * 3600
    assert configuration["MaximumRetryAttempts"] == 2
    assert configuration["Qualifier"] == "$LATEST"
    queue = stack.id_of("AWS::SQS::Queue", QueueName=DEAD_LETTERS)
    assert configuration["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": [queue, "Arn"]}


def test_the_log_group_is_ours_and_ends(stack: Synthesis) -> None:
    """A log group that Lambda makes by itself keeps everything for ever."""
    group = stack.only("AWS::Logs::LogGroup", LogGroupName=f"/aws/lambda/{ACTIVATE}")
    assert group["RetentionInDays"] == 90
    logical_id = stack.only(FUNCTION, FunctionName=ACTIVATE)["LoggingConfig"]["LogGroup"]["Ref"]
    assert logical_id == stack.id_of("AWS::Logs::LogGroup", LogGroupName=f"/aws/lambda/{ACTIVATE}")


def test_the_retention_is_the_fleet_files() -> None:
    """Any number of days that CloudWatch Logs accepts."""
    stack = synthesise(example_deployment(log_retention_days=400, cas=()))
    assert {group["RetentionInDays"] for group in stack.of_type("AWS::Logs::LogGroup")} == {400}


def test_the_function_waits_for_its_permissions(stack: Synthesis) -> None:
    """An event in between would be refused by AWS."""
    for function in stack.resources(FUNCTION):
        assert "AWS::IAM::Policy" in {stack.type_of(each) for each in function["DependsOn"]}


def test_concurrency_is_reserved_and_explained() -> None:
    """A new account cannot reserve any; the deploy must not die of that unexplained."""
    app = App(context=WITHOUT_BUNDLES)
    (stack,) = add_deployments(app, Fleet(deployments=(example_deployment(cas=()),)))
    words = Match.string_like_regexp(r'reserves 3 of.*limit is 10.*reserved_concurrency = "off"')
    Annotations.from_stack(stack).has_info("*", words)


def test_concurrency_reaches_cloudformation(stack: Synthesis) -> None:
    """The number is the deployment's."""
    assert stack.only(FUNCTION, FunctionName=ACTIVATE)["ReservedConcurrentExecutions"] == 3


def test_reserving_can_be_switched_off() -> None:
    """Then nothing is reserved, and nothing is said about it."""
    app = App(context=WITHOUT_BUNDLES)
    (stack,) = add_deployments(app, Fleet(deployments=(example_deployment(cas=(), reserved_concurrency=None),)))
    assert not Annotations.from_stack(stack).find_info("*", Match.any_value())
    functions = synthesise(example_deployment(cas=(), reserved_concurrency=None)).of_type(FUNCTION)
    assert {each["FunctionName"] for each in functions} == {ACTIVATE, AUTHORITIES, ENFORCE, ROLL_OUT, BULK}
    assert not [each for each in functions if "ReservedConcurrentExecutions" in each]


@pytest.mark.parametrize("property_name", ["TracingConfig", "VpcConfig", "Layers"])
def test_the_function_has_nothing_it_does_not_need(stack: Synthesis, property_name: str) -> None:
    """No tracing (the log says it), no network of ours, no foreign layer."""
    assert property_name not in stack.only(FUNCTION, FunctionName=ACTIVATE)
