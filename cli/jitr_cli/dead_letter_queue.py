"""The dead-letter queue as the command line sees it: received, held back while a command works, put back or removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jitr.dead_letters import DeadLetter, decode_dead_letter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# Long enough to work through a page at the slowest rate; whoever kills a command has the letters back after that.
HELD_SECONDS = 600
_PAGE = 10
# Letters come back when a command holds them for too long; this many pages of nothing new end the reading.
_PAGES_WITHOUT_NEWS = 3


@dataclass(frozen=True, kw_only=True)
class Held:
    """One dead letter that nobody else sees for a while."""

    message_id: str
    receipt: str
    sent_at_milliseconds: int
    letter: DeadLetter


@dataclass(frozen=True)
class DeadLetterQueue:
    """The dead-letter queue of one deployment."""

    client: SQSClient
    url: str

    def waiting(self) -> int:
        """Return about how many letters there are; SQS does not know it exactly."""
        answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def receive(self, *, at_most: int) -> Iterator[Held]:
        """Yield letters, each once, a page at a time, until the queue gives no more."""
        seen: set[str] = set()
        pages_without_news = 0
        while len(seen) < at_most and pages_without_news < _PAGES_WITHOUT_NEWS:
            answer = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=min(_PAGE, at_most - len(seen)),
                VisibilityTimeout=HELD_SECONDS,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
            messages = answer.get("Messages", [])
            if not messages:
                return
            fresh = [message for message in messages if message["MessageId"] not in seen]
            pages_without_news = 0 if fresh else pages_without_news + 1
            for message in fresh:
                seen.add(message["MessageId"])
                yield _held(message)

    def put_back(self, held: Held) -> None:
        """Let others see a letter again at once."""
        self.client.change_message_visibility(QueueUrl=self.url, ReceiptHandle=held.receipt, VisibilityTimeout=0)

    def remove(self, held: Held) -> None:
        """Remove a letter for good."""
        self.client.delete_message(QueueUrl=self.url, ReceiptHandle=held.receipt)


def _held(message: MessageTypeDef) -> Held:
    return Held(
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        sent_at_milliseconds=int(message.get("Attributes", {}).get("SentTimestamp", "0")),
        letter=decode_dead_letter(message["Body"]),
    )
