"""Every order in which concurrent processes can make their AWS calls: a deterministic scheduler and a search.

Each process is an ordinary function in a thread of its own; a baton lets one run at a time. Before each AWS call the
search decides who makes the next one, and whether the process dies instead (between two calls a process changes nothing
that others see, so dying before each call is dying anywhere). Runs are repeated from the start with other decisions,
depth first, until none is left. A state that was searched before is not searched again: what can follow is determined
by what AWS holds, by the time, and by the answers that each process has had.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from tests.aws.aws_faults import Killed

RUN, CRASH = "run", "crash"
Decision = tuple[str, str]


class World(Protocol):
    """What the processes share."""

    def state(self) -> Hashable:
        """Everything that a process could read, the time included."""

    def time(self) -> Hashable:
        """What a process that asks for the time is told."""

    def finish(self) -> None:
        """Let pass what passes after all processes have ended, and check what must hold then."""


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


class _Thread:
    """A thread that lives one process after the other: a search needs hundreds of thousands of them."""

    idle: ClassVar[list[_Thread]] = []

    def __init__(self) -> None:
        self._task: tuple[Callable[[], object], threading.Lock] | None = None
        self._wanted = _taken()
        threading.Thread(target=self._live, daemon=True).start()

    @classmethod
    def start(cls, work: Callable[[], object], gone: threading.Lock) -> None:
        """Let a thread that is idle, or a new one, do this and release `gone` then."""
        found = cls.idle.pop() if cls.idle else cls()
        found._task = work, gone
        found._wanted.release()

    def _live(self) -> None:
        while True:
            self._wanted.acquire()
            assert self._task is not None
            work, gone = self._task
            work()
            self.idle.append(self)
            gone.release()


@dataclass(eq=False)
class Process:
    """One invocation; `when_killed` names the process that follows if it is killed (Lambda delivers again)."""

    name: str
    work: Callable[[], object]
    crashable: bool = True
    when_killed: Callable[[], Process | None] = lambda: None
    turn: threading.Lock = field(default_factory=_taken)
    gone: threading.Lock = field(default_factory=_taken)
    begun: bool = False
    ended: bool = False
    killed: bool = False
    seen: int = 0


@dataclass(frozen=True)
class Violation:
    """A schedule that ends in what must not be: its decisions and what was wrong."""

    schedule: tuple[Decision, ...]
    calls: tuple[str, ...]
    wrong: str

    def __str__(self) -> str:
        return "\n".join([self.wrong, *self.calls])


@dataclass
class Explored:
    """What a search did: complete and abandoned runs, distinct states, and the first violation."""

    schedules: int = 0
    repeated: int = 0
    violation: Violation | None = None
    states: dict[Hashable, int] = field(default_factory=dict)


class Schedule:
    """One run of all processes under given decisions, then under the first possible ones.

    `preemptions` limits how often a process that could go on has to wait for another one; None: no limit.
    """

    def __init__(
        self, given: tuple[Decision, ...], states: dict[Hashable, int], *, crashes: int, preemptions: int | None
    ) -> None:
        self.taken: list[Decision] = []
        self.alternatives: list[tuple[Decision, ...]] = []
        self.calls: list[tuple[object, ...]] = []
        self.repeats = False
        self.failure: Exception | None = None
        self._given = given
        self._states = states
        self._crashes = crashes
        self._preemptions = preemptions
        self._processes: dict[str, Process] = {}
        self._running: Process | None = None
        self._mine = threading.local()
        self._over = threading.Event()
        self._world: World | None = None

    # For those who build the world

    def add(self, process: Process) -> None:
        """Let a process run some time from now."""
        self._processes[process.name] = process

    def call(self, effect: Callable[[], Any], *what: object, alone: bool = False) -> Any:
        """Make one AWS call when it is this process's turn; `alone`: no other process could ever tell when it was."""
        process: Process | None = getattr(self._mine, "process", None)
        if process is None:
            return effect()
        self._wait(process, alone=alone)
        self.calls.append((process.name, *what))
        try:
            answer = effect()
        except Exception as error:
            process.seen = hash((process.seen, str(error)))
            raise
        self._saw(process, answer)
        return answer

    def kill(self, doomed: Callable[[Process], bool]) -> None:
        """Kill all processes that have begun and not ended and that are `doomed`."""
        for process in list(self._alive()):
            if process.begun and doomed(process):
                self._kill(process)

    def run(self, world: World) -> None:
        """Run everything to its end, then the world's."""
        self._world = world
        self._hand_on()
        self._over.wait()
        for process in self._processes.values():
            if process.begun:
                process.killed = True
                process.turn.release()
                process.gone.acquire()
        if self.failure is None and not self.repeats:
            world.finish()

    # Inside

    def _wait(self, process: Process, *, alone: bool) -> None:
        """Decide who goes on, and return when it is this process's turn to make its call."""
        if process.killed or self._over.is_set():
            raise Killed
        chosen = self._chosen(process, alone=alone)
        if chosen is not process:
            if chosen is not None:
                self._give(chosen)
                if not process.killed:
                    process.turn.acquire()
            if process.killed or chosen is None:
                raise Killed

    def _saw(self, process: Process, answer: Any) -> None:
        assert self._world is not None
        process.seen = hash((process.seen, self._world.time(), frozen(answer)))

    def _chosen(self, current: Process | None, *, alone: bool) -> Process | None:
        """Return who makes the next call, after those were killed that are to be; None at the end."""
        while True:
            if current is not None and current.killed:
                current = None
            if current is None and not any(self._alive()):
                self._over.set()
                return None
            decision = self._decide(current, alone=alone and current is not None)
            if decision is None:
                return None
            process = self._processes[decision[1]]
            if decision[0] == RUN:
                return process
            self._crashes -= 1
            self._kill(process)

    def _decide(self, current: Process | None, *, alone: bool) -> Decision | None:
        options = self._options(current, alone=alone)
        at = len(self.taken)
        if at < len(self._given):
            decision = self._given[at]
            assert decision in options, f"{decision} is not possible again; there are {options}"
        else:
            if self._searched(current, alone=alone):
                self.repeats = True
                self._over.set()
                return None
            decision = options[0]
            self.alternatives += [(*self.taken, other) for other in options[1:]]
        self.taken.append(decision)
        if self._preemptions is not None and current is not None and decision not in _goes_on(current):
            self._preemptions -= 1
        return decision

    def _options(self, current: Process | None, *, alone: bool) -> list[Decision]:
        """List what can be decided; who is crashed without a limit of preemptions need not be running."""
        others = [each for each in self._alive() if each is not current]
        mortal = [each for each in others if each.begun] if self._preemptions is None else []
        if alone or (current is not None and self._preemptions == 0):
            others = mortal = []
        running = [] if current is None else [current]
        options = [(RUN, each.name) for each in (*running, *others)]
        if self._crashes > 0:
            options += [(CRASH, each.name) for each in (*running, *mortal) if each.crashable]
        return options

    def _searched(self, current: Process | None, *, alone: bool) -> bool:
        """Say whether all that can follow was searched already; if not, it will be now."""
        assert self._world is not None
        processes = tuple(
            (each.name, each.begun, each.ended or each.killed, each.seen) for each in self._processes.values()
        )
        matters = current is not None and (alone or self._preemptions is not None)
        key = hash((self._world.state(), processes, self._crashes, alone, current.name if matters and current else ""))
        left = 0 if self._preemptions is None else self._preemptions
        if self._states.get(key, -1) >= left:
            return True
        self._states[key] = left
        return False

    def _alive(self) -> Iterator[Process]:
        return (each for each in self._processes.values() if not each.ended and not each.killed)

    def _kill(self, process: Process) -> None:
        process.killed = True
        successor = process.when_killed()
        if successor is not None:
            self.add(successor)

    def _give(self, process: Process) -> None:
        assert self._world is not None
        self._running = process
        if not process.begun:
            process.seen = hash(self._world.time())
            process.begun = True
            _Thread.start(lambda: self._live(process), process.gone)
        else:
            process.turn.release()

    def _live(self, process: Process) -> None:
        self._mine.process = process
        try:
            with suppress(Killed):
                process.work()
            process.ended = True
            if self._running is process and not self._over.is_set():
                self._hand_on()
        except Exception as failure:  # noqa: BLE001 - carried over to the thread that asked for the run
            self.failure = failure
            self._over.set()

    def _hand_on(self) -> None:
        chosen = self._chosen(None, alone=False)
        if chosen is not None:
            self._give(chosen)


