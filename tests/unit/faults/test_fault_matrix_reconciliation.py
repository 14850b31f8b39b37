"""Fault matrix of the passes over a CA's certificates: every fault of every call that they make."""

from __future__ import annotations

from functools import cache

import pytest

from tests.faults.machine.cloud import Cloud
from tests.faults.machine.counting import Count
from tests.faults.machine.injection import EVERYWHERE, Call, Fault, places
from tests.faults.stories.activations import SCHEDULE, enforcement_way
from tests.faults.stories.reconciliations import SCENARIOS, Compared, Story, stories, tell


@cache
def arranged(scenario: str) -> Compared:
    """A scenario, made once."""
    return SCENARIOS[scenario]()


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of two, and nothing found before the passes look."""
    monkeypatch.setattr("jitr.aws.iot.certificates._LARGEST_PAGE", 2)
    monkeypatch.setattr("jitr.handlers.enforce.NEWEST", 0)


def calls_of(compared: Compared) -> tuple[list[Call], range]:
    """Return the calls of one undisturbed run, and which of them (from 1) are the passes' own."""
    aws = compared.arranged.begin()
    assert enforcement_way(aws).deliver(SCHEDULE)
    calls = aws.faults.calls
    # A pass begins with where it is and its lease; behind the last one the policies are compared.
    first, last = calls.index(Call("iot", "ListCertificatesByCA")) - 1, calls.index(Call("iot", "GetPolicy"))
    return calls, range(first, last + 1)


# All refusals are one and the same to a pass: it goes on with the next schedule.
@pytest.mark.parametrize("fault", EVERYWHERE)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_whatever_fails_desired_and_actual_state_agree_in_the_end(
    aws: Cloud, count: Count, scenario: str, fault: Fault
) -> None:
    """With the next schedules, not a day later; and a brake that was interrupted is still a brake."""
    compared = arranged(scenario)
    calls, own = calls_of(compared)
    wrong = []
    for story in stories(fault):
        for at in places(calls, fault, lasting=story is Story.LASTING):
            if at in own:
                told = tell(compared, at, fault, story)
                count("reconciliation")
                wrong += told.complaints
    assert not wrong, "\n".join(wrong)
