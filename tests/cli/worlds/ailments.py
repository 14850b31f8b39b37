"""What can be wrong with a deployment: each ailment, which check has to find it, and how bad it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from jitr.activation.queue import MAX_RECEIVES
from jitr.authorities.records import CaRecords
from jitr.aws.state_table import StateTable
from jitr.bulk.job import JobKind, JobPlan
from jitr.bulk.jobs import Jobs
from jitr.crls.cache import scope_of
from jitr.crls.versions import CrlVersions
from jitr.settings import CaStatus
from jitr_fleet.deployments.registration_topic import EARLIER_SQL, SQL
from jitr_local.pki import CertificateAuthority
from tests.aws.fake_iot import REGION
from tests.cli.worlds.dead_letters import bury, letter
from tests.cli.worlds.healthy_aws import (
    ALARMS,
    RULE_ARN,
    AwsAnswers,
    Refused,
    alarm,
    function,
    function_arn,
    listed_rule,
    logging,
    mappings,
    permission,
    policy,
    quotas,
    rule,
    tie,
)
from tests.worlds.deployment import BUCKET, CRL_KEY, TABLE, TestDeployment


@dataclass(frozen=True)
class Sick:
    """What a test may make wrong."""

    aws: AwsAnswers
    stack: TestDeployment

    @property
    def answers(self) -> dict[str, Any]:
        """What AWS answers."""
        return self.aws.answers

    @property
    def records(self) -> CaRecords:
        """The state table's CAs."""
        return CaRecords(StateTable(self.stack.dynamodb, TABLE))

    @property
    def ca(self) -> Any:
        """The CA in AWS IoT."""
        return self.stack.iot.cas[self.stack.ca.ca_certificate_id]


def change(call: str, answer: Any) -> Callable[[Sick], None]:
    """Return what makes AWS answer something else."""
    return lambda sick: sick.answers.update({call: answer})


def other_rule(name: str, *actions: dict[str, Any], pattern: str | None = None) -> Callable[[Sick], None]:
    """Return what adds a rule beside ours."""

    def add(sick: Sick) -> None:
        sql = SQL.replace("$aws/events/certificates/registered/+", pattern or "$aws/events/certificates/registered/#")
        theirs = {"ruleName": name, "sql": sql, "actions": list(actions)}
        listed = {**listed_rule(name), "topicPattern": pattern} if pattern else listed_rule(name)
        sick.answers["iot.ListTopicRules"] = {"rules": [listed_rule(), listed]}
        sick.answers["iot.GetTopicRule"] = lambda given: {"rule": theirs if given["ruleName"] == name else rule()}

    return add


def publish(**values: Any) -> Callable[[Sick], None]:
    """Return what publishes another CRL; `life` is that of the CRL, `passed` how much of it is over."""
    life, passed = values.pop("life", timedelta(days=7)), values.pop("passed", 0.0)

    def upload(sick: Sick) -> None:
        location = sick.stack.configuration.cas[0].crl
        CrlVersions(StateTable(sick.stack.dynamodb, TABLE)).reset(
            scope_of(sick.stack.ca.certificate, location), by="a test", at=sick.stack.clock.now
        )
        at = sick.stack.clock.now - life * passed
        sick.stack.publish(sick.stack.ca.crl(number=2, this_update=at, next_update=at + life, **values))

    return upload


def newer(sick: Sick) -> None:
    """A CRL that no sweep has seen yet."""
    sick.stack.publish(sick.stack.ca.crl(number=2, this_update=sick.stack.clock.now))


def accepted_only(sick: Sick) -> None:
    """An activation has seen it, no sweep has."""
    newer(sick)
    sick.stack.knock(sick.stack.ca.issue("device-1"))


def foreign_crl(sick: Sick) -> None:
    """A CRL of another CA lies where ours should."""
    sick.stack.publish(CertificateAuthority.create().crl(number=2))


def no_crl(sick: Sick) -> None:
    """Nothing lies there."""
    sick.stack.s3.delete_object(Bucket=BUCKET, Key=CRL_KEY)


def without(key: str) -> Callable[[Sick], None]:
    """Return what takes a CA out of AWS IoT, or changes it there."""
    return lambda sick: sick.stack.iot.cas.clear() if key == "registration" else setattr(sick.ca, *key.split("="))


def configured(**changes: Any) -> Callable[[Sick], None]:
    """Return what the fleet file says otherwise."""
    return lambda sick: sick.stack.configure(**changes)


