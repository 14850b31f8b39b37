"""Who may do what: everything that the template allows, and nothing beyond it."""

from __future__ import annotations

import re

import pytest

from tests.infra.synthesis import (
    ACCOUNT,
    ACTIVATE,
    ACTIVATION_QUEUE,
    AUTHORITIES,
    BUCKET,
    BULK,
    BULK_WORK,
    DEAD_LETTERS,
    ELSEWHERE,
    ENFORCE,
    ENFORCEMENT_DEAD_LETTERS,
    PARENT,
    PREFIX,
    PRIVATE_CA,
    REGION,
    ROLL_OUT,
    Json,
    Synthesis,
    example_deployment,
    synthesise,
    texts,
)

IOT = f"arn:aws:iot:{REGION}:{ACCOUNT}"
# What each function's role may do on which resources; `<name>` stands for the resource of that name in the template.
BOTH = {
    "iot:DescribeCertificate": {f"{IOT}:cert/*"},
    "iot:UpdateCertificate": {f"{IOT}:cert/*"},
    "iot:DescribeCACertificate": {f"{IOT}:cacert/*"},
    "dynamodb:GetItem": {f"<{PREFIX}-state>"},
    "dynamodb:UpdateItem": {f"<{PREFIX}-state>"},
    "s3:ListBucket": {f"arn:aws:s3:::{BUCKET}"},
    "s3:GetObject": {f"arn:aws:s3:::{BUCKET}/*", ELSEWHERE.replace("s3://", "arn:aws:s3:::")},
}
# The queue is there in direct mode too, so that nothing is lost in it when the mode is switched.
BATCHES = {
    f"sqs:{call}": {f"<{ACTIVATION_QUEUE}>"}
    for call in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")
}
# Who switches devices off ends their connections.
ENDING_CONNECTIONS = {
    "iot:GetConnection": {f"{IOT}:client/*"},
    "iot:DeleteConnection": {f"{IOT}:client/*"},
    "iot:ListThingPrincipals": {f"{IOT}:thing/*"},
    "iot:ListPrincipalThings": {f"{IOT}:cert/*"},
}
ACTIVATION = (
    BOTH
    | ENDING_CONNECTIONS
    | BATCHES
    | {
        "logs:CreateLogStream": {f"</aws/lambda/{ACTIVATE}>"},
        "logs:PutLogEvents": {f"</aws/lambda/{ACTIVATE}>"},
        "sqs:SendMessage": {f"<{DEAD_LETTERS}>", f"<{ACTIVATION_QUEUE}>"},
        "iot:AttachPolicy": {f"{IOT}:cert/*"},
        "iot:AttachThingPrincipal": {f"{IOT}:cert/*"},
        "iot:CreatePolicy": {f"{IOT}:policy/{PREFIX}_*"},
        "iot:CreateThing": {f"{IOT}:thing/*"},
        "iot:DescribeThing": {f"{IOT}:thing/*"},
        "iot:UpdateThing": {f"{IOT}:thing/*"},
    }
)
ENFORCEMENT = (
    BOTH
    | ENDING_CONNECTIONS
    | {
        "logs:CreateLogStream": {f"</aws/lambda/{ENFORCE}>"},
        "logs:PutLogEvents": {f"</aws/lambda/{ENFORCE}>"},
        "sqs:SendMessage": {f"<{ENFORCEMENT_DEAD_LETTERS}>"},
        "iot:ListCertificatesByCA": {"*"},
        "iot:GetPolicy": {f"{IOT}:policy/{PREFIX}_*"},
        "dynamodb:BatchGetItem": {f"<{PREFIX}-state>"},
        "dynamodb:Query": {f"<{PREFIX}-state>"},
        "s3:PutObject": {f"arn:aws:s3:::{BUCKET}/enforced/*"},
        "s3:PutObjectTagging": {f"arn:aws:s3:::{BUCKET}/enforced/*"},
    }
)
VERSIONS = ("CreatePolicy", "GetPolicy", "CreatePolicyVersion", "ListPolicyVersions", "DeletePolicyVersion")
ROLLING_OUT = {
    "logs:CreateLogStream": {f"</aws/lambda/{ROLL_OUT}>"},
    "logs:PutLogEvents": {f"</aws/lambda/{ROLL_OUT}>"},
    **{f"iot:{call}": {f"{IOT}:policy/{PREFIX}_*"} for call in VERSIONS},
}
GUARDING = {
    "logs:CreateLogStream": {f"</aws/lambda/{AUTHORITIES}>"},
    "logs:PutLogEvents": {f"</aws/lambda/{AUTHORITIES}>"},
    "iot:ListCertificatesByCA": {"*"},
    "cloudformation:DescribeStacks": {"<the stack>"},
    # To take back what a deploy registered that is rolled back.
    "cloudformation:DescribeStackResource": {"<the stack>"},
    **{f"iot:{call}CACertificate": {f"{IOT}:cacert/*"} for call in ("Describe", "Update", "Delete")},
}
OBSERVING = BATCHES | {
    "logs:CreateLogStream": {f"</aws/lambda/{ACTIVATE}>"},
    "logs:PutLogEvents": {f"</aws/lambda/{ACTIVATE}>"},
    "sqs:SendMessage": {f"<{DEAD_LETTERS}>", f"<{ACTIVATION_QUEUE}>"},
    "iot:DescribeCertificate": {f"{IOT}:cert/*"},
    "iot:DescribeCACertificate": {f"{IOT}:cacert/*"},
    "dynamodb:GetItem": {f"<{PREFIX}-state>"},
    "s3:ListBucket": {f"arn:aws:s3:::{BUCKET}"},
    "s3:GetObject": {f"arn:aws:s3:::{BUCKET}/*", ELSEWHERE.replace("s3://", "arn:aws:s3:::")},
}
BULK_WORKING = ENDING_CONNECTIONS | {
    "logs:CreateLogStream": {f"</aws/lambda/{BULK}>"},
    "logs:PutLogEvents": {f"</aws/lambda/{BULK}>"},
    **{
        f"iot:{call}": {f"{IOT}:cert/*"}
        for call in ("DescribeCertificate", "UpdateCertificate", "AttachPolicy", "DetachPolicy")
    },
    "iot:DescribeCACertificate": {f"{IOT}:cacert/*"},
    "iot:ListCertificatesByCA": {"*"},
    "iot:GetPolicy": {f"{IOT}:policy/{PREFIX}_*"},
    **{f"dynamodb:{call}": {f"<{PREFIX}-state>"} for call in ("GetItem", "UpdateItem", "BatchGetItem", "Query")},
    **{
        f"sqs:{call}": {f"<{BULK_WORK}>"}
        for call in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "SendMessage")
    },
}
# The API has no resource type for these (Service Authorization Reference, AWS IoT).
WITHOUT_RESOURCE = {"iot:ListCertificatesByCA", "iot:GetRegistrationCode"}
NAMES = ("LogGroupName", "QueueName", "TableName")


