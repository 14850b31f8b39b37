"""Where events end that were not decided, finished or delivered: a queue for each function and the rules before it."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from jitr_infra.parts.acknowledgements import acknowledge
from jitr_infra.parts.encryption import Encryption

RETENTION = Duration.days(14)


class DeadLetters(Construct):
    """A standard queue (rules and destinations take no FIFO), encrypted, TLS only, kept 14 days."""

    def __init__(self, scope: Construct, construct_id: str, *, queue_name: str, encryption: Encryption) -> None:
        super().__init__(scope, construct_id)
        self._encryption = encryption
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=queue_name,
            **encryption.of_queue,
            enforce_ssl=True,
            retention_period=RETENTION,
        )
        acknowledge(self.queue, {"AwsSolutions-SQS3": "This is the dead-letter queue; there is nothing behind it."})

    def grant_send(self, grantee: iam.IGrantable) -> None:
        """Allow sending, and nothing else: CDK's own grant adds reading the queue's attributes."""
        grantee.grant_principal.add_to_principal_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.queue.queue_arn])
        )
        self._encryption.allow_sending(grantee, Stack.of(self))
