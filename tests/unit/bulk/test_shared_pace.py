"""One pace for all bulk work: two functions together make no more calls than the share."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from jitr.aws.shared_pace import SharedPace
from jitr.aws.state_table import StateTable
from tests.worlds.deployment import TABLE, TestDeployment


@dataclass
class Time:
    """One clock for all; `made` are the times of all calls."""

    now: float = 1_000_000.0
    made: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Container:
    """A function that makes calls; its own time goes on while others wait."""

    pace: SharedPace
    time: Time

    def call(self) -> float:
        self.pace()
        self.time.made.append(self.time.now)
        return self.time.now


def container(deployment: TestDeployment, per_second: float, *, at: float = 1_000_000.0) -> Container:
    """A container whose clock begins at a time."""
    time = Time(at)
    table = StateTable(deployment.dynamodb, TABLE)
    return Container(SharedPace(table, per_second, now=lambda: time.now, sleep=time.sleep), time)


@pytest.mark.parametrize("per_second", [0.1, 1.0, 4.0, 100.0])
def test_one_function_makes_calls_at_the_pace(deployment: TestDeployment, per_second: float) -> None:
    """The whole share is its own, the first call at once."""
    one = container(deployment, per_second)
    times = [one.call() for _ in range(50)]
    assert times[0] == 1_000_000.0
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == pytest.approx([1 / per_second] * 49, abs=0.002)


def test_two_functions_together_stay_in_the_share(deployment: TestDeployment) -> None:
    """In any ten seconds no more calls than the share, over a minute nearly all of it."""
    one, other = container(deployment, 2.0), container(deployment, 2.0)
    while min(one.time.now, other.time.now) < 1_000_060:
        (one if one.time.now <= other.time.now else other).call()
    made = sorted(one.time.made + other.time.made)
    for start in made:
        assert len([each for each in made if start <= each < start + 10]) <= 21
    assert len([each for each in made if each < 1_000_060]) >= 100


def test_turns_that_went_by_are_not_made_up_for(deployment: TestDeployment) -> None:
    """After a slow answer of AWS there is no burst."""
    one = container(deployment, 1.0)
    one.call()
    one.time.now += 5.5
    times = [one.call() for _ in range(3)]
    assert times[-1] - times[0] >= 1.5


def test_a_clock_that_was_wrong_keeps_nobody_waiting(deployment: TestDeployment) -> None:
    """Turns taken a day ahead are not believed."""
    container(deployment, 1.0, at=1_000_000.0 + 86_400).call()
    one = container(deployment, 1.0)
    assert one.call() == 1_000_000.0


def test_writes_to_the_table_are_few(deployment: TestDeployment) -> None:
    """One for ten seconds, however many calls these are, and one more that finds the line idle."""
    written = []
    deployment.dynamodb.meta.events.register("after-call.dynamodb.UpdateItem", lambda **_: written.append(1))
    one = container(deployment, 10.0)
    for _ in range(300):
        one.call()
    assert len(written) == 4
