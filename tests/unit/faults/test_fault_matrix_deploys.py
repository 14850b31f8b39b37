"""Fault matrix of the two functions behind custom resources, the answer to CloudFormation among their calls."""

from __future__ import annotations

from functools import cache

import pytest

from tests.faults.machine.cloud import Cloud
from tests.faults.machine.counting import Count
from tests.faults.machine.injection import Fault
from tests.faults.stories.deploys import DEPLOYS, Deploy, tell

FUNCTIONS = {"first_roll_out": "policy roll-out", "edited": "policy roll-out"}


@cache
def arranged(deploy: str) -> tuple[Deploy, int]:
    """A deploy, and how many calls it makes if nothing goes wrong."""
    found = DEPLOYS[deploy]()
    aws, way = found.begin()
    assert way.deliver(found.event)
    (answer,) = aws.account.resource_answers
    assert answer["Status"] == ("FAILED" if found.must_fail else "SUCCESS"), answer
    assert ([] if found.must_fail else list(found.judged(aws, answer))) == []
    return found, len(aws.faults.calls)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("deploy", DEPLOYS)
def test_whatever_fails_the_deploy_is_done_or_rolled_back(aws: Cloud, count: Count, deploy: str, fault: Fault) -> None:
    """All policies new or all old; no wrong attribute, no CA let go by mistake, and no deploy that waits in vain."""
    found, calls = arranged(deploy)
    wrong = []
    for lasting in (False, True):
        for at in range(1, calls + 1):
            told = tell(found, at, fault, lasting=lasting)
            count(FUNCTIONS.get(deploy, "authorities"))
            wrong += told.complaints
    assert not wrong, "\n".join(wrong)