def held(sick: Sick) -> None:
    """An operator holds the CA."""
    sick.records.hold(sick.stack.ca.ca_certificate_id, by="somebody", at=sick.stack.clock.now)


def adopted(sick: Sick) -> None:
    """A CA was adopted with a policy that is not deployed."""
    sick.records.adopt("a" * 64, crl="none", policy="gone", by="somebody", at=sick.stack.clock.now)


def template(sick: Sick) -> None:
    """The CA provisions its devices itself."""
    sick.ca.registration_config = {"templateName": "jitp"}


def drifted(sick: Sick) -> None:
    """Somebody changed the policy by hand."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
    sick.stack.iot_client.create_policy_version(
        policyName="jitr-test_default", policyDocument=json.dumps(document), setAsDefault=True
    )


def open_bucket(sick: Sick) -> None:
    """Somebody removed the bucket's lock."""
    sick.stack.s3.delete_public_access_block(Bucket=BUCKET)
    sick.stack.s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={"BlockPublicAcls": True})


def unversioned(sick: Sick) -> None:
    """Somebody suspended versions."""
    sick.stack.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})


def unprotected(sick: Sick) -> None:
    """Somebody took the table's protection away."""
    sick.stack.dynamodb.update_table(TableName=TABLE, DeletionProtectionEnabled=False)


def unrecoverable(sick: Sick) -> None:
    """Somebody switched recovery off."""
    sick.stack.dynamodb.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


def braked(sick: Sick) -> None:
    """A CRL listed too many at once, and a sweep has recorded it."""
    scope = scope_of(sick.stack.ca.certificate, sick.stack.configuration.cas[0].crl)
    CrlVersions(StateTable(sick.stack.dynamodb, TABLE)).record_brake(scope, "f" * 64, 101)


def no_quotas(sick: Sick) -> None:
    """Service Quotas does not know the service."""
    for call in ("service-quotas.ListServiceQuotas", "service-quotas.ListAWSDefaultServiceQuotas"):
        sick.answers[call] = {"Quotas": []}


def buried(_sick: Sick) -> None:
    """An event that nobody could decide."""
    bury(letter("no_crl"))


def forsaken(_sick: Sick) -> None:
    """A job that should go on, and that nobody has been at work on since yesterday."""
    jobs = Jobs(StateTable(boto3.client("dynamodb", region_name=REGION), TABLE))
    plan = JobPlan(kind=JobKind.IMPORT, ca_certificate_id="c" * 64, total=1)
    jobs.create("import-1", plan, by="somebody", at=datetime.now(UTC) - timedelta(days=1))


def queue_attribute(queue: str, name: str, value: str) -> Callable[[Sick], None]:
    """Return what somebody changed at a queue."""

    def set_it(_sick: Sick) -> None:
        client = boto3.client("sqs", region_name=REGION)
        changed: Any = {name: value}
        client.set_queue_attributes(QueueUrl=client.get_queue_url(QueueName=queue)["QueueUrl"], Attributes=changed)

    return set_it


def status(text: str) -> Callable[[Sick], None]:
    """Return what a deploy left."""
    return lambda sick: setattr(sick.aws, "status", text)


def figure(value: float) -> Callable[[Sick], None]:
    """Return what CloudWatch measured."""
    return change("cloudwatch.GetMetricStatistics", {"Datapoints": [{"Sum": value, "Maximum": value}]})


def bundle_of_its_own(given: dict[str, Any]) -> dict[str, Any]:
    """Somebody deployed one function by hand."""
    return {**function(given["FunctionName"]), "CodeSha256": given["FunctionName"]}


PENDING = {"SubscriptionArn": "PendingConfirmation", "Endpoint": "oncall@example.com"}
GONE = Refused("ResourceNotFoundException", 404)
LAMBDA = {"lambda": {"functionArn": function_arn("theirs")}}
FOREIGN = permission(Sid="theirs", Condition={"ArnLike": {"AWS:SourceArn": "arn:aws:iot:us-east-1:1:rule/x"}})


def customer_key(decision: str) -> Callable[[Sick], None]:
    """AWS IoT's data is under a key of the organisation's."""
    return change_all(
        {
            "iot.DescribeEncryptionConfiguration": {
                "encryptionType": "CUSTOMER_MANAGED_KMS_KEY",
                "kmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1",
            },
            "iam.SimulatePrincipalPolicy": lambda given: {
                "EvaluationResults": [
                    {"EvalDecision": decision if given["ActionNames"] == ["kms:Decrypt"] else "allowed"}
                ]
            },
        }
    )


