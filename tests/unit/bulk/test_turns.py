"""Turns at AWS IoT: all containers together keep to their share, and use nearly all of it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from jitr.aws.state_table import StateTable
from jitr.aws.turns import NoTurn, TurnLine, Turns
from jitr.errors import Undecided
from tests.aws.aws_faults import failing
from tests.worlds.deployment import TABLE, TestDeployment

START = 1_000_000.0


@dataclass
class Container:
    """A container with a clock of its own: it waits while others go on."""

    now: float
    turns: Turns = field(init=False)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def line(deployment: TestDeployment, per_second: float) -> TurnLine:
    """The line that all containers of a test share."""
    return TurnLine(StateTable(deployment.dynamodb, TABLE), "activation-pace", per_second)


def container(deployment: TestDeployment, per_second: float, at: float = START) -> Container:
    """A container whose clock begins at a time."""
    made = Container(at)
    made.turns = Turns(line(deployment, per_second), now=lambda: made.now, sleep=made.sleep)
    return made


def work(containers: list[Container], *, calls: int, batch: int, seconds_a_call: Callable[[int], float]) -> list[float]:
    """Let containers share work in batches, and return when each call began."""
    began: list[float] = []
    queue = [(each.now, number) for number, each in enumerate(containers)]
    while calls and queue:
        _, number = heapq.heappop(queue)
        one = containers[number]
        size = min(batch, calls)
        calls -= size
        one.turns.begin(size, latest=one.now + 30)
        for _ in range(size):
            one.turns()
            began.append(one.now)
            one.now += seconds_a_call(len(began))
        one.turns.end()
        heapq.heappush(queue, (one.now, number))
    return sorted(began)


@pytest.mark.parametrize(("per_second", "number"), [(6.0, 1), (6.0, 6), (60.0, 20), (0.5, 2)])
def test_containers_together_keep_to_the_share_and_use_it(
    deployment: TestDeployment, per_second: float, number: int
) -> None:
    """In no ten seconds more than the share and what one batch may lag behind; over all of it at least 97 percent."""
    calls = int(per_second * 60)
    batch = max(1, min(10, int(per_second * 15 / number)))
    quick = min(0.3, number / per_second / 2)
    began = work(
        [container(deployment, per_second) for _ in range(number)],
        calls=calls,
        batch=batch,
        seconds_a_call=lambda _: quick,
    )
    assert len(began) == calls
    for start in began[::7]:
        assert len([each for each in began if start <= each < start + 10]) <= per_second * 10 * 1.05 + batch
    assert calls / (began[-1] - began[0] + 1 / per_second) >= 0.97 * per_second


def test_slow_answers_cost_no_turns(deployment: TestDeployment) -> None:
    """A container that lags behind its turns uses them late; six of them still make the whole share."""
    containers = [container(deployment, 6.0) for _ in range(6)]
    began = work(containers, calls=1500, batch=10, seconds_a_call=lambda call: 0.9 if call % 3 else 0.1)
    assert 1500 / (began[-1] - began[0]) >= 0.97 * 6


def test_turns_that_are_left_over_serve_the_next_batch(deployment: TestDeployment) -> None:
    """Devices that turned out to need none leave them to others, if these come soon."""
    one = container(deployment, 10.0)
    one.turns.begin(5, latest=one.now + 30)
    one.turns()
    one.turns.end()
    one.turns.begin(3, latest=one.now + 30)
    for _ in range(3):
        one.turns()
    assert one.now == pytest.approx(START + 0.3)


def test_turns_that_went_by_long_ago_are_not_used(deployment: TestDeployment) -> None:
    """A container that Lambda froze makes no burst when it thaws."""
    one = container(deployment, 10.0)
    one.turns.begin(10, latest=one.now + 30)
    one.turns()
    one.now += 60
    one.turns.begin(10, latest=one.now + 30)
    times = []
    for _ in range(10):
        one.turns()
        times.append(one.now)
    assert times[-1] - times[0] == pytest.approx(0.9)


def test_who_cannot_wait_takes_nothing(deployment: TestDeployment) -> None:
    """Turns too late for an invocation stay with those who can use them."""
    first, late = container(deployment, 1.0), container(deployment, 1.0)
    first.turns.begin(20, latest=START + 30)
    first.turns()
    late.turns.begin(5, latest=START + 10)
    with pytest.raises(NoTurn):
        late.turns()
    assert late.now == START
    late.turns.begin(5, latest=START + 30)
    late.turns()
    assert late.now == pytest.approx(START + 20)


def test_who_can_wait_for_one_gets_one(deployment: TestDeployment) -> None:
    """A batch that does not fit in whole is not left without."""
    one = container(deployment, 1.0)
    one.turns.begin(10, latest=START + 2)
    for _ in range(3):
        one.turns()
    with pytest.raises(NoTurn):
        one.turns()


def test_outside_a_batch_nothing_is_paced(deployment: TestDeployment) -> None:
    """Single invocations are limited by how many run at once, and the table is not asked."""
    one = container(deployment, 0.001)
    with failing(deployment.dynamodb, "UpdateItem", "InternalServerError", 500):
        for _ in range(3):
            one.turns()
    assert one.now == START


def test_a_pause_keeps_everybody_waiting(deployment: TestDeployment) -> None:
    """One container was throttled; the others begin later too."""
    one, other = container(deployment, 10.0), container(deployment, 10.0)
    one.turns.slow_down(2.0)
    other.turns.begin(1, latest=START + 30)
    other.turns()
    assert other.now == pytest.approx(START + 2)


def test_pauses_do_not_add_up_without_end(deployment: TestDeployment) -> None:
    """However many are throttled at once, nobody is kept out for more than half a minute."""
    one = container(deployment, 10.0)
    for _ in range(100):
        one.turns.slow_down(2.0)
    one.turns.begin(1, latest=START + 40)
    one.turns()
    assert one.now <= START + 32


def test_a_clock_that_was_wrong_keeps_nobody_waiting(deployment: TestDeployment) -> None:
    """Turns taken a day ahead are not believed."""
    far = container(deployment, 6.0, at=START + 86_400)
    far.turns.begin(10, latest=far.now + 30)
    far.turns()
    one = container(deployment, 6.0)
    one.turns.begin(10, latest=START + 30)
    one.turns()
    assert one.now == START


def test_clocks_that_differ_share_one_line(deployment: TestDeployment) -> None:
    """Seconds of difference shift a container's beginning, not the spacing."""
    containers = [container(deployment, 6.0, at=START + skew) for skew in (-2.0, 0.0, 2.0)]
    began = work(containers, calls=300, batch=10, seconds_a_call=lambda _: 0.05)
    assert 300 / (began[-1] - began[0] + 4) <= 6.05


@pytest.mark.parametrize("per_second", [0.5, 6.0, 7.3, 600.0, 5000.0])
def test_turns_are_spaced_to_the_microsecond(deployment: TestDeployment, per_second: float) -> None:
    """Rounding costs no share, however small the interval."""
    one = line(deployment, per_second)
    first = one.take(10, now=START) or []
    second = one.take(10, now=START) or []
    assert first[0] == START
    assert second[0] - first[0] == pytest.approx(10 / per_second, abs=2e-6, rel=1e-6)


def test_a_table_that_does_not_answer_is_undecided(deployment: TestDeployment) -> None:
    """Without the line nobody knows what others do."""
    one = container(deployment, 6.0)
    one.turns.begin(1, latest=START + 30)
    with failing(deployment.dynamodb, "UpdateItem", "InternalServerError", 500), pytest.raises(Undecided) as caught:
        one.turns()
    assert not isinstance(caught.value, NoTurn)
