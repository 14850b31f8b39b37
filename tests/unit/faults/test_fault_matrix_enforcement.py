"""Fault matrix of the enforcement function, for S3's event and the schedule: every fault of every call."""

from __future__ import annotations

from functools import cache

import pytest

from tests.faults.machine.cloud import Cloud
from tests.faults.machine.counting import Count
from tests.faults.machine.injection import Call, Fault, places
from tests.faults.stories.activations import enforcement_way
from tests.faults.stories.enforcement_stories import Story, stories, tell
from tests.faults.stories.enforcements import SCENARIOS, Swept


@cache
def arranged(scenario: str) -> Swept:
    """A scenario, made once."""
    return SCENARIOS[scenario]()


def calls_of(swept: Swept) -> list[Call]:
    """Return the calls of one undisturbed run."""
    aws = swept.arranged.begin()
    assert enforcement_way(aws).deliver(swept.event)
    return aws.faults.calls


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_whatever_fails_the_crl_is_enforced_in_the_end(
    aws: Cloud, count: Count, monkeypatch: pytest.MonkeyPatch, scenario: str, fault: Fault
) -> None:
    """Nobody listed stays ACTIVE, nobody else is switched off, and nothing is recorded before it is so."""
    swept = arranged(scenario)
    monkeypatch.setattr("jitr.enforcement.brake.SMALLEST_BRAKE", swept.brake)
    wrong = []
    calls = calls_of(swept)
    for story in stories(fault):
        for at in places(calls, fault, lasting=story is Story.LASTING):
            told = tell(swept, at, fault, story)
            count("enforcement")
            wrong += told.complaints
    assert not wrong, "\n".join(wrong)
