"""Passes that compare AWS IoT with the registry, among operators, activations and sweeps; for race_search.py.

A device is off by its row: it was on hold (INACTIVE), or a job switched it off, or it was REVOKED, deleted and
registered again by hand. Somebody sets it ACTIVE in the console.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from datetime import timedelta
from functools import cache
from typing import Any, cast

from jitr.authorities.managed import CertificateAuthorities
from jitr.authorities.records import CaRecords
from jitr.aws.iot import CertificateStatus
from jitr.aws.state_table import StateTable
from jitr.certificates import issuer_key
from jitr.crls.versions import CrlVersions
from jitr.enforcement.brake import Brake
from jitr.enforcement.coverage import EVERYTHING, WatchedCa
from jitr.enforcement.passes import Passes, PassKind
from jitr.enforcement.reconciliation import Reconciliation
from jitr.enforcement.sweep import SweepOutcome
from jitr.enforcement.unknown_certificates import UnknownCertificates
from jitr.errors import Undecided
from jitr.registry.notes import unreported
from jitr.registry.row import RegistryRow, RowState, job_claim, row_key
from jitr.registry.rows import Registry
from jitr.registry.undoing import Undoing
from tests.worlds.deployment import BUCKET
from tests.worlds.interleaving import Process, Schedule
from tests.worlds.race import SERIAL, Deployment, concerns_nobody, crl, factory
from tests.worlds.race_operators import Reinstated, ReinstatingDeployment

PERIOD = timedelta(hours=24)
JOB = job_claim("job-1")
ACTIVE, INACTIVE = CertificateStatus.ACTIVE, CertificateStatus.INACTIVE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconciled(Reinstated):
    """What may happen to a device that is off; `console` are statuses that somebody sets there, each at any moment.

    `by_job`: a job switched it off; `undone`: and is undone while the passes run. `registered_again`: it was REVOKED.
    """

    activations: tuple[str, ...] = ()
    operators: int = 0
    sweeps: int = 0
    passes: int = 1
    console: tuple[CertificateStatus, ...] = (ACTIVE,)
    brake: Brake = Brake()  # noqa: RUF009 - frozen
    by_job: bool = False
    undone: bool = False
    registered_again: bool = False

    @property
    def deployment_type(self) -> type[ReinstatingDeployment]:
        """Who takes part."""
        return ReconcilingDeployment

    def arranged(self) -> Deployment:
        """Return the deployment as for reinstatements, and what a job or a CRL did since."""
        deployment = super().arranged()
        rows = Registry(table_of(deployment))
        if self.by_job:
            before = dataclasses.replace(row(rows), state=RowState.ACTIVE)
            rows.write(
                row_of_device(), "SET #state = :active", {":active": {"S": "ACTIVE"}}, "attribute_exists(#state)"
            )
            assert rows.mark(before, wanted=INACTIVE, braked_by=JOB)
            assert rows.finish_revocation(row_of_device(), done=INACTIVE)
            assert row(rows).braked_by == JOB
        if self.registered_again:
            deployment.publish(crl(SERIAL, number=4))
            enforcement = deployment.enforcement()
            assert deployment.swept(enforcement, "before") is SweepOutcome.ENFORCED
            deployment.warm = dict(enforcement.crls._entries)
            assert deployment.status == "REVOKED"
            deployment.iot.statuses[self.device.certificate_id] = ACTIVE
        return deployment


@cache
def row_of_device() -> str:
    """Return the key of the device's row."""
    return row_key(issuer_key(factory().certificate), SERIAL)


def table_of(deployment: Deployment) -> StateTable:
    """Return the table, past every schedule."""
    return cast("StateTable", deployment.table)


def row(rows: Registry) -> RegistryRow:
    """Return the device's row."""
    found = rows.row(row_of_device())
    assert found is not None
    return found