def of_function(stack: Synthesis, name: str) -> dict[str, set[str]]:
    """Return what a function's role may do: action → resources."""
    role, attribute = stack.only("AWS::Lambda::Function", FunctionName=name)["Role"]["Fn::GetAtt"]
    assert attribute == "Arn"
    return allowed_to(stack, role)


def of_service(stack: Synthesis, service: str) -> dict[str, set[str]]:
    """Return what the one role that a service may assume may do."""
    (role,) = [
        logical_id
        for logical_id, resource in stack.found("AWS::IAM::Role")
        if resource["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": service}
    ]
    return allowed_to(stack, role)


def allowed_to(stack: Synthesis, role: str) -> dict[str, set[str]]:
    """Return what a role may do: action → resources."""
    allowed: dict[str, set[str]] = {}
    for policy in stack.of_type("AWS::IAM::Policy"):
        if {"Ref": role} not in policy["Roles"]:
            continue
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            for action in texts(statement["Action"]):
                allowed.setdefault(action, set()).update(named(stack, resource) for resource in resources)
    return allowed


def named(stack: Synthesis, resource: str | Json) -> str:
    """Return an ARN as it stands, or the name of the resource that it is a reference to."""
    if isinstance(resource, str):
        return resource
    if resource == {"Ref": "AWS::StackId"}:
        return "<the stack>"
    logical_id, attribute = resource["Fn::GetAtt"]
    assert attribute == "Arn"
    properties = stack.document["Resources"][logical_id]["Properties"]
    if "Subject" in properties:
        return f"<CA {properties['Subject']['CommonName']}>"
    (name,) = [properties[key] for key in NAMES if key in properties]
    return f"<{name}>"


