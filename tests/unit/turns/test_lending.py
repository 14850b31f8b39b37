"""Lending turns: never above the quota, guarantees kept within seconds, nothing idle, nobody starved."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitr.aws.lending import (
    GUARANTEED_SECONDS,
    GUARANTEED_TURNS,
    LENT_SECONDS,
    SLOWEST,
    Allotment,
    Line,
    Part,
    rate,
    slowed_down,
    take,
)

START = 1_000_000.0
SHARES = {Part.ACTIVATION: 5.88, Part.ENFORCEMENT: 2.94, Part.BULK: 0.98}
MANY = settings(max_examples=30, deadline=None, derandomize=True)
ALLOTMENTS = st.builds(
    lambda shares, quota: Allotment({part: quota * share / 100 for part, share in shares.items()}),
    st.sampled_from([dict(zip(Part, shares, strict=True)) for shares in ((60, 30, 10), (1, 98, 1), (34, 33, 33))]),
    st.floats(0.8, 500),
)


@dataclass
class Caller:
    """One container of a part: works from `begins` to `ends`, each call taking `seconds`, with turns in hand."""

    part: Part
    begins: float = 0.0
    ends: float = 60.0
    seconds: float = 0.1
    count: int = 1
    mine: list[float] = field(default_factory=list)


def calls(
    allotment: Allotment,
    callers: list[Caller],
    *,
    until: float = 60.0,
    line: Line | None = None,
    seen: Callable[[float, Line], None] = lambda _now, _line: None,
) -> Mapping[Part, list[float]]:
    """Let callers take turns as containers do, and return when each part's calls began, in seconds from the start."""
    line = line or Line()
    made: dict[Part, list[float]] = {part: [] for part in Part}
    due = [(caller.begins, number) for number, caller in enumerate(callers)]
    heapq.heapify(due)
    while due:
        at, number = heapq.heappop(due)
        caller = callers[number]
        if at >= min(until, caller.ends):
            continue
        if len(caller.mine) <= caller.count // 2:
            taken = take(line, allotment, caller.part, caller.count - len(caller.mine), now=START + at)
            line = taken.line
            seen(START + at, line)
            caller.mine += taken.turns
            if not caller.mine:
                assert taken.again_at > START + at - 1e-6
                heapq.heappush(due, (max(at + 1e-4, taken.again_at - START), number))
                continue
        begins = max(at, caller.mine.pop(0) - START)
        made[caller.part].append(begins)
        heapq.heappush(due, (begins + caller.seconds, number))
    return made


