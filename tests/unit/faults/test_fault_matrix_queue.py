"""Fault matrix of the activation function behind its queue: every fault of every call of a mixed batch."""

from __future__ import annotations

from functools import cache

import pytest

from tests.faults.machine.cloud import Cloud
from tests.faults.machine.counting import Count
from tests.faults.machine.injection import Fault, places
from tests.faults.stories.queue_stories import Batch, batch, begin, tell


@cache
def arranged() -> Batch:
    """The batch, with the calls until the queue is empty if nothing goes wrong."""
    found = batch()
    aws, way = begin(found)
    assert way.work()
    found.calls = tuple(aws.faults.calls)
    return found


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("fault", Fault)
def test_whatever_fails_nobody_in_the_batch_is_lost(aws: Cloud, count: Count, fault: Fault, lasting: bool) -> None:
    """Each device decided as it should be, or waiting, or a dead letter with reason and step."""
    wrong = []
    calls = arranged().calls
    for at in places(calls, fault, lasting=lasting):
        told = tell(arranged(), at, fault, lasting=lasting)
        count("queued activation")
        wrong += told.complaints
    assert not wrong, "\n".join(wrong)
