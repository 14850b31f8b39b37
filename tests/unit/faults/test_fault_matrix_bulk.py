"""Fault matrix of the bulk function: every fault of every call of every kind of job."""

from __future__ import annotations

from functools import cache

import pytest

from tests.faults.machine.cloud import Cloud
from tests.faults.machine.counting import Count
from tests.faults.machine.injection import Fault, places
from tests.faults.stories.bulk_jobs import JOBS, Ordered, calls_of, tell


@cache
def arranged(job: str) -> Ordered:
    """A job, made once."""
    return JOBS[job]()


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three and a write after every two: few certificates then show everything."""
    monkeypatch.setattr("jitr.aws.iot.certificates._LARGEST_PAGE", 3)
    monkeypatch.setattr("jitr.bulk.jobs.LISTED_AT_ONCE", 3)
    monkeypatch.setattr("jitr.bulk.work._WRITE_EVERY", 2)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("job", JOBS)
def test_whatever_fails_the_job_ends_as_ordered(aws: Cloud, count: Count, job: str, fault: Fault) -> None:
    """One fault is made good by the queue; a lasting one leaves a job that can be resumed. Each is counted once."""
    ordered = arranged(job)
    calls = calls_of(ordered)
    wrong = []
    for lasting in (False, True):
        for at in places(calls, fault, lasting=lasting):
            told = tell(ordered, at, fault, lasting=lasting)
            count("bulk work")
            wrong += told.complaints
    assert not wrong, "\n".join(wrong)
