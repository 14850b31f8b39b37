"""What wakes somebody up: dead letters, a rule that fails, events that nobody could decide, a broken function."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.alarm import Watch, raise_alarm
from jitr.errors import Outcome
from jitr.metric_names import DEPLOYMENT_DIMENSION, NAMESPACE, OUTCOME_METRICS

PERIOD = Duration.minutes(5)


class Alarms(Construct):
    """Alarms and the topic they speak to; `email` subscribes one address, others subscribe by themselves.

    The topic has a customer key, because CloudWatch cannot publish to a topic under the AWS-managed SNS key.
    """

    def __init__(self, scope: Construct, construct_id: str, *, deployment: str, email: str | None) -> None:
        super().__init__(scope, construct_id)
        self._deployment = deployment
        cloudwatch_here = iam.ServicePrincipal(
            "cloudwatch.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        )
        key = kms.Key(
            self,
            "Key",
            description=f"Encrypts the alarms of the jitr deployment {deployment} on their way",
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
        self.topic = sns.Topic(self, "Topic", topic_name=f"jitr-{deployment}-alarms", master_key=key, enforce_ssl=True)
        # TLS enforcement brings a topic policy, which replaces the default one that let this account's alarms publish.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(principals=[cloudwatch_here], actions=["sns:Publish"], resources=[self.topic.topic_arn])
        )
        if email is not None:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))

    def watch_dead_letters(self, queue: sqs.IQueue) -> None:
        """Alarm as long as there is a dead letter."""
        self._alarm(
            "DeadLetters",
            queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum"),
            section="dead-letters",
            words="registration events ended in the dead-letter queue: their devices stay out until somebody looks",
        )

    def watch_rule(self, rule_name: str) -> None:
        """Alarm when the rule could not invoke the function, or could not even send the event to the queue."""
        for construct_id, metric_name, action_type, section, words in (
            ("RuleFailure", "Failure", "Lambda", "rule-failure", "the topic rule could not invoke the function"),
            (
                "RuleErrorActionFailure",
                "ErrorActionFailure",
                "SQS",
                "rule-error-action-failure",
                "the topic rule could not send what failed to the dead-letter queue: events are being lost",
            ),
        ):
            self._alarm(
                construct_id,
                cloudwatch.Metric(
                    namespace="AWS/IoT",
                    metric_name=metric_name,
                    dimensions_map={"RuleName": rule_name, "ActionType": action_type},
                    statistic="Sum",
                    period=PERIOD,
                ),
                section=section,
                words=words,
            )

    def watch_outcomes(self) -> None:
        """Alarm when the function could not decide: at the first attempt, before the event becomes a dead letter."""
        self._alarm(
            "Undecided",
            cloudwatch.Metric(
                namespace=NAMESPACE,
                metric_name=OUTCOME_METRICS[Outcome.UNDECIDED],
                dimensions_map={DEPLOYMENT_DIMENSION: self._deployment},
                statistic="Sum",
                period=PERIOD,
            ),
            section="undecided",
            words="registration events could not be decided; the log's field `reason` says why",
        )

    def watch_function(self, function: lambda_.IFunction) -> None:
        """Alarm on what the outcomes cannot show: crashes, timeouts, events that never reached the dead letters.

        An undecided event is an error to Lambda too, so both alarms go off for it. Taking the one from the other by
        metric math would silence this one exactly when the function is so broken that it reports no outcome at all.
        Throttles are no alarm: with reserved concurrency they are how events wait for their turn.
        """
        self._alarm(
            "FunctionCrashes",
            function.metric_errors(period=PERIOD, statistic="Sum"),
            section="function-crashes",
            words="the activation function crashed or timed out, unless the alarm Undecided explains its errors",
        )
        self._alarm(
            "DestinationFailures",
            function.metric("DestinationDeliveryFailures", period=PERIOD, statistic="Sum"),
            section="destination-failures",
            words="Lambda could not send an undecided event to the dead-letter queue: events are being lost",
        )

    def _alarm(self, construct_id: str, metric: cloudwatch.IMetric, *, section: str, words: str) -> None:
        watch = Watch(deployment=self._deployment, section=section, words=words)
        raise_alarm(self, construct_id, metric, watch, self.topic)
