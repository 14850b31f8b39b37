"""The dead-letter queues as the command line sees them: letters held back while a command works, and put back after it.

SQS has no list of a queue's messages: whoever wants to see them receives them, and hides them from others meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from jitr.activation.steps import LEASE
from jitr.errors import Reason
from jitr.messages.dead_letters import CRASHED, DeadLetter, decode_dead_letter
from jitr.messages.envelopes import Origin, read_object
from jitr_cli.console.aws import Aws
from jitr_fleet.deployments.stack_outputs import StackOutputs

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# Long enough to work through a page at the slowest rate; whoever kills a command has the letters back after that.
HELD_SECONDS = 600
_PAGE = 10
# Letters come back when a command holds them for too long; so many pages of nothing new end the reading.
_PAGES_WITHOUT_NEWS = 3
# A lease began before its letter was written; the rest is for this computer's clock, which may be ahead of AWS's.
SETTLED_AFTER = LEASE + timedelta(seconds=65)
# The step that ends with its lease open, because AWS IoT may have been asked already.
_ACTIVATING = 8


class QueueName(StrEnum):
    """Whose dead letters; the values are what the option --queue takes."""

    ACTIVATION = "activation"
    ENFORCEMENT = "enforcement"
    BULK = "bulk"


# Which output of the stack says where it is.
_OUTPUTS = {
    QueueName.ACTIVATION: "dead_letter_queue",
    QueueName.ENFORCEMENT: "enforcement_dead_letter_queue",
    QueueName.BULK: "bulk_dead_letter_queue",
}


@dataclass(frozen=True, kw_only=True)
class Depth:
    """About how many letters there are: those that anybody may receive, and those that somebody holds right now."""

    waiting: int
    held: int

    @property
    def total(self) -> int:
        """Return how many there are in all."""
        return self.waiting + self.held


@dataclass(frozen=True, kw_only=True)
class Held:
    """One dead letter that nobody else sees for a while; `body` is the message as it arrived."""

    queue: QueueName
    message_id: str
    sent_at_milliseconds: int
    body: str
    letter: DeadLetter

    @property
    def sent_at(self) -> datetime:
        """Return when the letter was sent, by SQS's clock; SQS leaves that of a message that it moved as it was."""
        return datetime.fromtimestamp(self.sent_at_milliseconds / 1000, UTC)

    def may_hold_lease(self, at: datetime) -> bool:
        """Say whether the attempt that ended so may still keep others from activating the certificate.

        An event that is handed over now would end as `lease_held`, and its letter would be used up.
        """
        if self.queue is not QueueName.ACTIVATION or self.letter.origin == Origin.RULE:
            return False
        letter, reasons = self.letter, Reason.__members__.values()
        left_open = letter.reason not in reasons or letter.reason == Reason.LEASE_HELD or letter.step == _ACTIVATING
        return left_open and at - self.sent_at < SETTLED_AFTER

    @property
    def can_be_redriven(self) -> bool:
        """Say whether there is an event to hand over that the function would know for one."""
        if self.queue is QueueName.ACTIVATION:
            return self.letter.certificate_id is not None
        return self.queue is QueueName.ENFORCEMENT and isinstance(self.letter.event, dict)


@dataclass(frozen=True, kw_only=True)
class DeadLetterQueue:
    """One dead-letter queue of a deployment."""

    client: SQSClient
    url: str
    name: QueueName = QueueName.ACTIVATION

    @classmethod
    def of(cls, aws: Aws, stack: StackOutputs, name: QueueName) -> DeadLetterQueue:
        """Return one of a deployment's queues."""
        return cls(client=aws.client("sqs"), url=getattr(stack, _OUTPUTS[name]), name=name)

    def depth(self) -> Depth:
        """Return about how many letters there are; SQS does not know it exactly."""
        counts = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        visible, in_flight = counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]
        return Depth(waiting=int(visible), held=int(in_flight))

    @contextmanager
    def holding(self) -> Iterator[Holding]:
        """Hold letters for as long as the block lasts; what it did not remove is put back, also when it is killed."""
        held = Holding(self)
        try:
            yield held
        finally:
            held.put_back()


