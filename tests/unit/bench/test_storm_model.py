"""The model behind `jitr plan`: what must hold for every storm, and that it foretells what bench/storm measures."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.storm.figures import Storm
from bench.storm.scenario import Mode, Scenario
from bench.storm.storm import run
from jitr_fleet.deployments.deployment import Ingestion
from jitr_fleet.storms.arrivals import Arrival, Knocks
from jitr_fleet.storms.model import AWS_QUOTAS, Capacity, Course
from jitr_fleet.storms.plan import StormQuestion, make_plan
from jitr_local.device.back_off import BackOff
from tests.worlds.seeded import seeded

WAITS = BackOff(floor=0.0).waits
INGESTIONS = st.sampled_from(list(Ingestion))
FEW = settings(max_examples=12, deadline=None, derandomize=True)


def course(devices: int, ingestion: Ingestion, *, over: float = 1.0, poisson: bool = False, quota: int = 10) -> Course:
    """Simulate one storm."""
    arrival = Arrival(devices=devices, over=over, poisson=poisson)
    return StormQuestion(arrival=arrival, waits=WAITS, ingestion=ingestion, quota=quota).course()


@FEW
@given(st.integers(1, 2000), st.floats(0.5, 900), INGESTIONS, st.booleans())
def test_no_device_is_lost_or_invented(devices: int, over: float, ingestion: Ingestion, poisson: bool) -> None:
    """Whoever has come is ACTIVE or pending, at every step; in the end all are ACTIVE."""
    storm = course(devices, ingestion, over=over, poisson=poisson)
    arrived = 0.0
    counts = Arrival(devices=devices, over=over, poisson=poisson).counts(storm.step)
    for active, pending in zip(storm.active, storm.pending, strict=True):
        arrived += next(counts, 0.0)
        assert active + pending == pytest.approx(arrived, abs=1e-3 * devices + 1e-3)
    assert storm.active[-1] == pytest.approx(devices, abs=0.51)


@FEW
@given(st.integers(1, 2000), st.integers(1, 300), INGESTIONS)
def test_no_storm_is_faster_than_its_quota_or_its_devices(devices: int, quota: int, ingestion: Ingestion) -> None:
    """The bound holds in every mode; a step and a turn saved up are all that may be between."""
    storm = course(devices, ingestion, over=30.0, quota=quota)
    capacity = StormQuestion(arrival=Arrival(devices=devices), waits=WAITS, quota=quota).capacity
    if ingestion is Ingestion.QUEUE:
        assert storm.time_to(1.0) >= (devices - 2) / capacity.per_second - storm.step
    assert storm.time_to(1.0) >= 30.0 * (devices - 1) / devices - storm.step


@FEW
@given(st.integers(1, 1500), st.integers(2, 4), INGESTIONS)
def test_more_devices_take_longer_and_call_more(devices: int, times: int, ingestion: Ingestion) -> None:
    """A larger fleet that arrives in the same time is never done earlier."""
    smaller, larger = course(devices, ingestion), course(devices * times, ingestion)
    assert larger.time_to(1.0) >= smaller.time_to(1.0) - larger.step
    assert larger.events > smaller.events
    assert all(larger.calls[api] > smaller.calls[api] for api in AWS_QUOTAS)


@FEW
@given(st.integers(100, 2000), INGESTIONS)
def test_a_larger_quota_never_takes_longer(devices: int, ingestion: Ingestion) -> None:
    """Twice the quota, with what the stack derives from it, is at most as slow."""
    assert course(devices, ingestion, quota=20).time_to(1.0) <= course(devices, ingestion, quota=10).time_to(1.0)


@pytest.mark.parametrize("ingestion", list(Ingestion), ids=str)
def test_ten_million_devices_take_no_more_steps_than_ten_thousand(ingestion: Ingestion) -> None:
    """Work and memory are bounded by steps and cohorts, not by devices."""
    storm = course(10_000_000, ingestion)
    capacity = StormQuestion(arrival=Arrival(devices=1), waits=WAITS, ingestion=ingestion).capacity
    assert len(storm.active) < 10_000
    assert storm.time_to(1.0) == pytest.approx(10_000_000 / capacity.per_second, rel=0.4)


def test_devices_knock_as_often_as_their_back_off_says() -> None:
    """The curve of further knocks is that of the reference device's own waits."""
    knocks, back_off, random = Knocks(WAITS), BackOff(floor=0.0), seeded(5)
    assert knocks.by(0) == 0
    for age in (2.0, 20.0, 200.0, 2000.0):
        made = 0
        for _ in range(400):
            at, failures = 0.0, 1
            while (at := at + 0.3 + back_off.delay(failures, random)) <= age:
                made, failures = made + 1, failures + 1
        assert knocks.by(age) == pytest.approx(made / 400, rel=0.15)


