"""What wakes the person on call about activation: dead letters, failing rules and functions, devices that wait."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from jitr.activation.queue import LONGEST_DELAY_SECONDS
from jitr.errors import Outcome
from jitr.telemetry.metric_names import (
    ACTIVATION_SECONDS,
    EVENT_AGE_SECONDS,
    OUTCOME_METRICS,
    UNDECIDED_THROTTLED,
)
from jitr_infra.monitoring import metrics
from jitr_infra.monitoring.alarm_group import AlarmGroup
from jitr_infra.monitoring.metrics import PERIOD

# A storm of a hundred thousand devices lasts hours; somebody should know, and may raise a quota.
_LONG_SECONDS = 3600
# Throttling is nothing new for a minute; this much of it for this long means that somebody else uses the quota up.
_THROTTLED_PERCENT = 20
_THROTTLED_PERIODS = 6
_FEW_REQUESTS = 50
# What one period shows may be a moment between two; three are not.
_IN_A_ROW = 3
# An event may be put off for three whole periods, and nobody has to be invoked meanwhile.
_SILENT_PERIODS = LONGEST_DELAY_SECONDS // int(PERIOD.to_seconds()) + 1
# In each such period an event that is held up is tried at least once, so its alarm does not come and go.
_RETRIED_WITHIN = Duration.seconds(2 * LONGEST_DELAY_SECONDS)


class Alarms(AlarmGroup):
    """Alarms and the topic they speak to; `email` subscribes one address, others subscribe by themselves.

    The topic has a customer key, because CloudWatch cannot publish to a topic under the AWS-managed SNS key.
    """

    def __init__(self, scope: Construct, construct_id: str, *, deployment: str, email: str | None) -> None:
        super().__init__(scope, construct_id, deployment=deployment, topic=None)
        if email is not None:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))

    def _own_topic(self) -> sns.ITopic:
        cloudwatch_here = iam.ServicePrincipal(
            "cloudwatch.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        )
        key = kms.Key(
            self,
            "Key",
            description=f"Encrypts the alarms of the jitr deployment {self._deployment} on their way",
            enable_key_rotation=True,
            pending_window=Duration.days(7),
            # Messages pass through and are not kept, so nothing is lost with the key.
            removal_policy=RemovalPolicy.DESTROY,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[cloudwatch_here], actions=["kms:Decrypt", "kms:GenerateDataKey*"], resources=["*"]
            )
        )
        name = f"jitr-{self._deployment}-alarms"
        topic = sns.Topic(self, "Topic", topic_name=name, master_key=key, enforce_ssl=True)
        # TLS enforcement brings a topic policy, which replaces the default one that let this account's alarms publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(principals=[cloudwatch_here], actions=["sns:Publish"], resources=[topic.topic_arn])
        )
        return topic

    def watch_dead_letters(self, queue: sqs.IQueue) -> None:
        """Alarm as long as there is a dead letter."""
        self._alarm(
            "DeadLetters",
            queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum"),
            section="dead-letters",
            words="registration events ended in the dead-letter queue: their devices stay out until somebody looks",
        )

    def watch_rule(self, rule_name: str) -> None:
        """Alarm when the rule could not hand an event on, or could not even send it to the dead-letter queue.

        AWS documents that these metrics have the type of action as a dimension, not how each type is spelled; summed
        over all of them the alarm does not depend on it, nor on whether a function or a queue is behind the rule.
        """
        self._alarm(
            "RuleFailure",
            metrics.rule_sum(rule_name, "Failure"),
            section="rule-failure",
            words="the topic rule could not hand an event on",
        )
        self._alarm(
            "RuleErrorActionFailure",
            metrics.rule_sum(rule_name, "ErrorActionFailure"),
            section="rule-error-action-failure",
            words="the topic rule could not send what failed to the dead-letter queue: events are being lost",
        )

    def watch_outcomes(self) -> None:
        """Alarm when the function could not decide: at the first attempt, before the event becomes a dead letter.

        Events that AWS IoT throttled are not counted: in a storm they are how devices wait, and other alarms say when
        too long. What the state table or S3 throttled is counted: nothing waits there by design.
        """
        self._alarm(
            "Undecided",
            metrics.computed(
                "undecided - throttled",
                {
                    "undecided": metrics.own(self._deployment, OUTCOME_METRICS[Outcome.UNDECIDED], "Sum"),
                    "throttled": metrics.own(self._deployment, UNDECIDED_THROTTLED, "Sum"),
                },
                label="undecided",
            ),
            section="undecided",
            words="registration events could not be decided; the log's field `reason` says why",
        )

    def watch_function(self, function: lambda_.IFunction, queue: sqs.IQueue | None) -> None:
        """Alarm on what the outcomes cannot show: crashes, timeouts, events that never reached the dead letters.

        Without a queue an undecided event is an error to Lambda too, so both alarms go off for it. Taking the one from
        the other by metric math would silence this one exactly when the function is so broken that it reports nothing.
        Lambda's throttles are no alarm: with reserved concurrency they are how events wait for their turn.
        """
        unless = "" if queue is not None else ", unless the alarm Undecided explains its errors"
        self._alarm(
            "FunctionCrashes",
            function.metric_errors(period=PERIOD, statistic="Sum"),
            section="function-crashes",
            words=f"the activation function crashed or timed out{unless}",
        )
        self._alarm(
            "DestinationFailures",
            function.metric("DestinationDeliveryFailures", period=PERIOD, statistic="Sum"),
            section="destination-failures",
            words="Lambda could not send an undecided event to the dead-letter queue: events are being lost",
        )

    def watch_waiting(self, function: lambda_.IFunction, queue: sqs.IQueue | None) -> None:
        """Alarm when no function takes the events that wait, and when events or devices wait for long.

        EventsWait is about events that were not taken, EventsHeldUp about those that are taken again and again.
        """
        waiting = metrics.events_waiting(function, queue)
        self._alarm(
            "ActivationSilent",
            metrics.computed(
                f"IF({' + '.join(waiting)} > 0 AND FILL(invocations, 0) < 1, 1, 0)",
                {**waiting, "invocations": function.metric_invocations(period=PERIOD, statistic="Sum")},
                label="events, but no invocation",
            ),
            section="activation-silent",
            words="there are events and the activation function does not run: no device gets in",
            periods=_SILENT_PERIODS,
        )
        self._alarm(
            "EventsWait",
            metrics.oldest_event(function, queue),
            section="events-wait",
            words="a registration event has waited for more than an hour",
            threshold=_LONG_SECONDS,
        )
        self._alarm(
            "EventsHeldUp",
            metrics.own(self._deployment, EVENT_AGE_SECONDS, "Maximum", period=_RETRIED_WITHIN),
            section="events-held-up",
            words="a registration event is tried in vain, or put back, more than an hour after its device's connect",
            threshold=_LONG_SECONDS,
        )
        self._alarm(
            "ActivationSlow",
            metrics.own(self._deployment, ACTIVATION_SECONDS, "p90"),
            section="activation-slow",
            words="devices became ACTIVE only an hour or more after their first connect",
            threshold=_LONG_SECONDS,
            periods=_IN_A_ROW,
        )

    def watch_recursion(self, functions: Sequence[lambda_.IFunction]) -> None:
        """Alarm when AWS Lambda took a function's messages to itself for an endless loop, and dropped them."""
        dropped = {
            f"f{n}": each.metric("RecursiveInvocationsDropped", period=PERIOD, statistic="Sum")
            for n, each in enumerate(functions)
        }
        self._alarm(
            "RecursionDropped",
            metrics.computed(" + ".join(f"FILL({each}, 0)" for each in dropped), dropped, label="dropped invocations"),
            section="recursion-dropped",
            words="AWS Lambda stopped a chain of messages: events or shifts of bulk work are lost",
        )

    def watch_throttling(self) -> None:
        """Alarm when AWS IoT throttles much for long, whichever of the functions it is."""
        self._alarm(
            "Throttled",
            metrics.throttled_percent(self._deployment, at_least=_FEW_REQUESTS),
            section="throttled-requests",
            words=f"AWS IoT throttles more than {_THROTTLED_PERCENT} % of the requests for half an hour",
            threshold=_THROTTLED_PERCENT,
            periods=_THROTTLED_PERIODS,
        )
