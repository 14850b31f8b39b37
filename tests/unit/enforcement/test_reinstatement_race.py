"""I1 while an operator reinstates a device: under every schedule, what a CRL lists does not end ACTIVE.

As in test_activation_enforcement_race.py, all schedules of a scenario are searched within a number of crashes and
preemptions; --race-depth makes the searches larger. A device was ACTIVE, was on hold, and is listed no more;
an operator brings it back while the next CRL is published and swept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import cast

import pytest

from jitr.activation import reinstatement as operator_activation
from jitr.activation.reinstatement import OperatorActivation
from jitr.aws.state_table import StateTable
from jitr.enforcement.sweep import Enforcement
from jitr.registry.switching_off import SwitchingOff
from tests.aws.memory_aws import MemoryTable
from tests.worlds.deployment import TABLE, TestDeployment
from tests.worlds.race import SERIAL, Scenario, blind, crl
from tests.worlds.race_operators import Reinstated, built
from tests.worlds.race_search import Depth, RaceSearch
from tests.worlds.seeded import seeded
from tests.worlds.table_operations import Operation, adapters, on_a_row, plain

pytestmark = pytest.mark.race
OFF = frozenset({"INACTIVE", "REVOKED"})


def held_again() -> bytes:
    """The device is on hold once more: INACTIVE, from which AWS IoT lets a certificate become ACTIVE again."""
    return crl(SERIAL, number=4, hold=True)


def revoked() -> bytes:
    """The device is revoked."""
    return crl(SERIAL, number=4)


def another() -> bytes:
    """Another device is listed."""
    return crl(5, number=4)


CASES: dict[str, tuple[Scenario, Depth]] = {
    "revoked": (Reinstated(after=revoked, activations=(), expected=OFF), Depth(1, 2)),
    "on hold again": (Reinstated(after=held_again, activations=(), expected=OFF), Depth(1, 2)),
    "on hold again, two sweeps": (Reinstated(after=held_again, activations=(), sweeps=2, expected=OFF), Depth(0, 2)),
    "on hold again, two operators": (
        Reinstated(after=held_again, activations=(), operators=2, pauses=(121,), expected=OFF),
        Depth(0, 1),
    ),
    "on hold again, a late event": (Reinstated(after=held_again, expected=OFF), Depth(1, 1)),
    "not listed": (Reinstated(after=another, activations=(), expected=frozenset({"ACTIVE"})), Depth(1, 2)),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_crl_lists_does_not_end_active_and_what_it_does_not_list_does(search: RaceSearch, case: str) -> None:
    """Whoever is faster, and whoever dies."""
    scenario, deep = CASES[case]
    search.assert_holds(built(scenario), deep, at_least=100)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithoutSecondLook(OperatorActivation):
    """A reinstatement that does not read the accepted version again."""

    def __post_init__(self) -> None:
        """Take steps in which no CRL is ever outdated."""
        object.__setattr__(self, "examination", blind(self.examination))


class WithoutOnceMore(Enforcement):
    """A sweep that does not come back after open leases have ended (E7)."""

    def _once_more(self, off: SwitchingOff) -> None:
        """Do nothing."""


def test_the_search_finds_what_the_second_look_is_for(search: RaceSearch) -> None:
    """Without it a device comes back that a sweep did not see."""
    scenario = Reinstated(after=held_again, activations=(), expected=OFF)
    violation = search.to(Depth(1, 2), built(scenario, operator=WithoutSecondLook)).violation
    assert violation is not None
    assert violation.wrong.startswith("ended ACTIVE")


def test_the_search_finds_what_waiting_for_leases_is_for(search: RaceSearch) -> None:
    """Without it a reinstatement that was on its way, and died, leaves a listed device ACTIVE."""
    scenario = Reinstated(after=held_again, activations=(), expected=OFF)
    violation = search.to(Depth(1, 2), built(scenario, enforcement=WithoutOnceMore)).violation
    assert violation is not None
    assert violation.wrong.startswith("ended ACTIVE")


def test_the_lease_outlives_the_operator() -> None:
    """From the lease to ACTIVE 45 seconds, then one call of at most half a minute."""
    assert operator_activation.TIME_LIMIT + timedelta(seconds=30) < operator_activation.LEASE


def on_a_reinstated_row(random: Random, at: datetime) -> Operation:
    """One operation on a row, those of a reinstatement among them."""
    key, owner, certificate_id = (
        random.choice(pair) for pair in (["issuer#1", "issuer#2"], ["one", "other"], ["a" * 64, "b" * 64])
    )
    mine: list[Callable[..., object]] = [
        lambda a: a.rows.begin_reinstatement(
            key,
            certificate_id=certificate_id,
            owner=owner,
            lease_until=at + timedelta(seconds=random_seconds),
            at=at,
            facts={"ca_certificate_id": "c"},
        ),
        lambda a: a.rows.abandon_reinstatement(key, owner=owner),
        lambda a: a.rows.finish_reinstatement(key, owner=random_owner, at=at),
    ]
    random_owner = random.choice([None, owner])
    random_seconds = random.choice([0, 20, 120])
    return random.choice([*mine, on_a_row(random, at)])


@pytest.mark.parametrize("seed", range(3))
def test_the_table_in_memory_answers_as_dynamodb_to_reinstatements(deployment: TestDeployment, seed: int) -> None:
    """The model that is searched has the real conditions."""
    random, at = seeded(seed), deployment.clock()
    real, model = (
        adapters(StateTable(deployment.dynamodb, TABLE)),
        adapters(cast("StateTable", MemoryTable())),
    )
    answers = set()
    for _ in range(200):
        at += timedelta(seconds=random.choice([0, 0, 1, 30]))
        operation = on_a_reinstated_row(random, at)
        answer = operation(real)
        assert plain(operation(model)) == plain(answer)
        answers.add(str(answer)[:5])
    assert {"True", "False"} <= answers