@pytest.mark.parametrize("poisson", [False, True], ids=["evenly", "poisson"])
def test_all_devices_arrive_in_about_their_time(poisson: bool) -> None:
    """As many as were said, the same in every run."""
    arrival = Arrival(devices=1000, over=100.0, poisson=poisson)
    counts = list(arrival.counts(0.5))
    assert sum(counts) == pytest.approx(1000)
    assert len(counts) * 0.5 == pytest.approx(100.0, rel=0.15)
    assert counts == list(arrival.counts(0.5))


def test_devices_that_wait_longer_knock_less() -> None:
    """A longer cap takes load away, and costs no device its turn."""
    patient = replace(
        StormQuestion(arrival=Arrival(devices=10_000), waits=WAITS), waits=BackOff(cap=600.0, floor=0.0).waits
    )
    usual = replace(patient, waits=WAITS)
    assert patient.course().events < usual.course().events / 2
    assert patient.course().time_to(1.0) == pytest.approx(usual.course().time_to(1.0), rel=0.05)


def test_the_scarcest_quotas_are_named_first() -> None:
    """Raising AttachPolicy alone would bring nothing."""
    plan = make_plan(StormQuestion(arrival=Arrival(devices=5000), waits=WAITS))
    assert list(plan.raise_first) == ["DescribeCertificate", "UpdateCertificate", "AttachPolicy"]
    assert plan.raised == pytest.approx(plan.course.time_to(1.0) / 2, rel=0.1)


def test_no_quota_is_named_where_the_arrival_decides() -> None:
    """Devices that come slower than the share allows gain nothing from a larger one."""
    assert not make_plan(StormQuestion(arrival=Arrival(devices=600, over=1000.0), waits=WAITS)).raise_first


def test_a_quota_below_the_default_is_taken_at_its_word() -> None:
    """An account may have less than AWS's default, for one of the calls."""
    assert StormQuestion(arrival=Arrival(devices=1), waits=WAITS, quota=5).capacity.per_second == pytest.approx(4.8)
    assert Capacity().per_second == pytest.approx(9.8)


# Against the real function code


@cache
def measured(devices: int, mode: Mode, over: float) -> Storm:
    """Let a storm pass over the real function, on the virtual clock."""
    return run(Scenario(devices=devices, mode=mode, over_seconds=over))


@pytest.mark.parametrize(
    ("devices", "mode", "over", "tolerance"),
    [
        pytest.param(100, Mode.QUEUE, 1.0, 0.2, id="queue-100"),
        pytest.param(1000, Mode.QUEUE, 1.0, 0.05, id="queue-1000"),
        pytest.param(600, Mode.QUEUE, 49.0, 0.15, id="queue-600-slowly"),
        pytest.param(100, Mode.DIRECT, 1.0, 0.35, id="direct-100"),
        pytest.param(1000, Mode.DIRECT, 1.0, 0.15, id="direct-1000"),
    ],
)
def test_the_model_foretells_what_the_function_does(devices: int, mode: Mode, over: float, tolerance: float) -> None:
    """Time until all are ACTIVE within the tolerance; knocks, calls and the queue's peak within a quarter."""
    storm = measured(devices, mode, over)
    told = course(devices, Ingestion(mode.value), over=over)
    assert told.time_to(1.0) == pytest.approx(storm.seconds, rel=tolerance)
    assert told.events == pytest.approx(storm.events, rel=0.25)
    assert told.peak_queue == pytest.approx(storm.peak_queue, rel=0.25)
    calls = sum(storm.calls[api] for api in AWS_QUOTAS)
    assert sum(told.calls.values()) == pytest.approx(calls, rel=0.25)


def test_the_models_own_growth_is_steady() -> None:
    """Ten times the devices are ten times the time, once the start no longer counts."""
    times = [course(10**power, Ingestion.QUEUE).time_to(1.0) for power in range(3, 8)]
    assert all(later / earlier == pytest.approx(10, rel=0.05) for earlier, later in pairwise(times))
