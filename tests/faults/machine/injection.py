"""Faults for whatever a function calls: which call fails, how, and whether the fault is there to stay.

A recording run lists the calls, so a call that is new to a function is in the matrix without anybody adding it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from tests.aws.aws_faults import Killed


class Fault(StrEnum):
    """What can happen to one call. The SDK's own attempts are over by then, but for REPEATED."""

    THROTTLED = "throttled"
    SERVER_ERROR = "server error"
    DENIED = "access denied"
    NOT_REACHED = "timeout before the effect"
    ANSWER_LOST = "timeout after the effect"
    REPEATED = "effect twice, by the SDK's second attempt"
    CRASH = "crash right after"


EFFECT_HAPPENED = frozenset({Fault.ANSWER_LOST, Fault.REPEATED, Fault.CRASH})
REFUSALS = frozenset({Fault.THROTTLED, Fault.SERVER_ERROR, Fault.DENIED})
# What is refused is refused alike: of the refusals only one meets every call, the others each operation.
EVERYWHERE = (Fault.THROTTLED, Fault.NOT_REACHED, Fault.ANSWER_LOST, Fault.REPEATED, Fault.CRASH)
# The SDK gives up after four attempts of five seconds; a refused call is tried again at once, with short pauses.
_SECONDS = {
    Fault.NOT_REACHED: 20.0,
    Fault.ANSWER_LOST: 20.0,
    Fault.REPEATED: 5.0,
    Fault.THROTTLED: 3.0,
    Fault.SERVER_ERROR: 3.0,
}


@dataclass(frozen=True)
class Call:
    """One call of a function: the service's name in boto3, and the operation."""

    service: str
    operation: str

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"


def telling(calls: Sequence[Call]) -> list[int]:
    """Number the calls (from 1) from which on a lasting fault differs most: each operation's first and last."""
    first: dict[Call, int] = {}
    last: dict[Call, int] = {}
    for number, call in enumerate(calls, 1):
        first.setdefault(call, number)
        last[call] = number
    return sorted({*first.values(), *last.values()})


def places(calls: Sequence[Call], fault: Fault, *, lasting: bool) -> list[int]:
    """Number the calls (from 1) that a fault has to meet."""
    return list(range(1, len(calls) + 1)) if fault in EVERYWHERE and not lasting else telling(calls)


class Wire(Protocol):
    """How a kind of client sees faults."""

    def refusal(self, call: Call, fault: Fault) -> Any:
        """Answer, or raise, what a refused call ends in."""

    def silence(self, call: Call) -> Exception:
        """Return what is raised when no answer comes."""


@dataclass
class Faults:
    """Stands between the clients and AWS; `wait` lets the time pass that a fault takes.

    The call number `at` (from 1) has the `fault`; with `lasting`, every later call of that operation too. `down` is a
    service that is not there at all, and how that shows. `interruption` is something that happens right before one
    call, whole; its own calls are neither counted nor disturbed. A function that crashed is `dead`: none of its
    clean-up reaches AWS, until whoever invoked it finds out (`buried`).
    """

    wait: Callable[[float], None]
    calls: list[Call] = field(default_factory=list)
    happened: int = 0
    interrupted: bool = False
    dead: bool = False
    _at: int | None = None
    _fault: Fault | None = None
    _lasting: bool = False
    _operation: Call | None = None
    down: tuple[str, Fault] | None = None
    _interruption: tuple[int, Callable[[], None]] | None = None

    def plan(self, at: int, fault: Fault, *, lasting: bool) -> None:
        """Let a fault happen, counted from now."""
        self.end()
        self._at, self._fault, self._lasting = at, fault, lasting

    def interrupt(self, at: int, what: Callable[[], None]) -> None:
        """Let something happen right before the call number `at`, counted from now."""
        self.end()
        self._interruption = (at, what)

    def end(self) -> None:
        """Let nothing go wrong any more, and begin to count again."""
        self.calls, self.happened, self.interrupted = [], 0, False
        self._at = self._fault = self._operation = self.down = self._interruption = None
        self._lasting = self.dead = False

    def buried(self) -> None:
        """Let the next invocation live."""
        self.dead = False

    def around(self, call: Call, effect: Callable[[], Any], wire: Wire) -> Any:
        """Make one call, or let its fault happen."""
        if self.dead:
            raise Killed(f"before {call}")
        self.calls.append(call)
        self._interrupted()
        fault = self._due(call)
        if fault is None:
            return effect()
        self.happened += 1
        self.wait(_SECONDS.get(fault, 0.0))
        if fault in REFUSALS:
            return wire.refusal(call, fault)
        if fault is Fault.NOT_REACHED:
            raise wire.silence(call)
        answer = effect()
        if fault is Fault.REPEATED:
            return effect()
        if fault is Fault.CRASH:
            self.dead = True
            raise Killed(f"after {call}")
        del answer
        raise wire.silence(call)

    def _interrupted(self) -> None:
        if self._interruption is None or len(self.calls) != self._interruption[0]:
            return
        (_, what), self._interruption, mine = self._interruption, None, self.calls
        self.interrupted, self.calls = True, []
        try:
            what()
        finally:
            self.calls = mine

    def _due(self, call: Call) -> Fault | None:
        if self.down is not None and call.service == self.down[0]:
            return self.down[1]
        if self._fault is None:
            return None
        if self._operation is None and len(self.calls) == self._at:
            self._operation = call
            return self._fault
        return self._fault if self._lasting and call == self._operation else None
