"""Time that passes only when all processes wait: the real, blocking code runs in hours of it within seconds.

A process is a thread, but only one of them runs at a time, and only until it sleeps; then whoever is due first goes on.
So a run depends on its seed and not on the machine.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

_FOREVER = float("inf")


class Ended(BaseException):
    """The run is over: nothing that catches Exception may go on after it."""


class TimedOut(BaseException):
    """The process has used up its time, as a function that Lambda kills."""


def taken() -> threading.Lock:
    """Return a lock that another thread has to release first: to wait for one's turn, and quicker than a semaphore."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class Process:
    """One line of blocking code; `deadline` is the time at which it is killed."""

    work: Callable[[], None]
    deadline: float = _FOREVER
    turn: threading.Lock = field(default_factory=taken)
    over: bool = False


class VirtualTime:
    """Seconds since the beginning in `now`; `sleep` is for processes, `after` for everything else."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._returned = taken()
        self._current: Process | None = None
        self._processes: list[Process] = []
        self._failure: BaseException | None = None
        self._ending = False

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen that does not sleep itself."""
        heapq.heappush(self._due, (self.now + seconds, next(self._numbers), action))

    def start(self, work: Callable[[], None]) -> Process:
        """Start a process now; what it raises ends the run."""
        process = Process(work)
        self._processes.append(process)
        threading.Thread(target=self._live, args=(process,), daemon=True).start()
        self.after(0, lambda: self._hand_to(process))
        return process

    def sleep(self, seconds: float) -> None:
        """Let other things happen for so long; raises TimedOut, once, where the process has less time left."""
        process = self._running()
        until, deadline = self.now + max(0.0, seconds), process.deadline
        if until >= deadline:
            process.deadline = _FOREVER
            self._sleep_until(deadline, process)
            raise TimedOut
        self._sleep_until(until, process)

    def park(self) -> None:
        """Stop until another process wakes this one."""
        self._give_back(self._running())

    def wake(self, process: Process) -> None:
        """Let a parked process go on, once whoever runs now has stopped."""
        self.after(0, lambda: self._hand_to(process))

    def limit(self, seconds: float) -> None:
        """Give the running process so many seconds from now on; infinity takes the limit away."""
        self._running().deadline = self.now + seconds

    def left(self) -> float:
        """Return how many seconds the running process has left."""
        return self._running().deadline - self.now

    @property
    def running(self) -> Process:
        """Return the process that runs now."""
        return self._running()

    def run(self, *, until: float, done: Callable[[], bool] = lambda: False) -> None:
        """Let everything happen up to a time, or until `done`; processes end with it."""
        try:
            while self._due and self._due[0][0] <= until and not done():
                self.now, _, action = heapq.heappop(self._due)
                action()
                if self._failure is not None:
                    raise self._failure
        finally:
            self._ending = True
            for process in self._processes:
                if not process.over:
                    self._hand_to(process)

    def _running(self) -> Process:
        if self._current is None:
            raise RuntimeError("only a process can sleep")
        return self._current

    def _sleep_until(self, until: float, process: Process) -> None:
        if not self._due or self._due[0][0] > until:
            # Nobody else is due before: no need to change threads.
            self.now = until
            return
        heapq.heappush(self._due, (until, next(self._numbers), lambda: self._hand_to(process)))
        self._give_back(process)

    def _hand_to(self, process: Process) -> None:
        self._current = process
        process.turn.release()
        self._returned.acquire()
        self._current = None

    def _give_back(self, process: Process) -> None:
        self._returned.release()
        process.turn.acquire()
        if self._ending:
            raise Ended

    def _live(self, process: Process) -> None:
        process.turn.acquire()
        try:
            if not self._ending:
                process.work()
        except Ended:
            pass
        except BaseException as failure:  # noqa: BLE001 - told to whoever runs the time
            self._failure = failure
        finally:
            process.over = True
            self._returned.release()
