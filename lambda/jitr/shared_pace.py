"""One pace for all bulk work of a deployment, however many functions are at work: its turns are in the state table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from jitr.state_table import Key, StateTable, number

_KEY: Key = {"pk": {"S": "bulk-pace"}, "sk": {"S": "pace"}}
# How much time one write to the table reserves calls for; what a function that ends leaves unused is lost.
_RESERVED_SECONDS = 10.0
# Whoever finds more than this taken in advance meets a clock that was wrong, and does not wait for it.
_LONGEST_WAIT_SECONDS = 60.0


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

    def __call__(self) -> None:
        """Wait for the next turn; raises Undecided where the table does not answer."""
        now = self.now()
        # Turns that went by while somebody waited for AWS are not made up for.
        while not self._mine or self._mine[0] < now - 1 / self.per_second:
            if self._mine:
                self._mine.pop(0)
            else:
                self._reserve()
        self.sleep(max(0.0, self._mine.pop(0) - self.now()))

    def _reserve(self) -> None:
        interval = 1 / self.per_second
        count = max(1, int(_RESERVED_SECONDS / interval))
        while True:
            taken = number(self.table.get(_KEY) or {}, "taken_until_ms")
            now = self.now()
            longest = max(_LONGEST_WAIT_SECONDS, 2 * interval)
            start = now if taken / 1000 > now + longest else max(now, taken / 1000)
            values = {":until": {"N": str(round((start + count * interval) * 1000))}, ":seen": {"N": str(taken)}}
            condition = "attribute_not_exists(taken_until_ms) OR taken_until_ms = :seen"
            if self.table.update(_KEY, "SET taken_until_ms = :until", values, condition=condition) is not None:
                self._mine = [start + each * interval for each in range(count)]
                return
