"""One pace for all bulk work of a deployment, however many functions are at work: its turns are in the state table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from jitr.aws.state_table import StateTable
from jitr.aws.turns import TurnLine

_LINE = "bulk-pace"
# How much time one write to the table reserves calls for; what a function that ends leaves unused is lost.
_RESERVED_SECONDS = 10.0


@dataclass
class SharedPace:
    """Lets calls through every `1 / per_second` seconds, counted over all who share the table.

    `now` is in epoch seconds, the same on all computers but for what their clocks differ; `sleep` takes seconds.
    """

    table: StateTable
    per_second: float
    now: Callable[[], float]
    sleep: Callable[[float], None]
    _mine: list[float] = field(default_factory=list)

    @cached_property
    def _line(self) -> TurnLine:
        return TurnLine(self.table, _LINE, self.per_second)

    def __call__(self) -> None:
        """Wait for the next turn; raises Undecided where the table does not answer."""
        now = self.now()
        # Turns that went by while somebody waited for AWS are not made up for.
        while not self._mine or self._mine[0] < now - self._line.interval:
            if self._mine:
                self._mine.pop(0)
            else:
                self._mine = self._reserved()
        self.sleep(max(0.0, self._mine.pop(0) - self.now()))

    def _reserved(self) -> list[float]:
        count = max(1, int(_RESERVED_SECONDS * self.per_second))
        while (turns := self._line.take(count, now=self.now())) is None:
            pass  # Two others were quicker.
        return turns
