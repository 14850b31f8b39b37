"""An operator who reinstates a device that was on hold, among activations and sweeps; for race_search.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property

from jitr.activation.examination import Examination
from jitr.activation.operator_checks import find_candidate, verify_candidate
from jitr.activation.provisioning import Provisioning
from jitr.activation.reinstatement import OperatorActivation
from jitr.authorities.allow_list import AllowList
from jitr.authorities.managed import CertificateAuthorities
from jitr.authorities.records import CaRecords
from jitr.aws.iot import CertificateStatus
from jitr.enforcement.sweep import Enforcement, SweepOutcome
from jitr.errors import ActivationError
from jitr.registry.rows import Registry
from jitr_local import pki
from tests.worlds.deployment import BUCKET, ENVIRONMENT, POLICY
from tests.worlds.interleaving import Process, Schedule
from tests.worlds.race import SERIAL, Deployment, Scenario, crl, factory


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reinstated(Scenario):
    """A device that was on hold until CRL 3; `operators` is how many reinstate it at a time."""

    operators: int = 1

    @property
    def deployment_type(self) -> type[ReinstatingDeployment]:
        """Who takes part."""
        return ReinstatingDeployment

    @cached_property
    def template(self) -> Deployment:
        """The deployment before."""
        return self.arranged()

    def arranged(self) -> Deployment:
        """Return it with the row INACTIVE, CRL 3 enforced, containers warm."""
        deployment = self.deployment_type(self, Schedule((), {}, crashes=0, preemptions=0))
        iot, certificate_id = deployment.iot, self.device.certificate_id
        iot.certificates[certificate_id] = (pki.pem(self.device.certificate), factory().ca_certificate_id)
        iot.statuses[certificate_id] = CertificateStatus.PENDING_ACTIVATION
        iot.create_policy(self.configuration.policy_name("default"), POLICY)
        deployment.publish(crl(number=1))
        deployment.activation().activate(deployment.event(), owner="first")
        assert deployment.status == "ACTIVE"
        enforcement = deployment.enforcement()
        for published in (crl(SERIAL, number=2, hold=True), crl(number=3)):
            deployment.publish(published)
            assert deployment.swept(enforcement, "before") is SweepOutcome.ENFORCED
        assert deployment.status == "INACTIVE"
        deployment.warm = dict(enforcement.crls._entries)
        return deployment


@dataclasses.dataclass
class ReinstatingDeployment(Deployment):
    """A deployment in which operators reinstate the device."""

    operator_type: type[OperatorActivation] = OperatorActivation
    told: set[str] = dataclasses.field(default_factory=set)

    def start(self) -> None:
        """Let operators, sweeps and the publisher loose."""
        assert isinstance(self.scenario, Reinstated)
        for n in range(1, self.scenario.operators + 1):
            self.schedule.add(Process(f"operator {n}", lambda n=n: self.reinstate(f"operator {n}")))  # type: ignore[misc]
        super().start()

    def finish(self) -> None:
        """As for activations; and where the device may come back, an operator runs the command again."""
        expected = self.scenario.expected
        self.clock.advance(minutes=17)
        assert self.swept(self.enforcement(), "last") is not SweepOutcome.BUSY
        if self.status != "ACTIVE" and "ACTIVE" in expected:
            self.reinstate("operator again")
        assert self.status in expected, f"ended {self.status}"

    def reinstate(self, name: str) -> None:
        """Do what `jitr device reinstate` does, from its checks on; `told` has those who were told that it is done."""
        self.began[name] = self.clock.now
        iot, rows, configuration = self._iot(), Registry(self._table()), self.scenario.configuration
        examination = Examination(
            account=ENVIRONMENT.account,
            authorities=CertificateAuthorities(configuration, iot, CaRecords(self._table()), BUCKET),
            registry=iot,
            crls=self._cache(),
            allowed=AllowList(self._table()),
            clock=self.clock,
        )
        activation = self.operator_type(
            examination=examination,
            provisioning=Provisioning(configuration=configuration, environment=ENVIRONMENT, registry=iot, rows=rows),
            registry=iot,
            rows=rows,
            clock=self.clock,
        )
        try:
            candidate = find_candidate(examination, self.scenario.device.certificate_id)
            if candidate.registered.status is CertificateStatus.INACTIVE:
                candidate = verify_candidate(examination, rows, candidate)
                activation.reinstate(candidate, owner=name)
                self.told.add(name)
        except ActivationError:
            return


def built(
    scenario: Scenario,
    *,
    operator: type[OperatorActivation] = OperatorActivation,
    enforcement: type[Enforcement] = Enforcement,
) -> Callable[[Schedule], Deployment]:
    """Return what builds the scenario for each schedule."""
    template = scenario.template

    def build(schedule: Schedule) -> Deployment:
        deployment = template.copy(schedule)
        assert isinstance(deployment, ReinstatingDeployment)
        deployment.operator_type, deployment.enforcement_type = operator, enforcement
        deployment.start()
        return deployment

    return build
