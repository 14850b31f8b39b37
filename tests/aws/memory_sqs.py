"""SQS's standard queues in memory, and what Lambda's poller makes of their messages.

Each operation is a method of its API name that takes a request and returns an answer; `client` is the same as boto3 has
it. bench/storm has queues of its own: there receiving takes its time on a virtual clock, and many pollers wait at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from tests.aws.fake_iot import REGION

LONGEST_DELAY, LONGEST_HIDDEN = 900, 43_200  # seconds
MOST_AT_ONCE = 10


@dataclass
class Message:
    """One message; times are epoch seconds, and the receipt is another one at every receive."""

    message_id: str
    body: str
    sent_at: float
    visible_at: float
    receives: int = 0
    receipt: str = ""
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return it as Lambda hands it over (developer guide, "Using Lambda with Amazon SQS")."""
        return {
            "messageId": self.message_id,
            "receiptHandle": self.receipt,
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": str(self.receives),
                "SentTimestamp": str(round(self.sent_at * 1000)),
            },
            "messageAttributes": {
                name: {"dataType": each["DataType"], "stringValue": each["StringValue"]}
                for name, each in self.attributes.items()
            },
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue",
            "awsRegion": REGION,
        }


@dataclass
class MemorySqs:
    """Queues by URL, with delays, visibility timeouts and receive counts; messages come in the order of sending."""

    clock: Callable[[], datetime]
    queues: dict[str, list[Message]] = field(default_factory=dict)
    _sent: int = 0

    @property
    def now(self) -> float:
        """Return the time in epoch seconds."""
        return self.clock().timestamp()

    @property
    def client(self) -> SimpleNamespace:
        """Return the operations as boto3's client has them."""
        return SimpleNamespace(
            send_message=lambda **given: self.SendMessage(given),
            change_message_visibility=lambda **given: self.ChangeMessageVisibility(given),
            delete_message_batch=lambda **given: self.DeleteMessageBatch(given),
        )

    def SendMessage(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        delay = given.get("DelaySeconds", 0)
        assert 0 <= delay <= LONGEST_DELAY
        self._sent += 1
        message = Message(f"message-{self._sent}", given["MessageBody"], self.now, self.now + delay)
        message.attributes = given.get("MessageAttributes", {})
        self.queues.setdefault(given["QueueUrl"], []).append(message)
        return {"MessageId": message.message_id}

    def ChangeMessageVisibility(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert 0 <= given["VisibilityTimeout"] <= LONGEST_HIDDEN
        for message in self.queues.get(given["QueueUrl"], []):
            if message.receipt == given["ReceiptHandle"]:
                message.visible_at = self.now + given["VisibilityTimeout"]
        return {}

    def DeleteMessageBatch(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert 1 <= len(given["Entries"]) <= MOST_AT_ONCE
        receipts = {each["ReceiptHandle"] for each in given["Entries"]}
        queue = given["QueueUrl"]
        self.queues[queue] = [each for each in self.queues.get(queue, []) if each.receipt not in receipts]
        return {"Successful": [{"Id": each["Id"]} for each in given["Entries"]], "Failed": []}

    def receive(self, queue: str, *, at_most: int, hidden_seconds: float) -> list[Message]:
        """Receive what is visible now, as Lambda's poller does."""
        found = [each for each in self.queues.get(queue, []) if each.visible_at <= self.now][:at_most]
        for each in found:
            each.receives += 1
            each.receipt = f"{each.message_id}-{each.receives}"
            each.visible_at = self.now + hidden_seconds
        return found

    def delete(self, queue: str, message: Message) -> None:
        """Delete a message; one that is gone is no error."""
        self.queues[queue] = [each for each in self.queues.get(queue, []) if each is not message]

    def bury(self, queue: str, dead_letters: str, message: Message) -> None:
        """Move a message that was received too often, as a redrive policy does."""
        self.delete(queue, message)
        self.SendMessage(
            {"QueueUrl": dead_letters, "MessageBody": message.body, "MessageAttributes": message.attributes}
        )
