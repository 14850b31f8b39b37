"""One CA's trouble delays another CA's devices by seconds: the real function on the virtual clock."""

from __future__ import annotations

import pytest

from bench.storm.isolation import Isolation, run_isolated
from bench.storm.scenario import Scenario
from bench.storm.storm import run


@pytest.mark.parametrize("crowd", [100, 600])
def test_devices_that_are_held_cost_the_others_no_turn(crowd: int) -> None:
    """They knock and knock; a good device of another CA is in after about a second, and only it was asked about."""
    found = run_isolated(Isolation(crowd=crowd, good=10, over_seconds=30.0))
    assert found.wait(50) <= 1.5
    assert found.wait(100) <= 15
    assert found.described == 10
    assert (found.dead_letters, found.crowd_active_at) == (0, [])


def test_a_ca_that_is_resumed_comes_in_without_crowding_out_the_others() -> None:
    """Its devices become ACTIVE at the quota's pace, and another CA's one a second wait for seconds."""
    found = run_isolated(Isolation(crowd=150, good=60, over_seconds=60.0, resumed_after=15.0))
    assert len(found.crowd_active_at) == 150
    assert min(found.crowd_active_at) >= 15
    assert found.wait(50) <= 3
    assert found.wait(99) <= 15
    assert found.dead_letters == 0


def test_enforcement_has_its_share_of_a_storm_and_activation_the_rest() -> None:
    """Each at least what it is guaranteed, together nearly the whole quota."""
    storm = run(Scenario(devices=200, revoking=60))
    assert (storm.activated, storm.lost, storm.dead_letters) == (200, 0, 0)
    assert len(storm.revocations) == 60
    assert storm.revoked_per_second >= 2.94 * 0.9
    assert storm.per_second >= 5.88
    assert storm.throttled_share <= 0.01


def test_others_who_use_the_quota_without_a_word_are_made_room_for() -> None:
    """Four of ten calls a second are somebody else's: few calls are throttled, and most of the rest is used."""
    storm = run(Scenario(devices=200, others=4.0))
    assert (storm.activated, storm.lost, storm.dead_letters) == (200, 0, 0)
    assert storm.throttled_share <= 0.08  # at 200 devices the start counts; `make bench-storm` shows more
    assert storm.per_second >= 4.2
