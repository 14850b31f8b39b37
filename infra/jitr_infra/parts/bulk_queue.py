"""The work queue of bulk work: a message for each job that goes on, in flight while one of its shifts is at work."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from jitr.bulk.queue import ATTEMPTS
from jitr_infra.parts.dead_letters import RETENTION, DeadLetters
from jitr_infra.parts.encryption import Encryption


class BulkQueue(Construct):
    """A standard queue, encrypted, TLS only; what fails `ATTEMPTS` times becomes a dead letter.

    `shift` is how long the function may run at most. A message that was taken comes back after six times that, as AWS
    advises (Lambda developer guide, "Configuring a queue to use with Lambda").
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        queue_name: str,
        shift: Duration,
        dead_letters: DeadLetters,
        encryption: Encryption,
    ) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=queue_name,
            **encryption.of_queue,
            enforce_ssl=True,
            retention_period=RETENTION,
            visibility_timeout=Duration.seconds(6 * shift.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters.queue, max_receive_count=ATTEMPTS),
        )
