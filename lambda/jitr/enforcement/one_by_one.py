"""Work on many items of which one must not end the loop: what fails is kept, and the others are done.

And work on many CAs of which one must not keep the others waiting: they take turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from jitr.errors import Undecided, as_undecided

# So many failures in a row are no longer one bad item's: AWS throttles, or does not answer.
IN_A_ROW = 10

T = TypeVar("T")


@dataclass(kw_only=True)
class OneByOne:
    """Does items one by one; `failed` is told of every failure but the first, which `raise_first` raises."""

    failed: Callable[[Undecided], None]
    failures: list[Undecided] = field(default_factory=list)
    _in_a_row: int = 0

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items, and end early after ten failures in a row."""
        for item in items:
            if self.has_given_up:
                return
            yield item

    @property
    def has_given_up(self) -> bool:
        """Return whether the last ten items failed."""
        return self._in_a_row >= IN_A_ROW

    def raise_if_given_up(self) -> None:
        """Raise the first failure where the work ended early."""
        if self.has_given_up:
            self.raise_first()

    @contextmanager
    def item(self, certificate_id: str | None = None) -> Iterator[None]:
        """Keep whatever goes wrong with one item, and name its certificate."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the next item is another one
            failure = as_undecided(error)
            failure.certificate_id = failure.certificate_id or certificate_id
            self.keep(failure)
        else:
            self._in_a_row = 0

    def keep(self, failure: Undecided) -> None:
        """Keep what went wrong with an item."""
        self._in_a_row += 1
        self.failures.append(failure)
        if len(self.failures) > 1:
            self.failed(failure)

    def raise_first(self) -> None:
        """Raise the first failure, if there was one."""
        if self.failures:
            raise self.failures[0]


def in_turns(turns: Iterable[Generator[None]], *, time_is_over: Callable[[], bool]) -> None:
    """Take a step of each in turn until all are done or the time is over: no CA waits for another one's pass."""
    waiting = deque(turns)
    while waiting and not time_is_over():
        turn = waiting.popleft()
        try:
            next(turn)
        except StopIteration:
            continue
        waiting.append(turn)
    for turn in waiting:
        turn.close()
