"""The queue that registration events wait in (`ingestion = "queue"`), and its dead letters, as the function uses them.

A message is deleted by Lambda once the function did not name it in its answer. Everything here happens before that, so
a crash in between leaves a message too many, never one too few.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeGuard

from jitr.aws.failures import aws_call
from jitr.messages.dead_letters import DeadLetter
from jitr.messages.envelopes import Envelope, open_text

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef

# So often an event is tried before it becomes a dead letter; one that only had to wait begins to count anew.
ATTEMPTS = 5
# What SQS moves by itself after so many receives was never answered for: the function died each time it had it, or
# could not run. One receive takes six times its time, so it is six hours: as long as Lambda keeps its own events.
MAX_RECEIVES = 80
# So often an event that only had to wait is sent anew. A round takes some 25 minutes, so these are two weeks, as long
# as SQS would keep a message; AWS Lambda's own end to such chains, after 16 rounds, is switched off for this function.
MOST_ROUNDS = 800
_ROUND = "round"
# SQS's own limit (API reference, SendMessage).
LONGEST_DELAY_SECONDS = 900


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One message of a batch: what is in it, the how many-eth attempt it is, and how often it was sent anew."""

    message_id: str
    receipt_handle: str
    body: str
    envelope: Envelope
    attempt: int
    round: int = 0

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> Delivery:
        """Read a record as Lambda hands it over; only what is in the body can be anybody's.

        Source: Lambda developer guide, "Using Lambda with Amazon SQS".
        """
        attributes = record.get("attributes") or {}
        body = str(record.get("body", ""))
        return cls(
            message_id=record["messageId"],
            receipt_handle=record.get("receiptHandle", ""),
            body=body,
            envelope=open_text(body),
            attempt=int(attributes.get("ApproximateReceiveCount", 1)),
            round=_round(record.get("messageAttributes")),
        )


@dataclass(frozen=True)
class ActivationQueue:
    """Both queues of one deployment, by their URLs; connected to when they are needed first."""

    connect: Callable[[], SQSClient]
    url: str
    dead_letters: str

    @cached_property
    def client(self) -> SQSClient:
        """The client; invocations with single events need none."""
        return self.connect()

    def put_off(self, delivery: Delivery, seconds: float) -> None:
        """Let a message that comes back do so after a while, instead of after the queue's own time."""
        with aws_call("ChangeMessageVisibility"):
            self.client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=delivery.receipt_handle, VisibilityTimeout=round(seconds)
            )

    def send_again(self, delivery: Delivery, seconds: float) -> None:
        """Send an event anew, so that its attempts begin at one; the old message has to be deleted after that."""
        with aws_call("SendMessage"):
            self.client.send_message(
                QueueUrl=self.url,
                MessageBody=json.dumps(delivery.envelope.event),
                DelaySeconds=min(round(seconds), LONGEST_DELAY_SECONDS),
                MessageAttributes={_ROUND: {"DataType": "Number", "StringValue": str(delivery.round + 1)}},
            )

    def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Delete messages that are done, at most ten, before the answer to Lambda does; twice is no error."""
        if not deliveries:
            return
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "ReceiptHandle": each.receipt_handle} for number, each in enumerate(deliveries)
        ]
        with aws_call("DeleteMessageBatch"):
            self.client.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def bury(self, letter: DeadLetter) -> None:
        """Send a dead letter; the event's own message has to be deleted after that."""
        with aws_call("SendMessage"):
            self.client.send_message(QueueUrl=self.dead_letters, MessageBody=letter.to_json())


def _round(attributes: object) -> int:
    """Return how often a message says that it was sent anew; 0 for what says no such number."""
    match attributes:
        case {"round": {"stringValue": str(text)}} if text.isdecimal() and len(text) <= len(str(MOST_ROUNDS)) + 1:
            return int(text)
    return 0


def is_batch(event: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether an invocation's event is a batch of SQS messages."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    return isinstance(records, list) and all(
        isinstance(each, Mapping) and each.get("eventSource") == "aws:sqs" for each in records
    )