@dataclasses.dataclass
class ReconcilingDeployment(ReinstatingDeployment):
    """A deployment whose certificates are compared; `overruled` is who had begun before the console said otherwise."""

    overruled: set[str] = dataclasses.field(default_factory=set)
    undoing_refused: bool = False

    @property
    def given(self) -> Reconciled:
        """The scenario."""
        assert isinstance(self.scenario, Reconciled)
        return self.scenario

    def state(self) -> Hashable:
        return super().state(), frozenset(self.told), frozenset(self.overruled), self.undoing_refused

    def _table(self) -> Any:
        # What a pass writes of itself is read by other passes only.
        apart = self.given.passes < 2
        return self._calls(
            self.table,
            alone=lambda _name, key, *_: (
                "pk" in key and (concerns_nobody(key["pk"]["S"]) or (apart and key["pk"]["S"] == "reconciliation"))
            ),
        )

    def start(self) -> None:
        """Let passes, the console, a job that is undone, operators, sweeps and the publisher loose."""
        for n in range(1, self.given.passes + 1):
            self.schedule.add(Process(f"pass {n}", lambda n=n: self.reconcile(f"pass {n}")))  # type: ignore[misc]
        for status in self.given.console:
            self._happening(f"console {status}", lambda status=status: self.set_by_hand(status))  # type: ignore[misc]
        if self.given.undone:
            # Killed, the job's next turn goes on.
            again = Process("undoing again", self.undo)
            self.schedule.add(Process("undoing", self.undo, when_killed=lambda: again))
        super().start()

    def finish(self) -> None:
        """Let a day pass, the sweep and the pass that are due then run; what was told must be so, and stay so."""
        expected = self.scenario.expected
        self._a_day_later()
        assert not self.undoing_refused, "nobody decided otherwise, and undoing was refused"
        if self.told - self.overruled and expected == {"ACTIVE"}:
            assert self.status == "ACTIVE", f"told that it is ACTIVE, and it is {self.status}"
        if self.status != "ACTIVE" and expected == {"ACTIVE"}:
            self.undo() if self.given.undone else self.reinstate("operator again")
        self._a_day_later()
        assert self.status in expected, f"ended {self.status}"
        left = row(Registry(table_of(self)))
        assert left.state is not RowState.REVOKE_WANTED, "a revocation is wanted and not done"
        assert not left.lease_open(at=self.clock.now), "a lease is open"

    def _a_day_later(self) -> None:
        self.clock.advance(seconds=PERIOD.total_seconds() + 3600)
        assert self.swept(self.enforcement(), "last") is not SweepOutcome.BUSY
        self.reconcile("last")
        ended = Passes(table_of(self)).state(factory().ca_certificate_id, PassKind.KNOWN).ended_at
        assert ended == self.clock.now, "the pass did not end"

    # Processes

    def set_by_hand(self, status: CertificateStatus) -> None:
        """Set a status in the console; REVOKED is final there too."""
        if self.status != "REVOKED":
            self.iot.statuses[self.scenario.device.certificate_id] = status
        self.overruled |= self.began.keys()

    def reconcile(self, name: str) -> None:
        """Let one run of the function compare known certificates; killed, the next schedule goes on."""
        ca = WatchedCa(
            ca_certificate_id=factory().ca_certificate_id,
            certificate=factory().certificate,
            coverage=EVERYTHING,
            active=1,
        )
        try:
            list(self.reconciliation().steps(PassKind.KNOWN, ca, owner=name))
        except Undecided:
            return

    def reconciliation(self) -> Reconciliation:
        """A container of the enforcement function, its part that compares."""
        iot, rows, table = self._iot(), Registry(self._table()), self._table()
        authorities = CertificateAuthorities(self.scenario.configuration, iot, CaRecords(table), BUCKET)
        unknown = UnknownCertificates(
            registry=iot,
            rows=rows,
            versions=CrlVersions(table),
            pace=lambda: None,
            watch=lambda ca, certificate: authorities.watch_named(ca, certificate, at=self.clock()),
        )
        return Reconciliation(
            registry=iot,
            rows=rows,
            unknown=unknown,
            passes=Passes(table),
            brake=self.given.brake,
            period=PERIOD,
            clock=self.clock,
            pace=lambda: None,
            report=unreported,
        )

    def undo(self) -> None:
        """Do with the row what a job that is undone does; killed, its next turn goes on."""
        rows = Registry(self._table())
        undoing = Undoing(registry=self._iot(), rows=rows, claim=JOB, pace=lambda: None, clock=self.clock)
        found = row(rows)
        if not undoing.holds(found) or not undoing.begin(found):
            return
        if undoing.finish(found) is None:
            self.undoing_refused = True
            undoing.switch_off_again(row_of_device())
        else:
            self.told.add("undoing")


def scheduled(scenario: Reconciled, schedule: Schedule) -> Deployment:
    """Return the scenario, its processes loose, for one schedule."""
    deployment = scenario.template.copy(schedule)
    deployment.start()
    return deployment