@dataclass(frozen=True)
class Holding:
    """The letters that one command holds."""

    queue: DeadLetterQueue
    _receipts: dict[str, str] = field(default_factory=dict)
    _removed: set[str] = field(default_factory=set)

    def letters(self, *, at_most: int | None = None) -> Iterator[Held]:
        """Yield letters, each once, a page at a time, until the queue gives no more.

        Held letters come back after a while, and are held again: they neither end the reading nor are seen twice.
        """
        seen: set[str] = set()
        without_news = 0
        while (at_most is None or len(seen) < at_most) and without_news < _PAGES_WITHOUT_NEWS + len(seen) // _PAGE:
            page = self._receive(_PAGE if at_most is None else min(_PAGE, at_most - len(seen)))
            if not page:
                return
            fresh = [message for message in page if message["MessageId"] not in seen]
            without_news = 0 if fresh else without_news + 1
            for message in fresh:
                seen.add(message["MessageId"])
                yield _held(self.queue.name, message)

    def remove(self, held: Held) -> None:
        """Remove a letter for good."""
        receipt = self._receipts.pop(held.message_id)
        self._removed.add(held.message_id)
        self.queue.client.delete_message(QueueUrl=self.queue.url, ReceiptHandle=receipt)

    def put_back(self) -> None:
        """Let others see again at once what is still held."""
        waiting = list(self._receipts.values())
        self._receipts.clear()
        for start in range(0, len(waiting), _PAGE):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(waiting[start : start + _PAGE])
            ]
            # An entry that fails is a letter whose time was up: others see it already.
            self.queue.client.change_message_visibility_batch(QueueUrl=self.queue.url, Entries=entries)  # type: ignore[arg-type]

    def _receive(self, most: int) -> list[MessageTypeDef]:
        answer = self.queue.client.receive_message(
            QueueUrl=self.queue.url,
            MaxNumberOfMessages=most,
            VisibilityTimeout=HELD_SECONDS,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["SentTimestamp"],
            MessageAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        # A standard queue may deliver what was just deleted once more; it must not be put back, nor seen again.
        messages = [message for message in messages if message["MessageId"] not in self._removed]
        self._receipts.update((message["MessageId"], message["ReceiptHandle"]) for message in messages)
        return messages


def _held(queue: QueueName, message: MessageTypeDef) -> Held:
    body = message["Body"]
    return Held(
        queue=queue,
        message_id=message["MessageId"],
        sent_at_milliseconds=int(message.get("Attributes", {}).get("SentTimestamp", "0")),
        body=body,
        letter=_READERS[queue](body, message.get("MessageAttributes", {})),
    )


def _registration(body: str, _attributes: Mapping[str, Any]) -> DeadLetter:
    return decode_dead_letter(body)


def _sweep(body: str, attributes: Mapping[str, Any]) -> DeadLetter:
    """Read what enforcement could not do: Lambda's record, or an event that EventBridge could not hand over.

    EventBridge sends the bare event, and says why in attributes (EventBridge User Guide, "Using dead-letter queues").
    """
    letter = decode_dead_letter(body)
    if letter.reason != CRASHED:
        return letter
    return replace(
        letter,
        origin="eventbridge",
        reason=_attribute(attributes, "ERROR_CODE") or "not_delivered",
        message=_attribute(attributes, "ERROR_MESSAGE") or "EventBridge could not hand the event over",
    )


def _shift(body: str, _attributes: Mapping[str, Any]) -> DeadLetter:
    """Read a shift of bulk work that failed to the last attempt; its reason is with its job."""
    event = read_object(body)
    job = event.get("job") if event is not None else None
    if not isinstance(job, str):
        return replace(decode_dead_letter(json.dumps(None)), origin="unknown")
    message = f"a shift of job {job} was given up: jitr bulk status {job} says why"
    return DeadLetter(event=event, origin="bulk", reason="turn_failed", step=None, message=message)


def _attribute(attributes: Mapping[str, Any], name: str) -> str:
    return str(attributes.get(name, {}).get("StringValue", ""))


_READERS = {
    QueueName.ACTIVATION: _registration,
    QueueName.ENFORCEMENT: _sweep,
    QueueName.BULK: _shift,
}
