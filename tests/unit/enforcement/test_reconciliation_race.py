"""Desired and actual state while others decide: under every schedule, what is off does not stay ACTIVE.

As in test_activation_enforcement_race.py, all schedules of a scenario are searched within a number of crashes and
preemptions; --race-depth makes the searches larger. A device is off by its row, somebody sets it ACTIVE in the console,
and passes run while CRLs, operators, jobs and late events decide about it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from jitr.aws.iot import CertificateStatus
from jitr.enforcement.brake import Brake
from jitr.registry.row import RegistryRow
from jitr.registry.switching_off import Marked, SwitchingOff
from tests.worlds.race import SERIAL, crl
from tests.worlds.race_passes import ACTIVE, INACTIVE, Reconciled, scheduled
from tests.worlds.race_search import Depth, RaceSearch

pytestmark = pytest.mark.race
OFF = frozenset({"INACTIVE", "REVOKED"})
ON = frozenset({"ACTIVE"})


def another() -> bytes:
    """A CRL that lists another device."""
    return crl(5, number=4)


def held_again() -> bytes:
    """A CRL that puts the device on hold again."""
    return crl(SERIAL, number=4, hold=True)


def revoked() -> bytes:
    """The CRL that revoked the device, published again."""
    return crl(SERIAL, number=4)


CASES: dict[str, tuple[Reconciled, Depth]] = {
    "a late event": (Reconciled(after=another, activations=("event",), expected=OFF), Depth(1, 1)),
    "on hold again, a sweep": (Reconciled(after=held_again, sweeps=1, expected=OFF), Depth(1, 2)),
    "two passes, one slow": (Reconciled(after=another, passes=2, pauses=(961,), expected=OFF), Depth(0, 1)),
    "an operator brings it back": (
        Reconciled(after=another, operators=1, console=(ACTIVE, INACTIVE), expected=ON),
        Depth(0, 2),
    ),
    "an operator brings it back, on hold again": (
        Reconciled(after=held_again, operators=1, sweeps=1, expected=OFF),
        Depth(0, 1),
    ),
    "a job is undone": (
        Reconciled(after=another, by_job=True, undone=True, console=(), expected=ON),
        Depth(1, 2),
    ),
    "a job switched it off": (Reconciled(after=another, by_job=True, expected=OFF), Depth(1, 2)),
    "registered again": (
        Reconciled(after=revoked, registered_again=True, console=(), passes=2, expected=frozenset({"REVOKED"})),
        Depth(1, 2),
    ),
    "registered again, braked": (
        Reconciled(
            after=revoked,
            registered_again=True,
            console=(),
            passes=2,
            brake=Brake(devices=0),
            expected=frozenset({"INACTIVE"}),
        ),
        Depth(1, 2),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_off_does_not_stay_active_and_what_comes_back_stays(search: RaceSearch, case: str) -> None:
    """Whoever is faster, and whoever dies."""
    scenario, deep = CASES[case]
    search.assert_holds(partial(scheduled, scenario), deep, at_least=40)


class Unmarked(SwitchingOff):
    """Switching off without a mark in the row."""

    def mark(self, row: RegistryRow, wanted: CertificateStatus, **_: Any) -> Marked | None:
        """Write nothing."""
        return Marked(row, wanted)


def test_the_search_finds_what_the_mark_is_for(search: RaceSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it a pass switches off what an operator was told is back."""
    monkeypatch.setattr("jitr.enforcement.reconciliation.SwitchingOff", Unmarked)
    scenario, _ = CASES["an operator brings it back"]
    violation = search.to(Depth(0, 1), partial(scheduled, scenario)).violation
    assert violation is not None
    assert violation.wrong.startswith("told that it is ACTIVE")


def test_the_search_finds_why_what_is_being_undone_is_left_alone(
    search: RaceSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its certificate is ACTIVE before its row says so."""
    monkeypatch.setattr(RegistryRow, "is_on_its_way_back", lambda *_, **__: False)
    scenario, _ = CASES["a job is undone"]
    violation = search.to(Depth(0, 1), partial(scheduled, scenario)).violation
    assert violation is not None
    assert violation.wrong.startswith("nobody decided otherwise")
