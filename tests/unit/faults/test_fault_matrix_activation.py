"""Fault matrix of the activation function: every fault of every call, and what follows, by I1 to I7."""

from __future__ import annotations

from functools import cache
from itertools import takewhile

import pytest

from tests.faults.machine.cloud import Cloud
from tests.faults.machine.counting import Count
from tests.faults.machine.injection import Call, Fault, places
from tests.faults.stories.activation_scenarios import SCENARIOS
from tests.faults.stories.activation_stories import Story, stories, tell
from tests.faults.stories.activations import Arranged, deliver, knock

# Scenarios that meet everything that may follow a fault, at each of their calls.
THOROUGHLY = ("renewed", "listed", "distribution_point")
# Calls that a scenario has in common with this one, up to where it leaves its way, are not met again.
FIRST = "cold_deployment"


@cache
def arranged(scenario: str) -> tuple[Arranged, list[Call]]:
    """A scenario, and the calls that one undisturbed delivery makes."""
    found = SCENARIOS[scenario]()
    cloud = found.begin()
    found.event = knock(cloud, found.device)
    found.keep(cloud)
    cloud.faults.end()
    way = deliver(cloud, found.event)
    return found, cloud.faults.calls[: len(cloud.faults.calls) // max(1, len(way.errors))]


def own_calls(scenario: str) -> int:
    """Return the number of the first call that may fail."""
    calls = arranged(scenario)[1]
    same = 0
    if scenario not in (*THOROUGHLY, FIRST):
        pairs = zip(calls, arranged(FIRST)[1], strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return min(same, len(calls) - 1) + 1


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_wherever_it_fails_it_ends_as_it_should(aws: Cloud, count: Count, scenario: str, fault: Fault) -> None:
    """One device, one fault; then retries, dead letters, late and double deliveries, and what happened meanwhile."""
    found, calls = arranged(scenario)
    first = own_calls(scenario)
    wrong = []
    for story in stories(fault, all_of_them=scenario in THOROUGHLY):
        for at in places(calls, fault, lasting=story is Story.LASTING):
            if at < first:
                continue
            told = tell(found, at, fault, story)
            count("direct activation")
            wrong += told.complaints
    assert not wrong, "\n".join(wrong)


def test_the_recording_run_finds_every_call_there_is(aws: Cloud) -> None:
    """Calls are not listed by hand; that many different ones are known to be made says that recording works."""
    operations = {str(call) for scenario in SCENARIOS for call in arranged(scenario)[1]}
    assert {"iot:UpdateCertificate", "iot:CreatePolicyVersion", "iot:UpdateThing", "s3:GetObject"} < operations
    assert len(operations) >= 17
