"""The roll-out of policies as CloudFormation gets it: what is rolled out, in which order, and when it gives up."""

from __future__ import annotations

import json
from importlib import import_module

import pytest

from jitr.aws.retries import longest_call_seconds
from jitr.handlers import roll_out
from jitr.handlers.clients import PATIENT_CLIENT_CONFIG
from jitr.handlers.custom_resources import RESERVED_SECONDS
from jitr.messages.custom_resource import DELETE, PAUSE_SECONDS, TRIES
from jitr_fleet.deployments.deployment import Registration
from tests.infra.synthesis import (
    ACCOUNT,
    ACTIVATE,
    ENFORCE,
    NAME,
    PREFIX,
    QUEUES_OF_ACTIVATION,
    REGION,
    ROLL_OUT,
    Json,
    Synthesis,
    ca,
    example_deployment,
    synthesise,
    variables,
)

FUNCTION, POLICIES = "AWS::Lambda::Function", "Custom::JitrPolicies"
SHARED = json.dumps({"Resource": "arn:@{partition}:iot:@{region}:@{account}:client/${iot:ClientId}"}, indent=4)
OWN = json.dumps({"Resource": "@{device.serial}"})


def with_policies(**templates: str) -> Synthesis:
    """A deployment with these templates."""
    return synthesise(example_deployment(policies=templates, cas=()))


def documents(stack: Synthesis) -> dict[str, str]:
    """What the custom resource rolls out: read as the function reads it."""
    return roll_out.documents_of(stack.only(POLICIES))


def test_the_shared_policies_are_rolled_out_with_the_deployments_values() -> None:
    """The names and documents that the function compares for drift, and creates on demand."""
    (name,), (document,) = zip(*documents(with_policies(default=SHARED)).items(), strict=True)
    assert name == f"{PREFIX}_default"
    assert json.loads(document) == {"Resource": f"arn:aws:iot:{REGION}:{ACCOUNT}:client/${{iot:ClientId}}"}


def test_every_shared_template_is_rolled_out_and_no_other() -> None:
    """One with device values makes a policy for each device, at its activation."""
    assert list(documents(with_policies(b=SHARED, own=OWN, a=SHARED))) == [f"{PREFIX}_a", f"{PREFIX}_b"]


def test_formatting_changes_nothing_that_cloudformation_sees() -> None:
    """So it does not even ask."""
    compact = json.dumps(json.loads(SHARED))
    assert documents(with_policies(default=SHARED)) == documents(with_policies(default=compact))


def test_an_edit_changes_what_cloudformation_sees() -> None:
    """A property that stays the same would be no update."""
    edited = SHARED.replace("client/", "client/x-")
    assert documents(with_policies(default=SHARED)) != documents(with_policies(default=edited))


def test_without_shared_policies_there_is_nothing_to_roll_out() -> None:
    """An empty list is no resource."""
    assert with_policies(own=OWN).resources(POLICIES) == []


def test_partitions_are_the_regions() -> None:
    """China has its own."""
    stack = synthesise(example_deployment(region="cn-north-1", policies={"default": SHARED}, cas=()))
    (document,) = documents(stack).values()
    assert json.loads(document)["Resource"].startswith(f"arn:aws-cn:iot:cn-north-1:{ACCOUNT}:")


def test_destroying_the_stack_leaves_the_policies(stack: Synthesis) -> None:
    """Devices depend on them; CloudFormation does not even ask, and the function would say yes and do nothing."""
    (resource,) = stack.resources(POLICIES)
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert DELETE == "Delete"


def test_the_service_is_the_roll_out_function(stack: Synthesis) -> None:
    """By its ARN; CloudFormation calls it with the rights of whoever deploys, so it needs no permission of its own."""
    function = stack.id_of(FUNCTION, FunctionName=ROLL_OUT)
    assert stack.only(POLICIES)["ServiceToken"] == {"Fn::GetAtt": [function, "Arn"]}
    permissions = [each["FunctionName"] for each in stack.of_type("AWS::Lambda::Permission")]
    assert {"Fn::GetAtt": [function, "Arn"]} not in permissions


