"""The device's waits: capped, doubled, and jittered over their whole length."""

from __future__ import annotations

from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitr_local.device.back_off import BackOff
from tests.worlds.seeded import seeded


def test_limits_double_from_the_base_and_stop_at_the_cap() -> None:
    """2, 4, 8 … 60, 60: the limit never passes the cap."""
    assert [BackOff(base=2, cap=60, floor=0).limit(failures) for failures in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]


@given(
    failures=st.integers(min_value=1, max_value=100_000),
    seed=st.integers(),
    base=st.floats(min_value=0.001, max_value=10),
    factor=st.floats(min_value=1, max_value=1e6),
)
def test_no_wait_is_negative_or_beyond_its_limit(failures: int, seed: int, base: float, factor: float) -> None:
    """Any number of failures, however large, gives a wait between floor and limit, and the limit is at most the cap."""
    back_off = BackOff(base=base, cap=base * factor, floor=base * factor / 3)
    assert back_off.floor <= back_off.delay(failures, seeded(seed)) <= back_off.limit(failures) <= back_off.cap


def test_jitter_is_full() -> None:
    """Waits spread over the whole range, so that a fleet does not come back in step."""
    random = seeded(1)
    delays = [BackOff(base=8, cap=8, floor=0).delay(1, random) for _ in range(2000)]
    assert min(delays) < 0.2
    assert max(delays) > 7.8
    assert 3.7 < mean(delays) < 4.3


def test_one_seed_gives_one_sequence() -> None:
    """A seeded source makes a run repeatable."""
    first, second = ([BackOff().delay(n, random) for n in range(1, 9)] for random in (seeded(7), seeded(7)))
    assert list(first) == list(second)


@pytest.mark.parametrize(("base", "cap"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0)])
def test_impossible_waits_are_refused(base: float, cap: float) -> None:
    """A base of nothing, below nothing or above the cap is a mistake of whoever set it."""
    with pytest.raises(ValueError, match="0 < base <= cap"):
        BackOff(base=base, cap=cap, floor=0)


@pytest.mark.parametrize("floor", [-1.0, 61.0])
def test_a_floor_below_nothing_or_above_the_cap_is_refused(floor: float) -> None:
    """Nobody could wait so."""
    with pytest.raises(ValueError, match="0 <= floor <= cap"):
        BackOff(floor=floor)


def test_the_usual_device_waits_ten_seconds_and_never_in_step() -> None:
    """As AWS advises; the first waits have jitter too."""
    back_off, random = BackOff(), seeded(2)
    assert [back_off.limit(failures) for failures in range(1, 7)] == [20, 20, 20, 20, 32, 60]
    delays = [back_off.delay(1, random) for _ in range(500)]
    assert 10 <= min(delays) < 10.5
    assert 19.5 < max(delays) <= 20
