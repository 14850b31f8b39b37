"""Searches of a race as deep as the run is asked to, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from tests.worlds.interleaving import Explored, Schedule, World, explore
from tests.worlds.race import verify_once
from tests.worlds.race_depth import OPTION, PROPERTY


class Depth(NamedTuple):
    """How many crashes and preemptions (a process that could go on has to wait) a schedule may have; None: any."""

    crashes: int
    preemptions: int | None


def bounded(deep: Depth) -> tuple[Depth, ...]:
    """Return how deep every run searches what is searched to `deep` at times: one crash, or one preemption."""
    if deep.crashes:
        return Depth(1, 0), Depth(0, 1)
    return (Depth(0, 0 if deep.preemptions == 1 else 1),)


@dataclass
class RaceSearch:
    """Searches scenarios as deep as this run is asked to, and counts what it searched."""

    wanted: str
    counted: Counter[str]

    def assert_holds(self, build: Callable[[Schedule], World], deep: Depth, *, at_least: int) -> None:
        """Nothing goes wrong under any schedule; to `deep`, or further, there are at least so many of them."""
        found = [self.to(depth, build) for depth in self.depths(deep)]
        for each in found:
            assert each.violation is None, str(each.violation)
        searched = sum(each.schedules + each.repeated for each in found)
        assert searched > (20 if self.wanted == "bounded" else at_least)

    def depths(self, deep: Depth) -> tuple[Depth, ...]:
        """Return how deep to search a scenario that `make check-deep` searches to `deep`."""
        if self.wanted in ("bounded", "deep"):
            return bounded(deep) if self.wanted == "bounded" else (deep,)
        crashes = max(deep.crashes, 1)
        if self.wanted == "all":
            return (Depth(crashes, None),)
        return (Depth(crashes, max(deep.preemptions or 0, int(self.wanted))),)

    def to(self, depth: Depth, build: Callable[[Schedule], World]) -> Explored:
        """Search to this depth, and say how large the search was."""
        explored = explore(build, crashes=depth.crashes, preemptions=depth.preemptions)
        found = {"states": len(explored.states), "schedules": explored.schedules, "cut short": explored.repeated}
        self.counted.update(found, searches=1)
        print(", ".join(f"{number} {name}" for name, number in found.items()))  # noqa: T201
        return explored


@pytest.fixture
def search(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[RaceSearch]:
    """A search that verifies each CRL's signature once; the test's report carries what it searched."""
    verify_once(monkeypatch)
    found = RaceSearch(request.config.getoption(OPTION), Counter())
    yield found
    request.node.user_properties.append((PROPERTY, dict(found.counted)))
