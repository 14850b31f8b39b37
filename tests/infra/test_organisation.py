"""What organisations ask of every stack: their key, boundary, path, tags, network; and nothing of it by default."""

from __future__ import annotations

import pytest

from jitr_fleet.deployments.deployment import Deployment
from tests.infra.synthesis import (
    ACCOUNT,
    ACTIVATE,
    AUTHORITIES,
    BULK,
    ENFORCE,
    REGION,
    ROLL_OUT,
    Json,
    Synthesis,
    example_deployment,
    queued_deployment,
    synthesise,
    texts,
)

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
CRL_KEY = KEY.replace("1111-2222", "aaaa-2222").replace(ACCOUNT, "444455556666")
IOT_KEY = KEY.replace("11111111", "99999999")
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/developers"
SUBNETS, GROUPS = ("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"), ("sg-0123456789abcdef0",)
FUNCTIONS = (ACTIVATE, ENFORCE, BULK, ROLL_OUT, AUTHORITIES)


def with_all(make: str = "direct") -> Deployment:
    """Return a deployment with every option."""
    made = queued_deployment if make == "queue" else example_deployment
    return made(
        kms_key=KEY,
        crl_kms_keys=(CRL_KEY,),
        iot_kms_key=IOT_KEY,
        permissions_boundary=BOUNDARY,
        role_path="/platform/jitr/",
        termination_protection=True,
        tags={"cost-center": "4711", "owner": "platform"},
        vpc_subnets=SUBNETS,
        vpc_security_groups=GROUPS,
    )


@pytest.fixture(scope="module")
def strict() -> Synthesis:
    """The example deployment in such an organisation."""
    return synthesise(with_all())


@pytest.fixture(scope="module")
def strict_queued() -> Synthesis:
    """The same with a queue between rule and function."""
    return synthesise(with_all("queue"))


def role_of(stack: Synthesis, function: str) -> str:
    """Return the logical id of a function's role."""
    role: str = stack.only("AWS::Lambda::Function", FunctionName=function)["Role"]["Fn::GetAtt"][0]
    return role


def statements_of(stack: Synthesis, role: str) -> list[Json]:
    """Return what the policies of a role say."""
    return [
        statement
        for policy in stack.of_type("AWS::IAM::Policy")
        if {"Ref": role} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def on_key(stack: Synthesis, role: str, key: str) -> list[tuple[set[str], Json]]:
    """Return what a role may do with a key, and on which conditions."""
    return [
        (set(texts(each["Action"])), each.get("Condition", {}))
        for each in statements_of(stack, role)
        if key in texts(each["Resource"])
    ]


def test_by_default_nothing_costs_more(stack: Synthesis) -> None:
    """No key but the alarms' own, no network, no boundary; the stack can be deleted."""
    assert len(stack.of_type("AWS::KMS::Key")) == 1
    assert not [each for each in stack.of_type("AWS::Lambda::Function") if "VpcConfig" in each]
    assert not [each for each in stack.of_type("AWS::IAM::Role") if {"PermissionsBoundary", "Path"} & each.keys()]
    assert not [each for each in stack.of_type("AWS::Logs::LogGroup") if "KmsKeyId" in each]
    assert all(each["SqsManagedSseEnabled"] is True for each in stack.of_type("AWS::SQS::Queue"))


class TestCustomerManagedKey:
    """`kms_key`: whatever the deployment stores."""

    def test_the_bucket_is_encrypted_with_it(self, strict: Synthesis) -> None:
        """With a bucket key, which keeps requests to AWS KMS few."""
        (bucket,) = strict.of_type("AWS::S3::Bucket")
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["BucketKeyEnabled"] is True
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}

    def test_the_table_is_encrypted_with_it(self, strict: Synthesis) -> None:
        """Still on demand, recoverable and protected."""
        (table,) = strict.of_type("AWS::DynamoDB::Table")
        assert table["SSESpecification"] == {"KMSMasterKeyId": KEY, "SSEEnabled": True, "SSEType": "KMS"}
        assert table["DeletionProtectionEnabled"] is True

    def test_every_queue_and_log_is_encrypted_with_it(self, strict: Synthesis) -> None:
        """Also those of dead letters and of bulk work."""
        queues, groups = strict.of_type("AWS::SQS::Queue"), strict.of_type("AWS::Logs::LogGroup")
        assert (len(queues), len(groups)) == (5, len(FUNCTIONS))
        assert {each["KmsMasterKeyId"] for each in queues} == {KEY}
        assert {each["KmsKeyId"] for each in groups} == {KEY}

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_functions_use_it_through_the_stores_alone(self, strict: Synthesis, function: str) -> None:
        """A role that could decrypt anything by itself would be worth stealing."""
        services = [f"{each}.{REGION}.amazonaws.com" for each in ("dynamodb", "s3", "sqs")]
        found = on_key(strict, role_of(strict, function), KEY)
        assert ({"StringEquals": {"kms:ViaService": services}}) in [condition for _, condition in found]
        assert all("kms:ViaService" in condition["StringEquals"] for _, condition in found)
        actions = set().union(*(actions for actions, _ in found))
        assert {"kms:Decrypt", "kms:GenerateDataKey"} <= actions
        assert not [
            each for each in actions if "*" in each or each.startswith(("kms:Put", "kms:Create", "kms:Schedule"))
        ]

    def test_the_topic_rules_roles_may_send_into_encrypted_queues(self, strict_queued: Synthesis) -> None:
        """Or every event would be lost without a word: SQS refuses who may not use the key."""
        (rule,) = strict_queued.of_type("AWS::IoT::TopicRule")
        payload = rule["TopicRulePayload"]
        roles = [action["Sqs"]["RoleArn"] for action in (*payload["Actions"], payload["ErrorAction"])]
        assert len(roles) == 2
        for role in roles:
            ((actions, condition),) = on_key(strict_queued, role["Fn::GetAtt"][0], KEY)
            assert actions == {"kms:Decrypt", "kms:GenerateDataKey"}
            assert texts(condition["StringEquals"]["kms:ViaService"]) == [f"sqs.{REGION}.amazonaws.com"]


