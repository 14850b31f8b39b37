"""A standard SQS queue as AWS describes it: nearly in order, at least once, hidden while a message is worked on."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bench.storm.virtual_time import VirtualTime

# A queue lives on several servers, and one receive asks some of them: the reason why order is only nearly kept.
_SERVERS = 4
# How often a deleted message comes once more, because a server that kept a copy did not hear of it.
_TWICE = 0.001


@dataclass
class Message:
    """One message; `receipt` changes with every receive."""

    number: int
    body: str
    sent_at: float
    sent_ms: int
    received: int = 0
    receipt: str = ""
    generation: int = 0

    def record(self) -> dict[str, Any]:
        """Return the message as Lambda hands it over (developer guide, "Using Lambda with Amazon SQS")."""
        return {
            "messageId": f"message-{self.number}",
            "receiptHandle": self.receipt,
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": str(self.received),
                "SentTimestamp": str(self.sent_ms),
                "ApproximateFirstReceiveTimestamp": str(self.sent_ms),
                "SenderId": "storm",
            },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:storm",
            "awsRegion": "us-east-1",
        }


@dataclass
class StandardQueue:
    """A queue whose messages move to `dead` when they were received `maximum_receives` times and not deleted."""

    time: VirtualTime
    random: Random
    visibility: float
    maximum_receives: int
    epoch: Callable[[], float]
    dead: list[str] = field(default_factory=list)
    peak: int = 0
    hidden: dict[str, Message] = field(default_factory=dict)
    _servers: list[list[tuple[float, int, Message]]] = field(default_factory=lambda: [[] for _ in range(_SERVERS)])
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _visible: int = 0
    # Who waits for a message; they are told when one is there.
    waiting: list[Callable[[], None]] = field(default_factory=list)

    @property
    def depth(self) -> int:
        """Return how many messages wait or are worked on."""
        return self._visible + len(self.hidden)

    def waiting_bodies(self) -> list[str]:
        """Return what is in the queue, seen or hidden."""
        seen = [message.body for server in self._servers for _, _, message in server]
        return seen + [message.body for message in self.hidden.values()]

    def send(self, body: str, delay: float = 0) -> None:
        """Put a message in, to be seen after a while if asked."""
        message = Message(next(self._numbers), body, self.time.now, round(self.epoch() * 1000))
        if delay:
            self.hidden[f"delayed-{message.number}"] = message
            self.time.after(delay, lambda: self._show(f"delayed-{message.number}", message.generation))
        else:
            self._add(message)

    def receive(self, maximum: int) -> list[Message]:
        """Take up to so many messages; each stays hidden for the visibility timeout."""
        taken: list[Message] = []
        while len(taken) < maximum and self._visible:
            server = self.random.choice([each for each in self._servers if each])
            message = heapq.heappop(server)[2]
            self._visible -= 1
            if message.received >= self.maximum_receives:
                self.dead.append(message.body)
                continue
            message.received += 1
            message.receipt = f"{message.number}-{message.received}"
            self.hidden[message.receipt] = message
            self.hide(message.receipt, self.visibility)
            taken.append(message)
        return taken

    def hide(self, receipt: str, seconds: float) -> None:
        """Let a message that was received be seen again after so many seconds."""
        message = self.hidden.get(receipt)
        if message is None:
            return
        message.generation += 1
        generation = message.generation
        self.time.after(seconds, lambda: self._show(receipt, generation))

    def delete(self, messages: Sequence[Message]) -> None:
        """Forget messages that are done; now and then one comes again."""
        for message in messages:
            if self.hidden.get(message.receipt) is message and self.random.random() >= _TWICE:
                del self.hidden[message.receipt]

    def _show(self, receipt: str, generation: int) -> None:
        message = self.hidden.get(receipt)
        if message is not None and message.generation == generation:
            del self.hidden[receipt]
            self._add(message)

    def _add(self, message: Message) -> None:
        heapq.heappush(self._servers[message.number % _SERVERS], (message.sent_at, message.number, message))
        self._visible += 1
        self.peak = max(self.peak, self.depth)
        while self.waiting and self._visible:
            self.waiting.pop()()
