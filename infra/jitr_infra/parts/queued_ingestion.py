"""The queue that registration events wait in (`ingestion = "queue"`), and what hands them to the function.

Both are there in either mode, idle in direct mode, so that a deploy which switches back loses nothing: what waits then
is worked off.
"""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from jitr.activation.observation import AT_ONCE
from jitr.activation.queue import MAX_RECEIVES
from jitr.activation.steps import TIME_LIMIT
from jitr_fleet.deployments.deployment import Deployment
from jitr_infra.parts.dead_letters import RETENTION, DeadLetters
from jitr_infra.parts.encryption import Encryption
from jitr_infra.parts.execution_role import ExecutionRole

# The most that Lambda hands over at once without collecting for a while first; collecting would only add to the wait.
LARGEST_BATCH = 10
# What all batches at work together should have to wait for their turns while nothing is lent, in seconds; far below
# the function's time.
_TURNS_AHEAD_SECONDS = 20.0
# The least that Lambda allows; what is left over from queue mode is worked off beside the rule's own invocations.
LEFT_OVER_AT_ONCE = 2


class QueuedIngestion(Construct):
    """A standard queue, encrypted, TLS only, kept 14 days.

    A message that was taken and not answered for comes back after six times the function's time, as AWS advises (Lambda
    developer guide, "Configuring a queue to use with Lambda"); after `MAX_RECEIVES` it becomes a dead letter as it is.
    The function buries events itself long before that, with their reasons.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        dead_letters: DeadLetters,
        encryption: Encryption,
    ) -> None:
        super().__init__(scope, construct_id)
        self._deployment = deployment
        self._encryption = encryption
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=f"jitr-{deployment.name}-activation",
            **encryption.of_queue,
            enforce_ssl=True,
            retention_period=RETENTION,
            visibility_timeout=Duration.seconds(6 * TIME_LIMIT.total_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters.queue, max_receive_count=MAX_RECEIVES),
        )

    def grant_send(self, grantee: iam.IGrantable) -> None:
        """Allow sending, and nothing else: CDK's own grant adds reading the queue's attributes."""
        grantee.grant_principal.add_to_principal_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.queue.queue_arn])
        )
        self._encryption.allow_sending(grantee, Stack.of(self))

    def feed(self, function: lambda_.IFunction, role: ExecutionRole) -> None:
        """Let Lambda hand batches to the function; only messages that the function names come back.

        The function itself puts messages off and sends copies of those that had to wait.
        """
        role.allow(
            [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ChangeMessageVisibility",
                "sqs:SendMessage",
            ],
            [self.queue.queue_arn],
        )
        at_once = _at_once(self._deployment)
        lambda_.EventSourceMapping(
            self,
            "Batches",
            target=function,
            event_source_arn=self.queue.queue_arn,
            batch_size=batch_size(self._deployment.activation_tps, at_once),
            max_concurrency=at_once,
            report_batch_item_failures=True,
        )


def _at_once(deployment: Deployment) -> int:
    if deployment.observes:
        return AT_ONCE
    return deployment.maximum_concurrency if deployment.queued else LEFT_OVER_AT_ONCE


def batch_size(activation_tps: float, at_once: int) -> int:
    """Return how many events are handed over at once, so that each has its turn before the invocation has to end."""
    return max(1, min(LARGEST_BATCH, int(activation_tps * _TURNS_AHEAD_SECONDS / at_once)))