def test_crls_elsewhere_are_decrypted_by_those_who_read_crls(strict: Synthesis) -> None:
    """Activation and enforcement, through S3 in this Region, and nobody else."""
    condition = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    for function in FUNCTIONS:
        expected = [({"kms:Decrypt"}, condition)] if function in (ACTIVATE, ENFORCE) else []
        assert on_key(strict, role_of(strict, function), CRL_KEY) == expected


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_may_use_aws_iots_key(strict: Synthesis, function: str) -> None:
    """AWS IoT asks each caller for it."""
    assert on_key(strict, role_of(strict, function), IOT_KEY) == [({"kms:Decrypt"}, {})]


def test_every_role_has_boundary_and_path(strict: Synthesis) -> None:
    """Those of functions and those of the topic rule alike."""
    roles = strict.of_type("AWS::IAM::Role")
    assert len(roles) >= len(FUNCTIONS) + 1
    assert {(each["PermissionsBoundary"], each["Path"]) for each in roles} == {(BOUNDARY, "/platform/jitr/")}


def test_tags_are_on_whatever_can_have_them(strict: Synthesis) -> None:
    """Beside the deployment's own, which the command line knows the stack by."""
    wanted = {("cost-center", "4711"), ("owner", "platform"), ("jitr:deployment", "prod-eu")}
    for kind in (
        "AWS::DynamoDB::Table",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::IAM::Role",
        "AWS::IoT::CACertificate",
    ):
        for each in strict.of_type(kind):
            assert wanted <= {(tag["Key"], tag["Value"]) for tag in each["Tags"]}, kind


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_in_the_network(strict: Synthesis, function: str) -> None:
    """And only AWS Lambda itself may make what connects it: its own code is denied that."""
    config = strict.only("AWS::Lambda::Function", FunctionName=function)["VpcConfig"]
    assert config == {"SubnetIds": list(SUBNETS), "SecurityGroupIds": list(GROUPS)}
    said = [each for each in statements_of(strict, role_of(strict, function)) if "ec2:" in str(each["Action"])]
    assert [each["Effect"] for each in said] == ["Allow", "Deny"]
    allowed, denied = ({each for each in texts(statement["Action"]) if each.startswith("ec2:")} for statement in said)
    assert allowed == denied != set()
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    assert said[1]["Condition"] == {"ArnEquals": {"lambda:SourceFunctionArn": arn}}


def test_what_is_kept_keeps_its_identity(strict: Synthesis, stack: Synthesis) -> None:
    """The options change table, bucket, queues and registrations in place: none is made anew, which would lose it."""
    for kind in ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::IoT::CACertificate"):
        assert [name for name, _ in strict.found(kind)] == [name for name, _ in stack.found(kind)]