def test_the_function_is_of_the_same_bundle(stack: Synthesis) -> None:
    """One bundle, one configuration."""
    activate, found = (stack.only(FUNCTION, FunctionName=name) for name in (ACTIVATE, ROLL_OUT))
    for name in ("Code", "Runtime", "Architectures"):
        assert activate[name] == found[name]
    assert variables(activate, without=QUEUES_OF_ACTIVATION) == variables(found)
    module, _, name = found["Handler"].rpartition(".")
    assert getattr(import_module(module), name) is roll_out.handle


def waits_for(stack: Synthesis, resource: Json) -> set[str]:
    """Everything that has to be there before a resource, directly or through others."""
    waiting, found = list(resource.get("DependsOn", [])), set[str]()
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += stack.document["Resources"][each].get("DependsOn", [])
    return found


def test_policies_are_rolled_out_last(stack: Synthesis) -> None:
    """After all that may fail for other reasons, so that a deploy that fails there changes no device's rights."""
    (resource,) = stack.resources(POLICIES)
    before = waits_for(stack, resource)
    needed = {stack.id_of(FUNCTION, FunctionName=name) for name in (ACTIVATE, ENFORCE)}
    needed |= {logical_id for logical_id, _ in stack.found("AWS::IoT::CACertificate")}
    needed |= {logical_id for logical_id, _ in stack.found("AWS::IoT::TopicRule")}
    assert len(needed) == 6
    assert needed <= before


def test_the_function_has_its_permissions_before_it_is_there(stack: Synthesis) -> None:
    """CloudFormation waits for the function, and so for the role's policy; refused calls would fail the deploy."""
    ((_, function),) = stack.found(FUNCTION, FunctionName=ROLL_OUT)
    role, _ = function["Properties"]["Role"]["Fn::GetAtt"]
    (policy,) = [
        logical_id
        for logical_id, resource in stack.found("AWS::IAM::Policy")
        if resource["Properties"]["Roles"] == [{"Ref": role}]
    ]
    assert policy in function["DependsOn"]


def test_when_cloudformation_gives_up_no_attempt_is_left(stack: Synthesis) -> None:
    """Else a late attempt would roll out again what the roll-back had taken back."""
    function = stack.only(FUNCTION, FunctionName=ROLL_OUT)
    name = {"Ref": stack.id_of(FUNCTION, FunctionName=ROLL_OUT)}
    asynchronous = stack.only("AWS::Lambda::EventInvokeConfig", FunctionName=name)
    last_end = asynchronous["MaximumEventAgeInSeconds"] + function["Timeout"]
    assert last_end < int(stack.only(POLICIES)["ServiceTimeout"]) < 3600


def test_a_call_and_the_answer_fit_into_the_time_that_is_kept_for_them(stack: Synthesis) -> None:
    """The function gives up early enough, and not so early that nothing could be done."""
    call = longest_call_seconds(PATIENT_CLIENT_CONFIG)
    answer = 4 * (2 + 5) + 0.5 + 1 + 2
    assert call + answer < RESERVED_SECONDS
    waiting = (TRIES - 1) * PAUSE_SECONDS
    assert stack.only(FUNCTION, FunctionName=ROLL_OUT)["Timeout"] >= 2 * RESERVED_SECONDS + waiting


def test_no_letter_is_left_for_anybody(stack: Synthesis) -> None:
    """A request without an answer fails the deploy; the alarms about dead letters are about devices."""
    name = {"Ref": stack.id_of(FUNCTION, FunctionName=ROLL_OUT)}
    assert "DestinationConfig" not in stack.only("AWS::Lambda::EventInvokeConfig", FunctionName=name)


@pytest.mark.parametrize("registration", list(Registration))
def test_a_ca_of_any_registration_can_be_deployed_with_policies(registration: Registration) -> None:
    """A CA that is registered already is no resource to wait for."""
    stack = synthesise(example_deployment(cas=(ca("one", registration=registration),)))
    assert len(stack.resources(POLICIES)) == 1
    assert NAME in stack.only(FUNCTION, FunctionName=ROLL_OUT)["Description"]
