"""Turns at AWS IoT: one line in the state table, in which everybody who shares a part of a quota takes places.

A turn is a time from which on its owner may begin. The table keeps only until when turns are taken; taking some is one
write, however many functions are at work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from jitr.aws.state_table import Key, StateTable, number
from jitr.errors import Reason, Undecided

_MICROSECONDS = 1_000_000
_TAKEN = "taken_until_us"
# Whoever finds more than this (and two turns) taken in advance meets a clock that was wrong, and does not wait for it.
_LONGEST_WAIT_SECONDS = 60.0
# So long after its time a turn may still be used: a slow answer of AWS costs nobody a place, and there is no burst.
_USABLE_SECONDS = 5.0


class NoTurn(Undecided):
    """All turns that could be waited for are taken: nothing was asked of AWS IoT, and nothing is wrong."""

    def __init__(self) -> None:
        super().__init__(Reason.THROTTLED, "all turns at AWS IoT that this invocation could wait for are taken")


@dataclass(frozen=True)
class TurnLine:
    """The line of one part of a quota; `name` is its key in the table, times are in epoch seconds.

    Clocks may differ by what AWS's differ: turns are spaced by the table, and only their beginning by a clock.
    """

    table: StateTable
    name: str
    per_second: float

    @property
    def interval(self) -> float:
        """Return the seconds from one turn to the next."""
        return 1 / self.per_second

    def take(self, count: int, *, now: float, latest: float | None = None) -> list[float] | None:
        """Take the next `count` turns and return when they are; None, and nothing taken, if the last is after `latest`.

        None, too, where others were quicker twice. Raises Undecided where the table does not answer.
        """
        far = now + _LONGEST_WAIT_SECONDS + 2 * self.interval
        last = far if latest is None else min(far, latest - (count - 1) * self.interval)
        if last < now:
            return None
        start = self._behind_others(count, now, last)
        if start is None:
            start = self._at_once(count, now, far)
        if start is None:  # Somebody else was quicker with an idle line, or it is full.
            start = self._behind_others(count, now, last)
        return None if start is None else [start + each * self.interval for each in range(count)]

    def _behind_others(self, count: int, now: float, last: float) -> float | None:
        span = self._span(count)
        values = {":span": _number(span), ":now": _number(_us(now)), ":last": _number(_us(last))}
        condition = f"{_TAKEN} >= :now AND {_TAKEN} <= :last"
        line = self.table.update(self._key, f"ADD {_TAKEN} :span", values, condition=condition)
        return None if line is None else (number(line, _TAKEN) - span) / _MICROSECONDS

    def _at_once(self, count: int, now: float, far: float) -> float | None:
        values = {
            ":until": _number(_us(now) + self._span(count)),
            ":now": _number(_us(now)),
            ":far": _number(_us(far)),
        }
        condition = f"attribute_not_exists({_TAKEN}) OR {_TAKEN} < :now OR {_TAKEN} > :far"
        line = self.table.update(self._key, f"SET {_TAKEN} = :until", values, condition=condition)
        return None if line is None else now

    def _span(self, count: int) -> int:
        return round(count * self.interval * _MICROSECONDS)

    @property
    def _key(self) -> Key:
        return {"pk": {"S": self.name}, "sk": {"S": "pace"}}


@dataclass
class Turns:
    """One container's turns: taken for a batch at a time, used one by one, kept for the next batch if left over.

    Outside a batch nothing is paced: whoever invokes the function for single events limits how many run at once.
    """

    line: TurnLine
    now: Callable[[], float]
    sleep: Callable[[float], None]
    _mine: list[float] = field(default_factory=list)
    _expected: int = 0
    _latest: float | None = None

    def begin(self, expected: int, *, latest: float) -> None:
        """Begin a batch that needs about so many turns, none of them after `latest`."""
        self._expected, self._latest = expected, latest

    def end(self) -> None:
        """End the batch."""
        self._latest = None

    def __call__(self) -> None:
        """Wait for the next turn; raises NoTurn where there is none in time."""
        if self._latest is None:
            return
        turn = self._next(self._latest)
        self._expected -= 1
        self.sleep(max(0.0, turn - self.now()))

    def slow_down(self, seconds: float) -> None:
        """Let nobody begin for a while: AWS IoT has less to give than was reckoned with."""
        now = self.now()
        self._mine.clear()
        count = max(1, round(seconds * self.line.per_second))
        self.line.take(count, now=now, latest=now + _LONGEST_WAIT_SECONDS / 2)

    def _next(self, latest: float) -> float:
        now = self.now()
        while self._mine and self._mine[0] < now - _USABLE_SECONDS:
            self._mine.pop(0)
        if not self._mine:
            for count in sorted({max(1, self._expected), 1}, reverse=True):
                if taken := self.line.take(count, now=now, latest=latest):
                    self._mine = taken
                    break
        if not self._mine or self._mine[0] > latest:
            raise NoTurn
        return self._mine.pop(0)


def _us(seconds: float) -> int:
    return round(seconds * _MICROSECONDS)


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