def test_activation_may_do_exactly_what_it_needs(stack: Synthesis) -> None:
    """Action by action and resource by resource."""
    assert of_function(stack, ACTIVATE) == ACTIVATION


def test_enforcement_may_do_exactly_what_it_needs(stack: Synthesis) -> None:
    """It attaches nothing and creates nothing, and writes to the bucket below its own prefix only."""
    assert of_function(stack, ENFORCE) == ENFORCEMENT


def test_a_roll_out_may_do_exactly_what_it_needs(stack: Synthesis) -> None:
    """Policies of this deployment's own prefix, and nothing else in the account: it attaches none, and deletes none."""
    assert of_function(stack, ROLL_OUT) == ROLLING_OUT


def test_bulk_work_may_do_exactly_what_it_needs(stack: Synthesis) -> None:
    """It makes no policy and no Thing, deletes nothing, and knows no queue but its own."""
    assert of_function(stack, BULK) == BULK_WORKING


@pytest.mark.parametrize("never", ["DeleteCertificate", "CreatePolicy", "DeletePolicy", "DeleteItem", "PassRole"])
def test_bulk_work_destroys_nothing(stack: Synthesis, never: str) -> None:
    """It may detach a policy, which attaching undoes; rows and certificates stay."""
    assert not [action for action in of_function(stack, BULK) if action.endswith(f":{never}")]


def test_activation_may_change_devices_own_policies_only_where_a_template_asks_for_them() -> None:
    """Their names have another prefix, so neither function can touch the other's policies."""
    templates = {"default": "{}", "own": '{"Resource": "@{device.serial}"}'}
    stack = synthesise(example_deployment(policies=templates))
    own, shared = f"{IOT}:policy/{PREFIX}.*", f"{IOT}:policy/{PREFIX}_*"
    more = {f"iot:{call}": {own} for call in VERSIONS} | {"iot:CreatePolicy": {own, shared}}
    assert of_function(stack, ACTIVATE) == ACTIVATION | more
    assert of_function(stack, ROLL_OUT) == ROLLING_OUT


def test_a_deploy_may_guard_the_cas_and_nothing_else(stack: Synthesis) -> None:
    """Without a CA in AWS Private CA the function lists certificates and looks at its own stack."""
    assert of_function(stack, AUTHORITIES) == GUARDING


def test_only_cas_of_the_deployment_can_be_taken_back(stack: Synthesis) -> None:
    """By their tag: the permission of one that is rolled back would have gone before it is needed."""
    (found,) = [each for each in stack.statements() if "iot:DeleteCACertificate" in texts(each["Action"])]
    assert found["Condition"] == {"StringEquals": {"aws:ResourceTag/jitr:deployment": "prod-eu"}}
    assert set(texts(found["Action"])) == {"iot:DeleteCACertificate", "iot:UpdateCACertificate"}


def test_a_deploy_may_use_its_own_private_cas_and_no_others(private: Synthesis) -> None:
    """Read each; have those in DEFAULT mode sign, and nothing but end entities."""
    reviewed = PRIVATE_CA.replace("1234-", "5678-")
    proved = {"<CA Line>", PRIVATE_CA, reviewed}
    assert of_function(private, AUTHORITIES) == GUARDING | {
        "iot:GetRegistrationCode": {"*"},
        "acm-pca:GetCertificateAuthorityCertificate": {"<CA Root>", PARENT} | proved,
        "acm-pca:DescribeCertificateAuthority": proved,
        "acm-pca:GetCertificate": proved,
        "acm-pca:IssueCertificate": proved,
    }
    (issuing,) = [each for each in private.statements() if "acm-pca:IssueCertificate" in texts(each["Action"])]
    assert issuing["Condition"] == {
        "StringEquals": {"acm-pca:TemplateArn": "arn:aws:acm-pca:::template/EndEntityCertificate/V1"}
    }


def test_activation_may_put_things_into_the_named_groups_only(private: Synthesis) -> None:
    """AWS evaluates the call against the Thing and the group."""
    groups = {f"{IOT}:thinggroup/{name}" for name in ("north", "pumps")}
    assert of_function(private, ACTIVATE)["iot:AddThingToThingGroup"] == {f"{IOT}:thing/*"} | groups


