"""One deployment as checks look at it: every part is read when a check asks for it first, and once.

What AWS does not know is None; what AWS refuses is raised as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from jitr.aws.failures import error_code
from jitr.aws.state_table import StateTable
from jitr.errors import Reason, Undecided
from jitr.settings import Configuration, Mode
from jitr_cli.console.deployed_configuration import deployed_configuration
from jitr_cli.diagnosis.watched_aws import WatchedAws
from jitr_fleet.deployments.deployment import Deployment, Ingestion
from jitr_fleet.deployments.names import partition_of
from jitr_fleet.deployments.stack_outputs import StackOutputs

_ABSENT = frozenset(
    {
        "ResourceNotFoundException",
        "ResourceNotFound",
        "NotFound",
        "NotFoundException",
        "NoSuchEntity",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
    }
)
_PERIOD_SECONDS = 300
T = TypeVar("T")


@dataclass(kw_only=True)
class Deployed:
    """A deployment; `wanted` is what the fleet file on this computer says of it, where there is one.

    `now` is this computer's time in UTC and `aws_date` AWS's own at the same moment (None: it did not say).
    `broken_fleet_file` says what is wrong with the fleet file here, where that is why there is nothing wanted.
    `accepted_rules` are names of topic rules that somebody vouches for, `others` the other deployments here.
    """

    aws: WatchedAws
    stack: StackOutputs
    account: str
    now: datetime
    aws_date: datetime | None = None
    wanted: Deployment | None = None
    broken_fleet_file: str = ""
    accepted_rules: frozenset[str] = frozenset()
    others: Sequence[StackOutputs] = ()
    _known: dict[object, Any] = field(default_factory=dict)

    @property
    def observes(self) -> bool:
        """Say whether it only logs what it would decide."""
        return self.stack.mode == Mode.OBSERVE

    @property
    def restore(self) -> str:
        """Say how to bring back what somebody changed or deleted by hand.

        A plain deploy of an unchanged template changes nothing (CloudFormation, "drift-aware change sets").
        """
        return f"cdk deploy {self.stack.deployment} --revert-drift"

    @property
    def values(self) -> Mapping[str, str]:
        """What a policy template's deployment values stand for here."""
        return {"account": self.account, "region": self.aws.region, "partition": partition_of(self.aws.region)}

    @property
    def queued(self) -> bool:
        """Say whether the topic rule fills a queue, and does not invoke the function."""
        return self.stack.ingestion == Ingestion.QUEUE

    @property
    def functions(self) -> Mapping[str, str]:
        """The names of the functions that devices depend on, by what they are."""
        outputs = {"activation": "function", "enforcement": "enforcement_function", "bulk work": "bulk_function"}
        # What an older stack lacks, the check `version` says.
        known = vars(self.stack)
        return {kind: known[output] for kind, output in outputs.items() if output in known}

    def targets_of(self, stack: StackOutputs) -> Sequence[str]:
        """Return what the topic rule of a deployment here may send events to: a function's ARN, a queue's URL."""
        function = self.function(stack.function)
        return (stack.activation_queue, *(() if function is None else (function["FunctionArn"],)))

    @cached_property
    def configuration(self) -> Configuration:
        """What the functions run with."""
        return deployed_configuration(self.aws, self.stack)

    @cached_property
    def table(self) -> StateTable:
        """The state table."""
        return StateTable(self.aws.client("dynamodb"), self.stack.state_table)

    @cached_property
    def rules(self) -> Sequence[Mapping[str, Any]]:
        """All topic rules of the account and Region, as their list shows them."""
        pages = self.aws.client("iot").get_paginator("list_topic_rules").paginate()
        return [rule for page in pages for rule in page.get("rules", [])]

    @cached_property
    def rule(self) -> Mapping[str, Any] | None:
        """The deployment's topic rule, with its ARN.

        Looked for in the list first: AWS IoT answers a question about a rule that is not there with a refusal.
        """
        name = self.stack.rule
        arn = next((each.get("ruleArn", "") for each in self.rules if each["ruleName"] == name), None)
        return None if arn is None else {"ruleArn": arn, **self.rule_named(name)}

    def present_rule(self) -> Mapping[str, Any]:
        """Return the topic rule; raises Undecided where it is gone, which `rule_enabled` says."""
        if self.rule is None:
            raise Undecided(Reason.CONFIGURATION, f"the topic rule {self.stack.rule} is gone")
        return self.rule

    def rule_named(self, name: str) -> Mapping[str, Any]:
        """Return a topic rule that exists."""
        return self.once(("rule", name), lambda: self.aws.client("iot").get_topic_rule(ruleName=name)["rule"])

    def function(self, name: str) -> Mapping[str, Any] | None:
        """Return a function's configuration in AWS Lambda."""
        lambda_ = self.aws.client("lambda")
        found: Mapping[str, Any] | None = self.once(
            ("function", name), lambda: found_or_none(lambda_.get_function_configuration, FunctionName=name)
        )
        return found

    def present_function(self, name: str) -> Mapping[str, Any]:
        """Return the same; raises Undecided where it is gone, which `function_state` says."""
        found = self.function(name)
        if found is None:
            raise Undecided(Reason.CONFIGURATION, f"the function {name} is gone")
        return found

    def function_policy(self, name: str) -> str | None:
        """Return who may invoke a function: its resource policy, as JSON."""
        lambda_ = self.aws.client("lambda")
        answer = self.once(("policy", name), lambda: found_or_none(lambda_.get_policy, FunctionName=name))
        return None if answer is None else str(answer["Policy"])

    def queue(self, url: str) -> Mapping[str, str]:
        """Return a queue's attributes; raises ClientError where it is gone."""
        sqs = self.aws.client("sqs")
        return self.once(
            ("queue", url), lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        )

    def figure(
        self, namespace: str, name: str, dimensions: Mapping[str, str], statistic: str, *, within: timedelta
    ) -> float | None:
        """Return a metric of the time until now: the sum of its sums, or the largest of any other statistic.

        None where nothing was measured.
        """
        answer = self.aws.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": each, "Value": value} for each, value in dimensions.items()],
            StartTime=self.now - within,
            EndTime=self.now,
            Period=_PERIOD_SECONDS,
            Statistics=[statistic],
        )
        points = [float(point[statistic]) for point in answer.get("Datapoints", [])]
        if not points:
            return None
        return sum(points) if statistic == "Sum" else max(points)

    def once(self, key: object, read: Callable[[], T]) -> T:
        """Read something the first time; what fails is tried again, so that each check says why it cannot tell."""
        if key not in self._known:
            self._known[key] = read()
        found: T = self._known[key]
        return found


def found_or_none(call: Callable[..., Any], **arguments: str) -> Any:  # noqa: ANN401 - AWS's answer
    """Return what a call answers, None where AWS knows nothing of that name; raises ClientError."""
    try:
        return call(**arguments)
    except ClientError as failure:
        if error_code(failure) in _ABSENT:
            return None
        raise