def change_all(answers: dict[str, Any]) -> Callable[[Sick], None]:
    """Let AWS answer otherwise, to several calls."""
    return lambda sick: sick.answers.update(answers)


CASES: list[tuple[str, Callable[[Sick], None], str, str, str]] = [
    ("a key that the functions may not use", customer_key("implicitDeny"), "iot_key", "error", "refuses their calls"),
    (
        "refused connections that nobody writes down",
        change("iot.GetV2LoggingOptions", Refused("NotConfiguredException")),
        "authentication_log",
        "warning",
        "leaves no trace",
    ),
    (
        "refused connections at no level",
        change("iot.GetV2LoggingOptions", logging("DISABLED")),
        "authentication_log",
        "warning",
        "leaves no trace",
    ),
    ("a rule that is gone", change("iot.ListTopicRules", {"rules": []}), "rule_enabled", "error", "is gone"),
    (
        "a rule that is disabled",
        change("iot.GetTopicRule", {"rule": {"ruleName": "jitr_test_registered", "ruleDisabled": True}}),
        "rule_enabled",
        "error",
        "is disabled",
    ),
    (
        "another statement",
        lambda sick: sick.answers.update({"iot.GetTopicRule": {"rule": rule(sql="SELECT * FROM 'x'")}}),
        "rule_sql",
        "error",
        "SELECT * FROM 'x'",
    ),
    (
        "the statement of an earlier version",
        lambda sick: sick.answers.update({"iot.GetTopicRule": {"rule": rule(sql=EARLIER_SQL[0])}}),
        "rule_sql",
        "warning",
        "earlier version",
    ),
    (
        "another function",
        lambda sick: sick.answers.update({"iot.GetTopicRule": {"rule": rule(actions=[LAMBDA])}}),
        "rule_target",
        "error",
        "jitr-test-Activate",
    ),
    (
        "another action beside",
        lambda sick: sick.answers.update(
            {"iot.GetTopicRule": {"rule": rule(actions=[*rule()["actions"], {"s3": {}}])}}
        ),
        "rule_target",
        "warning",
        "lambda, s3",
    ),
    (
        "no error action",
        lambda sick: sick.answers.update({"iot.GetTopicRule": {"rule": rule(errorAction={})}}),
        "rule_error_action",
        "error",
        "is lost",
    ),
    ("no permission", change("lambda.GetPolicy", GONE), "rule_permission", "error", "may not invoke"),
    (
        "a permission for everybody's rules",
        change("lambda.GetPolicy", policy(permission(), permission(Sid="wide", Condition={}))),
        "rule_permission",
        "error",
        "'wide'",
    ),
    (
        "a permission for another account's rule",
        change("lambda.GetPolicy", policy(permission(), FOREIGN)),
        "rule_permission",
        "error",
        "'theirs'",
    ),
    (
        "a permission for the whole world",
        change("lambda.GetPolicy", policy(permission(), permission(Sid="all", Principal="*", Condition={}))),
        "rule_permission",
        "error",
        "'all'",
    ),
    (
        "a permission without account",
        change("lambda.GetPolicy", policy(permission(Condition={"ArnLike": {"AWS:SourceArn": RULE_ARN}}))),
        "rule_permission",
        "warning",
        "names no account",
    ),
    (
        "a role that may not send",
        change("iam.SimulatePrincipalPolicy", {"EvaluationResults": [{"EvalDecision": "implicitDeny"}]}),
        "rule_permission",
        "error",
        "may not send to dead-letters",
    ),
    ("another handler", other_rule("classic", LAMBDA), "other_rules", "error", "the rule classic"),
    ("a state machine", other_rule("flow", {"stepFunctions": {}}, {"s3": {}}), "other_rules", "error", "stepFunctions"),
    ("a function that is gone", change("lambda.GetFunctionConfiguration", GONE), "function_state", "error", "is gone"),
    (
        "a function that somebody stopped",
        change("lambda.GetFunctionConcurrency", {"ReservedConcurrentExecutions": 0}),
        "function_state",
        "error",
        "concurrency of 0",
    ),
    (
        "a function whose update failed",
        change("lambda.GetFunctionConfiguration", {**function("x"), "LastUpdateStatus": "Failed"}),
        "function_state",
        "error",
        "Failed",
    ),
    (
        "functions of several deploys",
        change("lambda.GetFunctionConfiguration", bundle_of_its_own),
        "function_state",
        "error",
        "different bundles",
    ),
    ("errors", figure(3), "function_errors", "warning", "3 times"),
    ("a mapping that is gone", change("lambda.ListEventSourceMappings", {}), "event_sources", "error", "nothing hands"),
    (
        "a mapping that is disabled",
        change("lambda.ListEventSourceMappings", mappings(State="Disabled")),
        "event_sources",
        "error",
        "Disabled",
    ),
    (
        "a mapping that takes any answer for all done",
        change("lambda.ListEventSourceMappings", mappings(FunctionResponseTypes=[])),
        "event_sources",
        "error",
        "messages of activation that fail are deleted",
    ),
    (
        "a mapping of bulk work that takes any answer for all done",
        change("lambda.ListEventSourceMappings", mappings(FunctionResponseTypes=None)),
        "event_sources",
        "error",
        "messages of bulk-work that fail are deleted",
    ),
    (
        "a mapping without limit",
        change("lambda.ListEventSourceMappings", mappings(ScalingConfig={})),
        "event_sources",
        "warning",
        "nothing limits how many batches of activation",
    ),
    (
        "more batches than have their turn",
        change("lambda.ListEventSourceMappings", mappings(ScalingConfig={"MaximumConcurrency": 100})),
        "event_sources",
        "warning",
        "100 batches of 10 from activation are too many at 5.88",
    ),
    (
        "larger batches than have their turn",
        change("lambda.ListEventSourceMappings", mappings(BatchSize=1000)),
        "event_sources",
        "warning",
        "2 batches of 1000",
    ),
    (
        "events that come back while they are worked on",
        queue_attribute("activation", "VisibilityTimeout", "44"),
        "event_sources",
        "error",
        "messages of activation come back after 44 seconds",
    ),
    (
        "bulk work that comes back while it is worked on",
        queue_attribute("bulk-work", "VisibilityTimeout", "599"),
        "event_sources",
        "error",
        "messages of bulk-work come back after 599 seconds",
    ),
    (
        "events that come back early",
        queue_attribute("activation", "VisibilityTimeout", "269"),
        "event_sources",
        "warning",
        "six times the function's 45",
    ),
    (
        "events without dead letters",
        queue_attribute("activation", "RedrivePolicy", ""),
        "destinations",
        "error",
        "in activation becomes no dead letter: it is tried again until it is too old",
    ),
    (
        "bulk work without dead letters",
        queue_attribute("bulk-work", "RedrivePolicy", ""),
        "destinations",
        "error",
        "in bulk-work becomes no dead letter",
    ),
    (
        "events that end in another's dead letters",
        lambda _sick: tie("activation", to="bulk", receives=MAX_RECEIVES, visibility=270),
        "destinations",
        "error",
        "dead-letters-bulk",
    ),
    (
        "events that are given up early",
        lambda _sick: tie("activation", to="activation", receives=3, visibility=270),
        "destinations",
        "warning",
        f"after 3 receives, not after {MAX_RECEIVES}",
    ),
    ("no destination", change("lambda.GetFunctionEventInvokeConfig", GONE), "destinations", "error", "is lost"),
    ("a schedule that is gone", change("events.DescribeRule", GONE), "schedules", "error", "is gone"),
    (
        "a schedule that is disabled",
        change("events.DescribeRule", {"State": "DISABLED"}),
        "schedules",
        "error",
        "is DISABLED",
    ),
    (
        "a schedule that starts something else",
        change("events.ListTargetsByRule", {"Targets": []}),
        "schedules",
        "error",
        "does not start",
    ),
    ("a log that is gone", change("logs.DescribeLogGroups", {"logGroups": []}), "log_groups", "error", "is gone"),
    (
        "a log that is kept for ever",
        change("logs.DescribeLogGroups", lambda given: {"logGroups": [{"logGroupName": given["logGroupNamePrefix"]}]}),
        "log_groups",
        "warning",
        "for ever",
    ),
    ("a CA that is not registered", without("registration"), "ca_registered", "error", "is not registered"),
    ("an INACTIVE CA", without("status=INACTIVE"), "ca_status", "error", "INACTIVE in AWS IoT"),
    ("a retired CA that is ACTIVE", configured(status=CaStatus.RETIRED), "ca_status", "warning", "retired"),
    (
        "auto-registration off",
        without("auto_registration=DISABLE"),
        "ca_auto_registration",
        "error",
        "is off",
    ),
    ("a provisioning template", template, "ca_template", "error", "JITP"),
    ("a hold", held, "ca_hold", "warning", "somebody"),
    ("an adoption that is not valid", adopted, "ca_adoptions", "error", "gone"),
    ("no CRL source", configured(crl="none"), "crl_source", "warning", "nobody can revoke"),
    ("no CRL", no_crl, "crl", "error", "(no_crl)"),
    ("another CA's CRL", foreign_crl, "crl", "error", "("),
    ("a CRL near its end", publish(passed=0.8), "crl", "warning", "80%"),
    ("a CRL that expired", publish(passed=1.5), "crl", "error", "(expired)"),
    ("a CRL that nobody took up", publish(), "crl_taken_up", "warning", "no function has taken up"),
    ("a CRL that is newer", newer, "crl_taken_up", "warning", "is newer than"),
    ("a CRL that was accepted only", accepted_only, "crl_taken_up", "warning", "not enforced yet"),
    ("a brake", braked, "crl_brake", "error", "more than 100 devices"),
    ("a policy that was changed", drifted, "policies", "error", "changed past its template"),
    ("quotas below api_tps", change("service-quotas.ListServiceQuotas", quotas(7)), "iot_quotas", "error", "allows 7"),
    ("quotas above it", change("service-quotas.ListServiceQuotas", quotas(50)), "iot_quotas", "warning", "allows 50"),
    (
        "quotas that nobody tells",
        no_quotas,
        "iot_quotas",
        "unknown",
        "AttachPolicy API TPS",
    ),
    (
        "a new account",
        change(
            "lambda.GetAccountSettings",
            {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}},
        ),
        "lambda_concurrency",
        "warning",
        "reserve none",
    ),
    ("dead letters", buried, "dead_letters", "error", "about 1 dead letters"),
    ("a job that does not move", forsaken, "bulk_jobs", "warning", "import-1"),
    ("old messages", figure(11 * 86400), "queue_age", "warning", "11 days"),
    (
        "an alarm that is gone",
        change("cloudwatch.DescribeAlarms", {"MetricAlarms": [alarm(ALARMS[0])]}),
        "alarms_wired",
        "error",
        f"are gone: {ALARMS[1]}",
    ),
    (
        "an alarm that tells nobody",
        change("cloudwatch.DescribeAlarms", {"MetricAlarms": [alarm(each, ActionsEnabled=False) for each in ALARMS]}),
        "alarms_wired",
        "error",
        "actions are off",
    ),
    (
        "an alarm with another topic",
        change("cloudwatch.DescribeAlarms", {"MetricAlarms": [alarm(each, AlarmActions=[]) for each in ALARMS]}),
        "alarms_wired",
        "error",
        "do not speak",
    ),
    (
        "an alarm that is on",
        change("cloudwatch.DescribeAlarms", {"MetricAlarms": [alarm(each, StateValue="ALARM") for each in ALARMS]}),
        "alarms_quiet",
        "error",
        "DeadLetters is on",
    ),
    (
        "nobody who hears",
        change("sns.ListSubscriptionsByTopic", {"Subscriptions": []}),
        "alarms_heard",
        "error",
        "nobody",
    ),
    (
        "nobody who confirmed",
        change("sns.ListSubscriptionsByTopic", {"Subscriptions": [PENDING]}),
        "alarms_heard",
        "warning",
        "oncall@example.com",
    ),
    ("a deploy that was rolled back", status("UPDATE_ROLLBACK_COMPLETE"), "stack", "warning", "rolled back"),
    ("a deploy at work", status("UPDATE_IN_PROGRESS"), "stack", "warning", "at work"),
    ("a stack that is stuck", status("UPDATE_ROLLBACK_FAILED"), "stack", "error", "UPDATE_ROLLBACK_FAILED"),
    ("a table that is gone", change("dynamodb.DescribeTable", GONE), "state_table", "error", "is gone"),
    ("a table without protection", unprotected, "state_table", "warning", "not protected"),
    ("a table without recovery", unrecoverable, "state_recovery", "error", "cannot be restored"),
    (
        "a bucket that announces nothing",
        change("s3.GetBucketNotificationConfiguration", {}),
        "crl_bucket",
        "error",
        "does not announce",
    ),
    ("a bucket without versions", unversioned, "crl_bucket", "warning", "no versions"),
    ("a bucket that may be opened", open_bucket, "crl_bucket", "warning", "public"),
]
