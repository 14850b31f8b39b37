"""How Lambda works a queue: batches, partial failures, messages that come back, and the queue's own dead letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.aws.aws_faults import Killed
from tests.faults.machine.cloud import Cloud

# More invocations than any story needs; whoever reaches it never comes to an end.
MORE_THAN_ENOUGH = 400

InvokeBatch = Callable[[Mapping[str, Any], str, float], Mapping[str, Any]]


@dataclass
class Worker:
    """Lambda's event source mapping of one queue: one function at a time, a cold container each.

    `hidden_seconds` is the queue's visibility timeout, `receives` its maxReceiveCount, `seconds` how long one
    invocation may run. `crashes` counts invocations that were killed or raised.
    """

    aws: Cloud
    cold: Callable[[], InvokeBatch]
    queue: str
    dead_letters: str
    hidden_seconds: float
    receives: int
    seconds: float
    batch: int = 10
    crashes: int = 0
    invocations: int = 0
    errors: list[str] = field(default_factory=list)

    def send(self, *bodies: str) -> None:
        """Put messages into the queue."""
        for body in bodies:
            self.aws.account.sqs.SendMessage({"QueueUrl": self.queue, "MessageBody": body})

    def work(self, *, until: datetime | None = None) -> bool:
        """Work until the queue is empty; False where it is not by then."""
        for _ in range(MORE_THAN_ENOUGH):
            waiting = self.aws.account.sqs.queues.get(self.queue, [])
            if not waiting:
                return True
            now = self.aws.account.clock()
            first = datetime.fromtimestamp(min(each.visible_at for each in waiting), UTC)
            if until is not None and max(first, now) >= until:
                return False
            if first > now:
                self.aws.account.clock.now = first + timedelta(seconds=1)
            self.once()
        return False

    def once(self) -> None:
        """Receive a batch and invoke the function with it."""
        sqs = self.aws.account.sqs
        received = sqs.receive(self.queue, at_most=self.batch, hidden_seconds=self.hidden_seconds)
        batch = [each for each in received if each.receives <= self.receives]
        for each in received:
            if each not in batch:
                # What nobody ever answered for: SQS moves it by itself.
                sqs.bury(self.queue, self.dead_letters, each)
        if not batch:
            return
        self.invocations += 1
        ends = self.aws.account.clock() + timedelta(seconds=self.seconds)
        try:
            answer = self.cold()(
                {"Records": [each.record() for each in batch]}, f"r-{self.invocations}", ends.timestamp()
            )
        except Killed:
            self.aws.faults.buried()
            self.crashes += 1
            return
        except Exception as failure:  # noqa: BLE001 - whatever a function raises is Lambda's to deal with
            self.crashes += 1
            self.errors.append(f"{type(failure).__name__}: {failure}")
            return
        back = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        for each in batch:
            if each.message_id not in back:
                sqs.delete(self.queue, each)
