"""Queue ingestion in memory: a queue as SQS describes it, Lambda's poller, and the real batch code between them.

Time is the deployment's clock; sleeping moves it. Chance is fixed, so that every run is the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import EndpointConnectionError

from jitr.activation.batch import ActivationBatch
from jitr.activation.queue import MAX_RECEIVES, ActivationQueue
from jitr.activation.steps import TIME_LIMIT
from jitr.aws.lending import Allotment, Part
from jitr.aws.state_table import StateTable
from jitr.aws.turns import CERTIFICATES, BatchTurns, TurnLine, Turns
from jitr.messages.dead_letters import DeadLetter, decode_dead_letter
from jitr.telemetry.activation import ActivationTelemetry
from tests.aws.memory_sqs import MemorySqs, Message
from tests.worlds.deployment import TABLE, TestDeployment

QUEUE, DEAD_LETTERS = "https://sqs.example/activation", "https://sqs.example/dead-letters"
VISIBILITY_SECONDS = 6 * TIME_LIMIT.total_seconds()


@dataclass
class Queues:
    """The deployment's two queues; while they are `failing`, the function gets no answer of SQS."""

    sqs: MemorySqs
    failing: bool = False

    @property
    def waiting(self) -> list[Message]:
        """Return the messages of the activation queue, hidden ones too."""
        return self.sqs.queues.get(QUEUE, [])

    @property
    def dead(self) -> list[str]:
        """Return the bodies of the dead letters."""
        return [each.body for each in self.sqs.queues.get(DEAD_LETTERS, [])]

    def client(self) -> Any:
        """Return SQS's client as the function has it."""

        def answering(operation: Callable[..., Any]) -> Callable[..., Any]:
            def answer(**given: Any) -> Any:
                if self.failing:
                    raise EndpointConnectionError(endpoint_url=QUEUE)
                return operation(**given)

            return answer

        return SimpleNamespace(**{name: answering(each) for name, each in vars(self.sqs.client).items()})

    def send(self, body: str) -> str:
        """Put a message into the activation queue and return its id."""
        found: str = self.sqs.SendMessage({"QueueUrl": QUEUE, "MessageBody": body})["MessageId"]
        return found

    def redrive(self) -> None:
        """Send the newest dead letter again."""
        self.send(self.sqs.queues[DEAD_LETTERS].pop().body)

    def receive(self, maximum: int) -> list[dict[str, Any]]:
        """Take messages as Lambda's poller does, and return them as it hands them over."""
        for message in list(self.waiting):
            if message.visible_at <= self.sqs.now and message.receives >= MAX_RECEIVES:
                self.sqs.bury(QUEUE, DEAD_LETTERS, message)
        taken = self.sqs.receive(QUEUE, at_most=maximum, hidden_seconds=VISIBILITY_SECONDS)
        return [each.record() for each in taken]

    def delete(self, ids: set[str]) -> None:
        """Forget messages."""
        for message in [each for each in self.waiting if each.message_id in ids]:
            self.sqs.delete(QUEUE, message)


@dataclass
class QueueIngestion:
    """A deployment behind a queue; `batch` is the size, `per_second` its share of AWS IoT's quota."""

    deployment: TestDeployment
    queues: Queues
    batch: int = 10
    per_second: float = 1000.0
    chance: float | Callable[[], float] = 0.5
    lasting: float = TIME_LIMIT.total_seconds()

    @classmethod
    def before(cls, deployment: TestDeployment, **different: Any) -> QueueIngestion:
        """Put a queue before a deployment."""
        return cls(deployment, Queues(MemorySqs(deployment.clock)), **different)

    def __post_init__(self) -> None:
        self.container()

    def _now(self) -> float:
        return self.deployment.clock.now.timestamp()

    def container(self) -> None:
        """Start a cold container."""
        table = StateTable(self.deployment.dynamodb, TABLE)
        line = TurnLine(table, CERTIFICATES, Allotment({Part.ACTIVATION: self.per_second}))
        turns = BatchTurns(
            Turns(
                line,
                Part.ACTIVATION,
                now=self._now,
                sleep=lambda seconds: self.deployment.clock.advance(seconds=seconds),
                chance=lambda: 0.5,
            )
        )
        self.deployment.activation = replace(self.deployment.container(), turn=turns)
        self.work = ActivationBatch(
            activation=self.deployment.activation,
            queue=ActivationQueue(self.queues.client, QUEUE, DEAD_LETTERS),
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
