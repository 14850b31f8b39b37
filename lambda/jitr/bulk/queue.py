"""The queue that shifts of bulk work wait in: a message names a job and its shift, everything else is in the table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jitr.aws.failures import aws_call

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# Set by infra for the one function that works on the queue.
QUEUE_VARIABLE = "JITR_BULK_QUEUE"
# So often a shift is tried; after that its message is a dead letter, and its job FAILED.
ATTEMPTS = 5


@dataclass(frozen=True)
class Shift:
    """One shift of one job."""

    job_id: str
    number: int

    @classmethod
    def parse(cls, body: str) -> Shift:
        """Read a message; raises ValueError for anything else."""
        match json.loads(body):
            case {"job": str(job_id), "turn": int(number)}:
                return cls(job_id, number)
        raise ValueError("the message is no shift of a job")

    def to_json(self) -> str:
        """Return the message."""
        return json.dumps({"job": self.job_id, "turn": self.number})


@dataclass(frozen=True)
class WorkQueue:
    """The work queue of one deployment."""

    client: SQSClient
    url: str

    def send(self, shift: Shift, *, delay_seconds: int = 0) -> None:
        """Let a shift begin, after a while if need be."""
        with aws_call("SendMessage"):
            self.client.send_message(QueueUrl=self.url, MessageBody=shift.to_json(), DelaySeconds=delay_seconds)
