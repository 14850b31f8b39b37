"""A deployment with nothing wrong, as AWS answers about it; tests change one answer and see who notices."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from jitr.activation.queue import MAX_RECEIVES
from jitr.bulk.queue import ATTEMPTS
from jitr_fleet.deployments.registration_topic import SQL, SQL_VERSION
from tests.aws.fake_iot import ACCOUNT, REGION
from tests.cli.worlds.dead_letters import queue_url
from tests.worlds.deployment import BUCKET, TABLE, TestDeployment

RULE_ARN = f"arn:aws:iot:{REGION}:{ACCOUNT}:rule/jitr_test_registered"
TOPIC_ARN = "arn:aws:sns:us-east-1:000000000000:alarms"
ALARMS = ("jitr-test-DeadLetters", "jitr-test-Undecided")


def function_arn(name: str) -> str:
    """Return the ARN of a function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


@dataclass
class Refused:
    """An answer of AWS's that is an error."""

    code: str
    status: int = 400
    message: str = "no"


@dataclass
class AwsAnswers:
    """What AWS answers by call (`lambda.GetPolicy`): data, a function of the parameters, or Refused.

    What is not in `answers` goes on to moto or to the strict AWS IoT; `asked` is all that was asked.
    """

    answers: dict[str, Any]
    status: str = "UPDATE_COMPLETE"
    ingestion: str = "direct"
    asked: list[str] = field(default_factory=list)
    _parameters: dict[str, Any] = field(default_factory=dict)

    def watch(self, service: str, made: Any) -> Any:
        """Answer for a client, and note what it is asked."""

        def remember(*, params: dict[str, Any], **_: Any) -> None:
            self._parameters = params

        def answer(*, model: Any, **_: Any) -> Any:
            call = f"{service}.{model.name}"
            self.asked.append(call)
            if call not in self.answers:
                return None
            found = self.answers[call]
            found = found(self._parameters) if callable(found) else found
            if isinstance(found, Refused):
                error = {"Code": found.code, "Message": found.message}
                return SimpleNamespace(status_code=found.status), {"Error": error, "ResponseMetadata": {}}
            return SimpleNamespace(status_code=200), {"ResponseMetadata": {}, **found}

        def tell_status(*, parsed: dict[str, Any], **_: Any) -> None:
            for stack in parsed.get("Stacks", ()):
                stack["StackStatus"] = self.status
                for output in stack.get("Outputs", ()):
                    if output["OutputKey"] == "Ingestion":
                        output["OutputValue"] = self.ingestion

        # As narrow as the strict AWS IoT's own handlers, which would come first otherwise.
        name = made.meta.service_model.service_id.hyphenize()
        made.meta.events.register_first(f"provide-client-params.{name}", remember)
        made.meta.events.register_first(f"before-call.{name}", answer)
        if service == "cloudformation":
            made.meta.events.register_first(f"before-call.{name}.DescribeStacks", answer)
        made.meta.events.register_first("after-call.cloudformation.DescribeStacks", tell_status)
        return made


def healthy(stack: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> AwsAnswers:
    """Bring the test deployment into the state that a deploy and a sweep leave, and answer what moto cannot."""
    boto3.client("dynamodb", region_name=REGION).update_table(TableName=TABLE, DeletionProtectionEnabled=True)
    stack.dynamodb.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    stack.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    closed = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    stack.s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=closed)
    document = stack.configuration.policies["default"].replace("@{partition}", "aws").replace("@{region}", REGION)
    stack.activation.registry.create_policy("jitr-test_default", document.replace("@{account}", ACCOUNT))
    stack.sweep()
    tie("activation", to="activation", receives=MAX_RECEIVES, visibility=270)
    tie("bulk-work", to="bulk", receives=ATTEMPTS, visibility=3600)
    found = AwsAnswers(_answers())
    through = boto3.Session.client

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        return found.watch(service, through(session, service, **options))  # type: ignore[call-overload]

    monkeypatch.setattr(boto3.Session, "client", client)
    return found


def tie(queue: str, *, to: str, receives: int, visibility: int) -> None:
    """Let a queue's messages end in one of the dead-letter queues after so many receives, seconds apart."""
    client = boto3.client("sqs", region_name=REGION)
    arn = client.get_queue_attributes(QueueUrl=queue_url(to), AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client.set_queue_attributes(
        QueueUrl=client.get_queue_url(QueueName=queue)["QueueUrl"],
        Attributes={
            "VisibilityTimeout": str(visibility),
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives}),
        },
    )


def identity(at: datetime | None) -> dict[str, Any]:
    """Return whose credentials these are, with AWS's date."""
    headers = {} if at is None else {"date": format_datetime(at, usegmt=True)}
    return {"Account": ACCOUNT, "Arn": "arn:aws:iam::000000000000:user/x", "ResponseMetadata": {"HTTPHeaders": headers}}


def rule(**changes: Any) -> dict[str, Any]:
    """Return the topic rule as AWS IoT describes it."""
    return {
        "ruleName": "jitr_test_registered",
        "sql": SQL,
        "awsIotSqlVersion": SQL_VERSION,
        "ruleDisabled": False,
        "actions": [{"lambda": {"functionArn": function_arn("jitr-test-Activate")}}],
        "errorAction": {"sqs": {"queueUrl": queue_url(), "roleArn": "arn:aws:iam::000000000000:role/error-action"}},
        **changes,
    }


