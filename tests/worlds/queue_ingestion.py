"""Queue ingestion in memory: a queue as SQS describes it, Lambda's poller, and the real batch code between them.

Time is the deployment's clock; sleeping moves it. Chance is fixed, so that every run is the same.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from jitr.activation.batch import ActivationBatch
from jitr.activation.queue import MAX_RECEIVES, ActivationQueue
from jitr.activation.steps import TIME_LIMIT
from jitr.aws.state_table import StateTable
from jitr.aws.turns import TurnLine, Turns
from jitr.messages.dead_letters import DeadLetter, decode_dead_letter
from jitr.telemetry.activation import ActivationTelemetry
from tests.worlds.deployment import TABLE, TestDeployment

QUEUE, DEAD_LETTERS = "https://sqs.example/activation", "https://sqs.example/dead-letters"
VISIBILITY_SECONDS = 6 * TIME_LIMIT.total_seconds()


@dataclass
class Message:
    """One message; `visible_at` is in epoch seconds, `handle` changes with every receive."""

    id: str
    body: str
    sent_at: float
    visible_at: float
    received: int = 0
    handle: str = ""


@dataclass
class MemoryQueues:
    """The two queues: as boto3's client for the function, and as SQS for the poller."""

    now: Callable[[], float]
    waiting: list[Message] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    failing: bool = False
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def send(self, body: str, delay: float = 0) -> str:
        """Put a message in and return its id."""
        message = Message(f"message-{next(self._numbers)}", body, self.now(), self.now() + delay)
        self.waiting.append(message)
        return message.id

    def send_message(self, *, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:  # noqa: N803 - boto3
        """SendMessage."""
        self._answer()
        if QueueUrl == DEAD_LETTERS:
            self.dead.append(MessageBody)
        else:
            assert 0 <= DelaySeconds <= 900
            self.send(MessageBody, DelaySeconds)

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: N803 - boto3
        """ChangeMessageVisibility."""
        self._answer()
        assert QueueUrl == QUEUE
        assert 0 <= VisibilityTimeout <= 43_200
        (message,) = [each for each in self.waiting if each.handle == ReceiptHandle]
        message.visible_at = self.now() + VisibilityTimeout

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> None:  # noqa: N803 - boto3
        """DeleteMessageBatch."""
        self._answer()
        assert QueueUrl == QUEUE
        assert 1 <= len(Entries) <= 10
        handles = {each["ReceiptHandle"] for each in Entries}
        self.waiting = [each for each in self.waiting if each.handle not in handles]

    def receive(self, maximum: int) -> list[dict[str, Any]]:
        """Take messages as Lambda's poller does, and return them as it hands them over."""
        taken: list[dict[str, Any]] = []
        for message in [each for each in self.waiting if each.visible_at <= self.now()]:
            if message.received >= MAX_RECEIVES:
                self.waiting.remove(message)
                self.dead.append(message.body)
            elif len(taken) < maximum:
                message.received += 1
                message.handle = f"{message.id}-{message.received}"
                message.visible_at = self.now() + VISIBILITY_SECONDS
                taken.append(_record(message))
        return taken

    def delete(self, ids: set[str]) -> None:
        """Forget messages."""
        self.waiting = [each for each in self.waiting if each.id not in ids]

    def _answer(self) -> None:
        if self.failing:
            from botocore.exceptions import EndpointConnectionError

            raise EndpointConnectionError(endpoint_url=QUEUE)


def _record(message: Message) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "receiptHandle": message.handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.received),
            "SentTimestamp": str(int(message.sent_at * 1000)),
        },
        "eventSource": "aws:sqs",
    }


@dataclass
class QueueIngestion:
    """A deployment behind a queue; `batch` is the size, `per_second` its share of AWS IoT's quota."""

    deployment: TestDeployment
    queues: MemoryQueues
    batch: int = 10
    per_second: float = 1000.0
    chance: float | Callable[[], float] = 0.5
    lasting: float = TIME_LIMIT.total_seconds()

    @classmethod
    def before(cls, deployment: TestDeployment, **different: Any) -> QueueIngestion:
        """Put a queue before a deployment."""
        return cls(deployment, MemoryQueues(deployment.clock.now.timestamp), **different)

    def __post_init__(self) -> None:
        self.queues.now = self._now
        self.container()

    def _now(self) -> float:
        return self.deployment.clock.now.timestamp()

    def container(self) -> None:
        """Start a cold container."""
        table = StateTable(self.deployment.dynamodb, TABLE)
        line = TurnLine(table, "activation-pace", self.per_second)
        turns = Turns(line, now=self._now, sleep=lambda seconds: self.deployment.clock.advance(seconds=seconds))
        self.deployment.activation = replace(self.deployment.container(), turn=turns)
        self.work = ActivationBatch(
            activation=self.deployment.activation,
            queue=ActivationQueue(lambda: self.queues, QUEUE, DEAD_LETTERS),  # type: ignore[arg-type, return-value]
            telemetry=ActivationTelemetry.create("test"),
            turns=turns,
            now=self._now,
            chance=lambda: self.chance() if callable(self.chance) else self.chance,
        )

    def send(self, event: object) -> str:
        """Send an event as the rule does."""
        return self.queues.send(event if isinstance(event, str) else json.dumps(event))

    def knock(self, device: Any) -> dict[str, Any]:
        """Let a device connect, and the rule send the event, published now."""
        event = self.deployment.iot.connect(device, self.deployment.ca)
        event["timestamp"] = int(self._now() * 1000)
        self.send(event)
        return event

    def invoke(self) -> list[str]:
        """Hand one batch over, delete what is done, and return the ids of what comes back."""
        records = self.queues.receive(self.batch)
        began = self._now()
        back = self.work.run(records, request_id="r", seconds_left=lambda: self.lasting - (self._now() - began))
        ids = {record["messageId"] for record in records}
        assert set(back) <= ids
        assert len(back) == len(set(back))
        self.queues.delete(ids - set(back))
        return back

    def settle(self) -> int:
        """Go on until the queue is empty, and return how many batches it took."""
        batches = 0
        while self.queues.waiting:
            batches += 1
            assert batches < 1000, "the queue does not get empty"
            self.invoke()
            if self.queues.waiting:
                soonest = min(message.visible_at for message in self.queues.waiting)
                self.deployment.clock.advance(seconds=max(0.0, soonest - self._now()))
        return batches

    def letters(self) -> list[DeadLetter]:
        """Return the dead letters, read."""
        return [decode_dead_letter(body) for body in self.queues.dead]