def most_in(times: list[float], seconds: float) -> int:
    """Return the most calls within any stretch of time."""
    ordered, first, most = sorted(times), 0, 0
    for last, at in enumerate(ordered):
        while ordered[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


CALLERS = st.lists(
    st.builds(
        Caller,
        part=st.sampled_from(list(Part)),
        begins=st.floats(0, 10),
        ends=st.floats(5, 20),
        seconds=st.floats(0, 0.5),
        count=st.integers(1, 12),
    ),
    min_size=1,
    max_size=8,
)


@MANY
@given(ALLOTMENTS, CALLERS)
def test_turns_are_never_closer_than_the_whole_quota(allotment: Allotment, callers: list[Caller]) -> None:
    """Whoever takes them, in whatever order: each turn has its place for itself."""
    turns: list[float] = []
    line, now = Line(), START
    for caller in callers * 3:
        taken = take(line, allotment, caller.part, caller.count, now=now)
        line, now = taken.line, now + caller.seconds
        turns += taken.turns
    interval = 1 / allotment.per_second
    assert all(later - earlier >= interval - 1e-6 for earlier, later in pairwise(turns))


@MANY
@given(ALLOTMENTS, CALLERS)
def test_nothing_is_taken_further_ahead_than_two_seconds(allotment: Allotment, callers: list[Caller]) -> None:
    """Or than the two turns that each part may always take: what is lent comes back within that time."""
    slow = [each for each in allotment.guaranteed.values() if each * GUARANTEED_SECONDS < GUARANTEED_TURNS]
    alone = (1 + GUARANTEED_TURNS * len(slow)) / allotment.per_second

    def seen(now: float, line: Line) -> None:
        assert line.taken_until - now <= LENT_SECONDS + GUARANTEED_SECONDS + alone + 1e-3

    calls(allotment, callers, until=20.0, seen=seen)


@MANY
@given(ALLOTMENTS, st.sampled_from(list(Part)), st.integers(1, 10))
def test_who_is_alone_has_the_whole_quota(allotment: Allotment, part: Part, count: int) -> None:
    """What the others do not use is lent, up to the last call."""
    seconds = max(20.0, 50 / allotment.per_second)
    made = calls(allotment, [Caller(part, ends=seconds, seconds=0, count=count)], until=seconds)[part]
    assert len(made) >= allotment.per_second * seconds * 0.99 - 1


@MANY
@given(ALLOTMENTS, st.sampled_from(list(Part)), st.integers(1, 5), st.integers(0, 5))
def test_a_guarantee_is_kept_against_any_number_of_others(
    allotment: Allotment, part: Part, others: int, more: int
) -> None:
    """From two seconds after it wants it, however greedy the others are and however long they were alone."""
    greedy = [Caller(each, seconds=0, ends=99) for each in Part if each is not part for _ in range(others)]
    guaranteed = allotment.guaranteed[part]
    wait, seconds = 2 + 2 / guaranteed, max(20.0, 20 / guaranteed)
    made = calls(
        allotment,
        [*greedy, Caller(part, begins=5.0, ends=1e9, seconds=0, count=allotment.in_hand(part) + more)],
        until=5 + wait + seconds,
    )
    mine = [each for each in made[part] if 5 + wait <= each < 5 + wait + seconds]
    assert len(mine) >= guaranteed * seconds * 0.97 - 2


def test_all_at_once_each_has_its_share_and_together_the_whole() -> None:
    """Activation 60, enforcement 30, bulk work 10 percent."""
    allotment = Allotment(SHARES)
    made = calls(allotment, [Caller(part, seconds=0.01, count=2) for part in Part for _ in range(10)])
    for part, share in SHARES.items():
        assert len(made[part]) == pytest.approx(60 * share, rel=0.05)
    assert sum(map(len, made.values())) == pytest.approx(60 * 9.8, rel=0.02)


def test_what_a_part_needs_only_in_part_is_lent_too() -> None:
    """Enforcement makes one call every two seconds: the rest of its share is not idle."""
    slow = Caller(Part.ENFORCEMENT, seconds=2.0)
    made = calls(Allotment(SHARES), [slow, *(Caller(Part.ACTIVATION, seconds=0.5) for _ in range(10))])
    assert len(made[Part.ACTIVATION]) >= 60 * (9.8 - 0.55) * 0.98
    assert max(later - earlier for earlier, later in pairwise(made[Part.ENFORCEMENT])) <= 4.5


def test_a_share_is_back_within_two_seconds() -> None:
    """Activation has everything; then enforcement comes, and has its share of the first ten seconds."""
    callers = [Caller(Part.ACTIVATION, seconds=0) for _ in range(10)]
    callers.append(Caller(Part.ENFORCEMENT, begins=30.0, seconds=0.09, count=4))
    made = calls(Allotment(SHARES), callers)[Part.ENFORCEMENT]
    assert made[0] <= 32.0
    assert len([each for each in made if each < 42.0]) >= 10 * SHARES[Part.ENFORCEMENT]


def test_who_was_idle_makes_no_burst() -> None:
    """In no second more calls than the quota has, and one."""
    made = calls(Allotment(SHARES), [Caller(part, begins=each, count=20) for part in Part for each in (0, 10, 30)])
    assert most_in([each for times in made.values() for each in times], 1.0) <= 11


# CAs


def test_a_cas_flood_leaves_the_others_their_share_and_takes_the_rest() -> None:
    """Of two that want everything each has half; of one that wants little, nothing is kept back."""
    allotment, line, had = Allotment(SHARES), Line(), {"a": 0, "b": 0}
    for step in range(6000):
        now = START + step / 100
        for ca in ("a", "a", "a", "a", "b"):
            taken = take(line, allotment, Part.ACTIVATION, 1, now=now, ca=ca)
            line = taken.line
            had[ca] += len(taken.turns)
    assert had["a"] + had["b"] >= 60 * 9.8 * 0.98
    assert had["b"] >= 0.45 * 60 * 9.8


def test_what_a_ca_had_alone_is_soon_forgotten() -> None:
    """Half an hour of everything, then another one comes: from then on they share."""
    allotment, line = Allotment(SHARES), Line()
    for step in range(1800):
        line = take(line, allotment, Part.ACTIVATION, 20, now=START + step, ca="a").line
    had = {"a": 0, "b": 0}
    for step in range(4000):
        for ca in ("b", "a"):
            taken = take(line, allotment, Part.ACTIVATION, 1, now=START + 1800 + step / 100, ca=ca)
            line = taken.line
            had[ca] += len(taken.turns)
    assert had["a"] >= 0.4 * 40 * 9.8


# Throttled


def slowed(*times: float) -> Line:
    """A line that was told of throttles at these times."""
    line = Line()
    for at in times:
        line = slowed_down(line, Allotment(SHARES), now=START + at)
    return line


def test_a_throttle_slows_everybody_down_and_passes() -> None:
    """At once by a quarter, half a minute later all is as before."""
    line, allotment = slowed(0), Allotment(SHARES)
    rates = [rate(line, allotment, START + at) for at in range(60)]
    assert rates[0] == pytest.approx(9.8 * 0.75)
    assert rates == sorted(rates)
    assert rates[26] == pytest.approx(9.8)


def test_throttles_of_one_moment_are_one() -> None:
    """Ten containers meet the same trouble."""
    assert slowed(*(each / 10 for each in range(10))) == slowed(0)
    assert rate(slowed(0, 2, 4), Allotment(SHARES), START + 4) < 9.8 * 0.6


def test_however_often_aws_throttles_somebody_still_asks() -> None:
    """Who never asks does not find out that it is over."""
    line, allotment = slowed(*range(1000)), Allotment(SHARES)
    assert rate(line, allotment, START + 1000) >= SLOWEST * 9.8
    made = calls(allotment, [Caller(part, seconds=0) for part in Part], line=line)
    assert all(len(made[part]) >= 1 for part in Part)
    assert rate(line, allotment, START + 5000) == pytest.approx(9.8)


def test_guarantees_are_of_what_is_left() -> None:
    """Others took half of the quota: everybody has half of its share."""
    line, allotment = slowed(0, 2, 4, 6), Allotment(SHARES)
    left = rate(line, allotment, START + 6)
    assert left < 6
    taken = take(line, allotment, Part.ENFORCEMENT, 100, now=START + 6)
    assert 2 <= len(taken.turns) <= left * LENT_SECONDS + 1
    assert taken.turns[1] - taken.turns[0] == pytest.approx(1 / left)


# Clocks


@pytest.mark.parametrize("ahead", [61.0, 86_400.0])
def test_a_clock_that_was_wrong_keeps_nobody_waiting(ahead: float) -> None:
    """Turns taken a day ahead are not believed, nor a throttle of tomorrow."""
    allotment = Allotment(SHARES)
    wrong = take(Line(), allotment, Part.BULK, 5, now=START + ahead).line
    wrong = slowed_down(wrong, allotment, now=START + ahead)
    assert take(wrong, allotment, Part.BULK, 1, now=START).turns == (START,)
    assert rate(wrong, allotment, START) == pytest.approx(9.8)