def listed_rule(name: str = "jitr_test_registered", pattern: str = "$aws/events/certificates/registered/+") -> Any:
    """Return a rule as the list shows it."""
    return {"ruleName": name, "ruleArn": RULE_ARN, "topicPattern": pattern, "ruleDisabled": False}


def permission(**changes: Any) -> dict[str, Any]:
    """Return the rule's statement in the function's policy."""
    return {
        "Sid": "rule",
        "Effect": "Allow",
        "Principal": {"Service": "iot.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Condition": {"StringEquals": {"AWS:SourceAccount": ACCOUNT}, "ArnLike": {"AWS:SourceArn": RULE_ARN}},
        **changes,
    }


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    """Return a function's policy."""
    return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": statements})}


def alarm(name: str, **changes: Any) -> dict[str, Any]:
    """Return an alarm."""
    description = f"jitr test: words. What to do: docs/runbook/alarms.md#{name.rpartition('-')[2].lower()}"
    return {
        "AlarmName": name,
        "AlarmDescription": description,
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC_ARN],
        "StateValue": "OK",
        **changes,
    }


def quotas(value: float, **changes: str) -> dict[str, Any]:
    """Return AWS IoT's quotas for the calls of an activation."""
    codes = {"DescribeCertificate": "L-FC864907", "UpdateCertificate": "L-77B523DC", "AttachPolicy": "L-CA7D4E3E"}
    return {
        "Quotas": [
            {"QuotaName": f"{name} API TPS", "QuotaCode": changes.get(name, code), "Value": value}
            for name, code in codes.items()
        ]
    }


def function(name: str) -> dict[str, Any]:
    """Return a function's configuration."""
    return {
        "FunctionName": name,
        "FunctionArn": function_arn(name),
        "Role": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "CodeSha256": "the same",
        "Timeout": 600 if "Bulk" in name else 45,
    }


def logging(level: str = "ERROR") -> dict[str, Any]:
    """Return AWS IoT's logging options, with refused connections at a level."""
    return {
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/iot-logging",
        "defaultLogLevel": "ERROR",
        "eventConfigurations": [{"eventType": "Connection.AuthNError", "logLevel": level}],
    }


def mappings(**changes: Any) -> dict[str, Any]:
    """Return what hands messages of a queue to its function."""
    mapping = {
        "UUID": "u-1",
        "State": "Enabled",
        "BatchSize": 10,
        "ScalingConfig": {"MaximumConcurrency": 2},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    return {"EventSourceMappings": [{**mapping, **changes}]}


def _destination(parameters: dict[str, Any]) -> dict[str, Any]:
    name = "enforcement" if "Enforce" in parameters["FunctionName"] else "activation"
    attributes = boto3.client("sqs", region_name=REGION).get_queue_attributes(
        QueueUrl=queue_url(name), AttributeNames=["QueueArn"]
    )
    return {"DestinationConfig": {"OnFailure": {"Destination": attributes["Attributes"]["QueueArn"]}}}


def _answers() -> dict[str, Any]:
    resources = [
        {"ResourceType": "AWS::CloudWatch::Alarm", "PhysicalResourceId": name, "LogicalResourceId": name}
        for name in ALARMS
    ]
    return {
        "sts.GetCallerIdentity": identity(datetime.now(UTC)),
        "iot.ListTopicRules": {"rules": [listed_rule()]},
        "iot.GetTopicRule": {"ruleArn": RULE_ARN, "rule": rule()},
        "iot.GetV2LoggingOptions": logging(),
        "iot.DescribeEncryptionConfiguration": {"encryptionType": "AWS_OWNED_KMS_KEY"},
        "lambda.GetFunctionConfiguration": lambda given: function(given["FunctionName"]),
        "lambda.GetFunctionConcurrency": {},
        "lambda.GetPolicy": policy(permission()),
        "lambda.ListEventSourceMappings": mappings(),
        "lambda.GetFunctionEventInvokeConfig": _destination,
        "lambda.GetAccountSettings": {
            "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}
        },
        "events.DescribeRule": {"State": "ENABLED"},
        "events.ListTargetsByRule": {"Targets": [{"Id": "1", "Arn": function_arn("jitr-test-Enforce")}]},
        "logs.DescribeLogGroups": lambda given: {
            "logGroups": [{"logGroupName": given["logGroupNamePrefix"], "retentionInDays": 90}]
        },
        "cloudwatch.GetMetricStatistics": {"Datapoints": []},
        "cloudwatch.DescribeAlarms": {"MetricAlarms": [alarm(name) for name in ALARMS]},
        "cloudformation.ListStackResources": {"StackResourceSummaries": resources},
        "sns.ListSubscriptionsByTopic": {"Subscriptions": [{"SubscriptionArn": f"{TOPIC_ARN}:1", "Endpoint": "a@b.c"}]},
        "service-quotas.ListAWSDefaultServiceQuotas": quotas(5),
        "service-quotas.ListServiceQuotas": quotas(10),
        "iam.SimulatePrincipalPolicy": {"EvaluationResults": [{"EvalDecision": "allowed"}]},
        "s3.GetBucketNotificationConfiguration": {"EventBridgeConfiguration": {}},
    }
