"""I1 under every schedule: a listed certificate never ends ACTIVE, and one that is not listed always does.

Each test searches all schedules of one scenario within a number of crashes, anywhere, and of preemptions (a process
that could go on has to wait): few in every run, more with `--race-depth=deep` (`make check-deep`), or as many as a
number says (`all` for no limit), then with one crash at least.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property

import pytest

from jitr.activation.examination import Examination
from jitr.activation.steps import LEASE, TIME_LIMIT, Activation
from jitr.crls.cache import CurrentCrl
from jitr.enforcement.sweep import SWEEP_LEASE, Enforcement
from jitr.registry.switching_off import SwitchingOff
from tests.worlds.odd_certificates import REPRESENTATIVES
from tests.worlds.race import HTTP, POINTING, RETRY_AFTER, S3, SERIAL, Scenario, blind, crl, world
from tests.worlds.race_search import Depth, RaceSearch

pytestmark = pytest.mark.race
OFF = frozenset({"INACTIVE", "REVOKED", "PENDING_ACTIVATION"})


def held() -> bytes:
    """A CRL with the device on hold: INACTIVE, from which AWS IoT lets a certificate become ACTIVE again."""
    return crl(SERIAL, number=2, hold=True)


def same_second() -> bytes:
    """A CRL without a number that lists nobody."""
    return crl(number=None)


def same_second_held() -> bytes:
    """Another one with the same thisUpdate, which RFC 5280 5.2.3 forbids, with the device on hold."""
    return crl(SERIAL, number=None, hold=True)


def another() -> bytes:
    """A CRL that lists another device."""
    return crl(5, number=2)


Case = tuple[Scenario, Depth]

# What may go wrong, and how deep `make check-deep` searches it.
LISTED: dict[str, Case] = {
    "revoked": (Scenario(expected=OFF), Depth(1, 1)),
    "on hold": (Scenario(after=held, expected=OFF), Depth(1, 1)),
    "on hold, the cache is not refreshed for a minute": (Scenario(source=HTTP, after=held, expected=OFF), Depth(1, 1)),
    "on hold, a killed activation is not delivered again": (
        Scenario(after=held, delivered_again=False, expected=OFF),
        Depth(1, 3),
    ),
    "on hold, two events, the lease ends at any time": (
        Scenario(after=held, activations=("one", "other"), delivered_again=False, pauses=(56,), expected=OFF),
        Depth(0, 1),
    ),
    "on hold, one event delivered twice at a time": (
        Scenario(after=held, activations=("one", "one"), expected=OFF),
        Depth(0, 2),
    ),
    "on hold, one event delivered twice at a time, neither again": (
        Scenario(after=held, activations=("one", "one"), delivered_again=False, expected=OFF),
        Depth(1, 2),
    ),
    "on hold, by a CRL of the same number and time": (
        Scenario(before=same_second, after=same_second_held, expected=OFF),
        Depth(0, 2),
    ),
    "on hold, two sweeps, a slow activation": (
        Scenario(after=held, sweeps=2, delivered_again=False, pauses=(6,), expected=OFF),
        Depth(0, 1),
    ),
}
BRAKED: dict[str, Case] = {
    "braked": (Scenario(delivered_again=False, expected=OFF), Depth(1, 2)),
    "braked, two sweeps, the cache is not refreshed for a minute": (
        Scenario(source=HTTP, sweeps=2, delivered_again=False, expected=OFF),
        Depth(0, 2),
    ),
}
NOT_LISTED: dict[str, Case] = {
    "one event": (Scenario(after=another, expected=frozenset({"ACTIVE"})), Depth(1, 1)),
    "two events, never delivered again": (
        Scenario(after=another, activations=("one", "other"), delivered_again=False, expected=frozenset({"ACTIVE"})),
        Depth(0, 1),
    ),
}


def assert_holds(search: RaceSearch, scenario: Scenario, deep: Depth) -> None:
    """Nothing goes wrong under any schedule, and there were many."""
    search.assert_holds(world(scenario), deep, at_least=400)


@pytest.mark.parametrize("case", LISTED)
def test_a_listed_certificate_never_ends_active(search: RaceSearch, case: str) -> None:
    """Whoever is faster, whoever dies, and whatever was cached."""
    assert_holds(search, *LISTED[case])


@pytest.mark.parametrize("case", BRAKED)
def test_a_braked_crl_switches_off_just_as_surely(
    search: RaceSearch, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A brake that one device trips: INACTIVE instead of REVOKED, under every schedule."""
    monkeypatch.setattr("jitr.enforcement.brake.SMALLEST_BRAKE", 0)
    assert_holds(search, *BRAKED[case])