def explore(
    build: Callable[[Schedule], World], *, crashes: int, preemptions: int | None, at_most: int = 10_000_000
) -> Explored:
    """Search all schedules of the world that `build` makes; stops at the first violation (an AssertionError)."""
    explored = Explored()
    stack: list[tuple[Decision, ...]] = [()]
    while stack and explored.schedules + explored.repeated < at_most:
        schedule = Schedule(stack.pop(), explored.states, crashes=crashes, preemptions=preemptions)
        world = build(schedule)
        try:
            schedule.run(world)
        except AssertionError as wrong:
            explored.violation = Violation(tuple(schedule.taken), tuple(map(_shown, schedule.calls)), str(wrong))
            break
        if schedule.failure is not None:
            raise schedule.failure
        explored.schedules += not schedule.repeats
        explored.repeated += schedule.repeats
        stack += schedule.alternatives
    return explored


class Intercepted:
    """An adapter whose every method is an AWS call under a schedule; `alone` and `free` name exceptions."""

    def __init__(
        self, adapter: Any, schedule: Schedule, *, alone: Callable[..., bool] = lambda *_: False, free: str = ""
    ) -> None:
        self._adapter = adapter
        self._schedule = schedule
        self._alone = alone
        self._free = free.split()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._adapter, name)
        if name in self._free:
            return method

        def call(*given: Any, **named: Any) -> Any:
            alone = self._alone(name, *given)
            return self._schedule.call(lambda: method(*given, **named), name, given, named, alone=alone)

        return call


def frozen(value: Any) -> Hashable:
    """Return something hashable that is equal for equal values."""
    if isinstance(value, dict):
        return tuple(sorted((key, frozen(each)) for key, each in value.items()))
    if isinstance(value, list):
        return tuple(map(frozen, value))
    if isinstance(value, Hashable):
        return value
    return repr(value)


def _goes_on(process: Process) -> tuple[Decision, Decision]:
    return (RUN, process.name), (CRASH, process.name)


def _shown(call: tuple[object, ...]) -> str:
    who, *what = (str(each)[:120] for each in call)
    return f"{who}: {' '.join(what)}"