def test_who_observes_may_only_read(observing: Synthesis) -> None:
    """Activation reads; enforcement has a log and its dead letters; bulk work has its own queue."""
    assert of_function(observing, ACTIVATE) == OBSERVING
    assert set(of_function(observing, ENFORCE)) == {"logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"}
    assert {action.split(":")[0] for action in of_function(observing, BULK)} == {"logs", "sqs"}
    assert set(of_function(observing, AUTHORITIES)) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "acm-pca:GetCertificateAuthorityCertificate",
    }


@pytest.mark.parametrize("verb", ["Update", "Attach", "Create", "Delete", "Add", "Register", "Put", "Issue", "Batch"])
def test_no_statement_of_a_deployment_that_observes_writes(observing: Synthesis, verb: str) -> None:
    """To AWS IoT, DynamoDB, S3 or AWS Private CA; logs and queues are its own."""
    services = ("iot:", "dynamodb:", "s3:", "acm-pca:")
    for policy in observing.of_type("AWS::IAM::Policy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            for action in texts(statement["Action"]):
                assert not (action.startswith(services) and action.split(":")[1].startswith(verb)), action


def test_the_rules_role_may_send_to_the_dead_letters_only(stack: Synthesis) -> None:
    """Nothing else."""
    assert of_service(stack, "iot.amazonaws.com") == {"sqs:SendMessage": {f"<{DEAD_LETTERS}>"}}


def test_no_role_has_a_managed_or_inline_policy(stack: Synthesis) -> None:
    """AWS's managed policy for Lambda writes to every log group."""
    for role in stack.of_type("AWS::IAM::Role"):
        assert "ManagedPolicyArns" not in role
        assert "Policies" not in role


def test_no_permission_is_a_wildcard(stack: Synthesis) -> None:
    """No `*` as action or resource, but where it is the one the policy hangs on (a key), or the API knows no other."""
    for statement in stack.statements():
        if statement["of"] == "AWS::KMS::Key" or set(texts(statement["Action"])) <= WITHOUT_RESOURCE:
            continue
        assert not [action for action in texts(statement["Action"]) if "*" in action]
        assert statement["Resource"] != "*"


def test_only_the_accounts_root_has_all_rights_on_the_key(stack: Synthesis) -> None:
    """Without the root nobody could change the key's policy any more; IAM decides who may."""
    everything = [each for each in stack.statements() if "kms:*" in texts(each["Action"])]
    assert [each["Principal"] for each in everything] == [{"AWS": f"arn:aws:iam::{ACCOUNT}:root"}]


def test_nothing_is_allowed_to_everybody(stack: Synthesis) -> None:
    """Statements for everybody only deny."""
    for statement in stack.statements():
        assert statement.get("Principal") not in ("*", {"AWS": "*"})


@pytest.mark.parametrize(
    "never", ["DeleteCertificate", "DetachPolicy", "DeletePolicy", "DeleteItem", "DeleteObject", "PassRole"]
)
@pytest.mark.parametrize("function", [ACTIVATE, AUTHORITIES, ENFORCE, ROLL_OUT])
def test_a_function_can_undo_nothing(stack: Synthesis, function: str, never: str) -> None:
    """A deleted certificate would register itself again; a deleted row would forget a revocation."""
    assert not [action for action in of_function(stack, function) if action.endswith(f":{never}")]


def test_a_crl_elsewhere_is_one_object_not_a_bucket(stack: Synthesis) -> None:
    """The fleet file names the object, so IAM does too."""
    for function in (ACTIVATE, ENFORCE):
        objects = of_function(stack, function)["s3:GetObject"]
        assert "arn:aws:s3:::other-bucket/crls/factory-2.crl" in objects
        assert not [each for each in objects if re.search(r"other-bucket/?\*", each)]


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-central-1", "aws")]
)
def test_arns_are_of_the_regions_partition(region: str, partition: str) -> None:
    """China and GovCloud have their own."""
    stack = synthesise(example_deployment(region=region))
    allowed = [of_function(stack, function) for function in (ACTIVATE, ENFORCE, ROLL_OUT, BULK)]
    arns = {arn for each in allowed for resources in each.values() for arn in resources if arn.startswith("arn:")}
    assert {arn.split(":")[1] for arn in arns} == {partition}
