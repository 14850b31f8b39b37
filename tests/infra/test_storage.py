"""What keeps things: dead letters, state table, CRL bucket. Encrypted, TLS only, nothing public, nothing lost."""

from __future__ import annotations

import pytest

from jitr.enforcement.copies import GIVEN_UP
from jitr.enforcement.copies import PREFIX as PREFIX_OF_COPIES
from tests.infra.synthesis import (
    ACTIVATION_QUEUE,
    BUCKET,
    BULK_DEAD_LETTERS,
    BULK_WORK,
    DEAD_LETTERS,
    ENFORCE,
    ENFORCEMENT_DEAD_LETTERS,
    PREFIX,
    PUBLISHER,
    Json,
    Synthesis,
    texts,
)

QUEUE, TABLE, S3_BUCKET = "AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::S3::Bucket"


def denied_without_tls(stack: Synthesis, policy_type: str) -> list[Json]:
    """Return the statements of a resource policy that refuse plain connections."""
    return [
        statement
        for policy in stack.of_type(policy_type)
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    ]


@pytest.mark.parametrize("policy_type", ["AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy"])
def test_plain_connections_are_refused(stack: Synthesis, policy_type: str) -> None:
    """To everybody, for the queues, the topic and the bucket."""
    statements = denied_without_tls(stack, policy_type)
    assert len(statements) == len(stack.of_type(policy_type))
    assert all(statement["Principal"] in ("*", {"AWS": "*"}) for statement in statements)


def test_dead_letters_are_kept_for_fourteen_days(stack: Synthesis) -> None:
    """As are events and shifts of work: standard queues, the longest that SQS keeps anything, encrypted."""
    names = {queue["QueueName"] for queue in stack.of_type(QUEUE)}
    assert names == {DEAD_LETTERS, ENFORCEMENT_DEAD_LETTERS, BULK_DEAD_LETTERS, BULK_WORK, ACTIVATION_QUEUE}
    for queue in stack.of_type(QUEUE):
        assert queue["MessageRetentionPeriod"] == 14 * 86400
        assert queue["SqsManagedSseEnabled"] is True
        assert "FifoQueue" not in queue


@pytest.mark.parametrize("kind", [TABLE, S3_BUCKET])
def test_what_must_not_be_lost_outlives_the_stack(stack: Synthesis, kind: str) -> None:
    """Neither deleting the stack nor replacing the resource deletes it."""
    (resource,) = stack.resources(kind)
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.parametrize(
    ("kind", "key", "name"), [(TABLE, "TableName", f"{PREFIX}-state"), (S3_BUCKET, "BucketName", BUCKET)]
)
def test_retained_resources_have_fixed_names(stack: Synthesis, kind: str, key: str, name: str) -> None:
    """`cdk deploy --import-existing-resources` finds them by name, so the name must be in the template as it is."""
    assert stack.only(kind)[key] == name


def test_the_table_is_keyed_as_the_function_expects(stack: Synthesis) -> None:
    """`pk` and `sk`, both text."""
    table = stack.only(TABLE)
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert {(each["AttributeName"], each["AttributeType"]) for each in table["AttributeDefinitions"]} == {
        ("pk", "S"),
        ("sk", "S"),
    }


def test_the_table_is_recoverable_and_remembers_for_ever(stack: Synthesis) -> None:
    """Point-in-time recovery, protected from deletion, on demand, and no row expires."""
    table = stack.only(TABLE)
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] is True
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert "TimeToLiveSpecification" not in table


def test_the_bucket_is_private_versioned_and_encrypted(stack: Synthesis) -> None:
    """No ACLs either: what is written belongs to the bucket's account."""
    bucket = stack.only(S3_BUCKET)
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_old_versions_of_crls_go_current_ones_stay(stack: Synthesis) -> None:
    """A CRL that nobody replaces must not vanish."""
    rule, _ = stack.only(S3_BUCKET)["LifecycleConfiguration"]["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    assert "ExpirationInDays" not in rule


def test_copies_go_when_enforcement_gave_them_up_and_never_by_age_alone(stack: Synthesis) -> None:
    """The one rule that ends current objects is about the tag, below the prefix of copies."""
    ending = [rule for rule in stack.only(S3_BUCKET)["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule]
    assert [(rule["Prefix"], rule["TagFilters"], rule["ExpirationInDays"]) for rule in ending] == [
        (PREFIX_OF_COPIES, [{"Key": key, "Value": value} for key, value in GIVEN_UP.items()], 1)
    ]


def test_publishers_may_read_and_write_objects_and_nothing_else(stack: Synthesis) -> None:
    """The role that the fleet file names compares with what is there, and replaces it."""
    allowed = [
        statement
        for statement in stack.only("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert [(each["Principal"], texts(each["Action"])) for each in allowed] == [
        ({"AWS": PUBLISHER}, ["s3:GetObject", "s3:PutObject"]),
        ({"AWS": PUBLISHER}, ["s3:ListBucket"]),
    ]


def test_nobody_but_enforcement_writes_its_copies(stack: Synthesis) -> None:
    """Not the publishers, and no role whose own permissions would let it; the function's role is the one exception."""
    statements = stack.only("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    (denied,) = [each for each in statements if each["Effect"] == "Deny" and "s3:PutObject" in texts(each["Action"])]
    assert denied["Resource"] == f"arn:aws:s3:::{BUCKET}/{PREFIX_OF_COPIES}*"
    assert denied["Principal"] == {"AWS": "*"}
    role = stack.only("AWS::Lambda::Function", FunctionName=ENFORCE)["Role"]
    assert denied["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": role}}


def test_new_objects_are_announced(stack: Synthesis) -> None:
    """On EventBridge, and without the function that CDK would add for it."""
    notifications = stack.only(S3_BUCKET)["NotificationConfiguration"]
    assert notifications == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert not stack.resources("Custom::S3BucketNotifications")
