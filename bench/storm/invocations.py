"""How Lambda runs the function: an event source mapping on a queue, or asynchronous invocations.

The second one is a model: AWS says how often and how long it tries (developer guide, "How Lambda handles errors and
retries with asynchronous invocation"), and nothing about the order in which its own queue hands out events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any, TypeAlias

from bench.storm.queues import Message, StandardQueue
from bench.storm.virtual_time import Process, TimedOut, VirtualTime

# What Lambda needs to start a container and import the function; an assumption.
COLD_START_SECONDS = 1.5
# What the function itself computes for one invocation; an assumption, far above what `make bench` measures.
OWN_SECONDS = 0.005
_LONGEST_THROTTLE_SECONDS = 300.0
_OLDEST_EVENT_SECONDS = 6 * 3600.0
_ERROR_RETRY_SECONDS = (60.0, 120.0)

# One container's function: takes what Lambda hands over, and Lambda's context.
Handler: TypeAlias = Callable[[Any, Any], Any]


class FunctionError(Exception):
    """The invocation ended in an error, or was killed."""


@dataclass
class Container:
    """An execution environment: cold at first, and again after it was killed."""

    time: VirtualTime
    build: Callable[[], Handler]
    timeout: float
    name: str
    _handler: Handler | None = None
    _invocations: int = 0

    def invoke(self, event: object) -> Any:  # noqa: ANN401
        """Run the function once; raises FunctionError."""
        if self._handler is None:
            self.time.sleep(COLD_START_SECONDS)
            self._handler = self.build()
        self._invocations += 1
        context = SimpleNamespace(
            aws_request_id=f"{self.name}-{self._invocations}",
            get_remaining_time_in_millis=lambda: int(self.time.left() * 1000),
            function_name="storm",
        )
        self.time.limit(self.timeout)
        try:
            self.time.sleep(OWN_SECONDS)
            return self._handler(event, context)
        except TimedOut:
            self._handler = None
            raise FunctionError("timed out") from None
        except Exception as error:
            raise FunctionError(str(error)) from error
        finally:
            self.time.limit(float("inf"))


@dataclass
class EventSourceMapping:
    """Polls a queue with as many containers as its maximum concurrency, and deletes what they report done."""

    time: VirtualTime
    queue: StandardQueue
    containers: list[Container]
    batch_size: int
    window: float
    finished: int = 0
    failed: int = 0

    def start(self) -> None:
        """Begin to poll."""
        for container in self.containers:
            self.time.start(lambda container=container: self._poll(container))  # type: ignore[misc]

    def _poll(self, container: Container) -> None:
        while True:
            messages = self.queue.receive(self.batch_size)
            if not messages:
                process = self.time.running
                self.queue.waiting.append(lambda process=process: self.time.wake(process))  # type: ignore[misc]
                self.time.park()
                continue
            if len(messages) < self.batch_size and self.window:
                self.time.sleep(self.window)
                messages += self.queue.receive(self.batch_size - len(messages))
            self._hand_over(container, messages)

    def _hand_over(self, container: Container, messages: list[Message]) -> None:
        try:
            answer = container.invoke({"Records": [message.record() for message in messages]})
        except FunctionError:
            self.failed += len(messages)
            return
        back = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        done = [message for message in messages if f"message-{message.number}" not in back]
        self.finished += len(done)
        self.failed += len(back)
        self.queue.delete(done)


@dataclass
class _Invocation:
    number: int
    event: object
    sent_at: float
    throttles: int = 0
    errors: int = 0


@dataclass
class AsynchronousQueue:
    """A model of Lambda's own queue: what finds no free container comes back after 1 s, 2 s, … 5 minutes, for 6 hours.

    An error is tried again after one minute and then two; `dead` gets what ends in vain.
    """

    time: VirtualTime
    random: Random
    containers: list[Container]
    dead: list[object] = field(default_factory=list)
    sent: int = 0
    finished: int = 0
    failed: int = 0
    throttles: int = 0
    peak: int = 0
    _waiting: dict[int, object] = field(default_factory=dict)
    _free: list[tuple[Process, list[_Invocation]]] = field(default_factory=list)

    @property
    def depth(self) -> int:
        """Return how many events wait or are worked on."""
        return len(self._waiting)

    @property
    def waiting(self) -> list[object]:
        """Return those events."""
        return list(self._waiting.values())

    def start(self) -> None:
        """Begin to take events."""
        for container in self.containers:
            self.time.start(lambda container=container: self._work(container))  # type: ignore[misc]

    def send(self, event: object) -> None:
        """Invoke the function with an event some time from now."""
        self.sent += 1
        self._waiting[self.sent] = event
        self.peak = max(self.peak, self.depth)
        self._attempt(_Invocation(self.sent, event, self.time.now))

    def _attempt(self, invocation: _Invocation) -> None:
        if self.time.now - invocation.sent_at > _OLDEST_EVENT_SECONDS:
            self._bury(invocation)
        elif self._free:
            process, box = self._free.pop()
            box.append(invocation)
            self.time.wake(process)
        else:
            self.throttles += 1
            # The jitter is the model's: without it all events of one second would come back in one second for ever.
            wait = min(_LONGEST_THROTTLE_SECONDS, 2.0**invocation.throttles) * self.random.uniform(0.5, 1.0)
            invocation.throttles = min(invocation.throttles + 1, 10)
            self.time.after(wait, lambda: self._attempt(invocation))

    def _work(self, container: Container) -> None:
        box: list[_Invocation] = []
        while True:
            self._free.append((self.time.running, box))
            self.time.park()
            invocation = box.pop()
            try:
                container.invoke(invocation.event)
            except FunctionError:
                self._again(invocation)
            else:
                self.finished += 1
                del self._waiting[invocation.number]

    def _again(self, invocation: _Invocation) -> None:
        self.failed += 1
        if invocation.errors == len(_ERROR_RETRY_SECONDS):
            self._bury(invocation)
            return
        wait = _ERROR_RETRY_SECONDS[invocation.errors]
        invocation.errors += 1
        self.time.after(wait, lambda: self._attempt(invocation))

    def _bury(self, invocation: _Invocation) -> None:
        del self._waiting[invocation.number]
        self.dead.append(invocation.event)