@pytest.mark.parametrize("case", NOT_LISTED)
def test_a_certificate_that_is_not_listed_ends_active(search: RaceSearch, case: str) -> None:
    """No lease and no crash keeps a good device out for ever."""
    assert_holds(search, *NOT_LISTED[case])


@pytest.mark.parametrize("written", [*REPRESENTATIVES, POINTING])
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not listed"])
def test_however_a_certificate_is_written_it_ends_as_its_crl_says(
    search: RaceSearch, written: str, listed: bool
) -> None:
    """One of each kind of odd certificate: on hold it never ends ACTIVE, not listed it always does."""
    expected = OFF if listed else frozenset({"ACTIVE"})
    scenario = Scenario(written=written, after=held if listed else another, delivered_again=False, expected=expected)
    search.assert_holds(world(scenario), Depth(0, 2), at_least=40)


class WithoutSecondLook(Activation):
    """An activation that does not read the accepted version again (step 6)."""

    @cached_property
    def examination(self) -> Examination:
        """Steps 2 to 5a, in which no CRL is ever outdated."""
        return blind(super().examination)


class WithoutOnceMore(Enforcement):
    """A sweep that does not come back after open leases have ended (E7)."""

    def _once_more(self, off: SwitchingOff) -> None:
        """Do nothing."""


@pytest.mark.parametrize("source", [S3, HTTP])
def test_the_search_finds_what_step_6_is_for(search: RaceSearch, source: str) -> None:
    """Without its second look a certificate becomes ACTIVE that a sweep did not see."""
    scenario = Scenario(source=source, after=held, expected=OFF)
    violation = search.to(Depth(1, 2), world(scenario, activation=WithoutSecondLook)).violation
    assert violation is not None
    assert violation.wrong == "ended ACTIVE"


class OrderedExamination(Examination):
    """Compares number and thisUpdate, and not which CRL it is."""

    def is_outdated(self, used: CurrentCrl) -> bool:
        """Return whether a CRL with a higher number, or a later time, was accepted."""
        accepted = self.crls.versions.accepted(used.scope)
        return accepted is not None and used.version.goes_back_from(accepted)


class OrderAlone(Activation):
    """An activation whose second look compares number and thisUpdate, and not which CRL it is."""

    @cached_property
    def examination(self) -> Examination:
        """Steps 2 to 5a, with that second look."""
        return OrderedExamination(**vars(super().examination))


def test_the_search_finds_why_contents_are_compared(search: RaceSearch) -> None:
    """Without it a CRL replaced within a second lets in what the new one lists."""
    scenario = Scenario(before=same_second, after=same_second_held, expected=OFF)
    violation = search.to(Depth(0, 2), world(scenario, activation=OrderAlone)).violation
    assert violation is not None
    assert violation.wrong == "ended ACTIVE"


def test_the_search_finds_what_e7_is_for(search: RaceSearch) -> None:
    """Without it an activation that was on its way, and died, leaves a listed certificate ACTIVE."""
    scenario = Scenario(after=held, delivered_again=False, expected=OFF)
    violation = search.to(Depth(1, 2), world(scenario, enforcement=WithoutOnceMore)).violation
    assert violation is not None
    assert violation.wrong == "ended ACTIVE"


def test_leases_outlive_those_who_hold_them() -> None:
    """What the model takes for granted: no activation runs longer than its lease, no sweep longer than the scope's."""
    assert TIME_LIMIT < LEASE < RETRY_AFTER
    assert timedelta(minutes=15) < SWEEP_LEASE
