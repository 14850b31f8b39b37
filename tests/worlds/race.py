"""The race between activation and enforcement: the real use cases over AWS in memory, under any schedule."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

import pytest
from cryptography import x509

from jitr.activation.examination import Examination
from jitr.activation.steps import TIME_LIMIT, Activation
from jitr.authorities.managed import CertificateAuthorities
from jitr.authorities.records import CaRecords
from jitr.aws.iot import CertificateStatus
from jitr.crls.cache import CrlCache, CurrentCrl
from jitr.crls.fetched import Fetched
from jitr.crls.sources import CDP
from jitr.crls.versions import CrlVersions
from jitr.enforcement.sweep import SWEEP_LEASE, Enforcement, SweepOutcome
from jitr.errors import Undecided
from jitr.registry.rows import Registry
from jitr.revocation import Options, verify_crl
from jitr.settings import Configuration, ManagedCa, ThingNameSource
from jitr_local import pki
from tests.aws.memory_aws import MemoryEnforced, MemoryIot, MemorySources, MemoryTable
from tests.worlds.deployment import BUCKET, ENVIRONMENT, POLICY, Clock
from tests.worlds.interleaving import Intercepted, Process, Schedule
from tests.worlds.odd_certificates import odd_device, pointing_device

S3 = f"s3://{BUCKET}/factory-1.crl"
HTTP = "http://crl.example.com/factory-1.crl"
SERIAL = 1001
# A certificate that names S3's address, where its CA's CRL is found in no other way.
POINTING = "cA FALSE written out, and a distribution point"
# Lambda delivers a failed event again, twice at most, a minute later (AWS Lambda, "Error handling for asynchronous
# invocation").
RETRY_AFTER = timedelta(minutes=1)
DELIVERIES = 3


@lru_cache
def factory() -> pki.CertificateAuthority:
    """The one CA; making another for each run would take longer than the run."""
    return pki.CertificateAuthority.create()


@lru_cache
def device(written: str | None = None) -> pki.Device:
    """The one device whose certificate the schedules are about; `written` is its kind of odd certificate."""
    if written is None:
        return factory().issue("device-1", serial=SERIAL)
    if written == POINTING:
        return pointing_device(factory(), SERIAL, f"https://{BUCKET}.s3.us-east-1.amazonaws.com/factory-1.crl")
    return odd_device(written, factory(), SERIAL)


@lru_cache
def issued() -> datetime:
    """The time that all CRLs go by, the same however long making them takes."""
    return pki.now()


@lru_cache
def crl(*entries: int, number: int | None, hold: bool = False, age: timedelta = timedelta(hours=1)) -> bytes:
    """A CRL that lists serials, as revoked or on hold."""
    reason = x509.ReasonFlags.certificate_hold if hold else None
    listed = [pki.revoked_entry(serial, reason=reason) for serial in entries]
    return factory().crl(listed, number=number, this_update=issued() - age)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What happens to one certificate: which CRL replaces which, who runs, and what may go wrong.

    `activations` names the owner of each event: the same name twice is one event delivered twice at a time.
    `delivered_again` False: a killed activation was the last attempt. `pauses` are times that pass at any moment.
    `written` is how the certificate is written (odd_certificates.py), None: as everybody does.
    """

    source: str = S3
    written: str | None = None
    before: Callable[[], bytes] = lambda: crl(number=1)
    after: Callable[[], bytes] = lambda: crl(SERIAL, number=2)
    activations: tuple[str, ...] = ("event",)
    sweeps: int = 1
    delivered_again: bool = True
    pauses: tuple[int, ...] = ()
    expected: frozenset[str] = frozenset({"REVOKED"})

    @property
    def device(self) -> pki.Device:
        """The device."""
        return device(self.written)

    @property
    def named(self) -> bool:
        """Whether it is the certificate that says where the CRL is."""
        return self.written == POINTING

    @cached_property
    def configuration(self) -> Configuration:
        """The fleet file of the one deployment."""
        managed = ManagedCa(
            name="factory-1",
            ca_certificate_id=factory().ca_certificate_id,
            certificate=pki.pem(factory().certificate),
            crl=CDP if self.named else self.source,
            policy="default",
            thing_name=ThingNameSource.OFF,
        )
        return Configuration(deployment="test", cas=(managed,), policies={"default": POLICY})

    @cached_property
    def template(self) -> Deployment:
        """The deployment before the race: warm containers that verified the old CRL, which is enforced."""
        deployment = Deployment(self, Schedule((), {}, crashes=0, preemptions=0))
        deployment.publish(self.before())
        certificate_id = self.device.certificate_id
        deployment.iot.certificates[certificate_id] = pki.pem(self.device.certificate), factory().ca_certificate_id
        deployment.iot.statuses[certificate_id] = CertificateStatus.PENDING_ACTIVATION
        deployment.iot.create_policy(self.configuration.policy_name("default"), POLICY)
        enforcement = deployment.enforcement()
        assert deployment.swept(enforcement, "first") is SweepOutcome.ENFORCED
        deployment.warm = dict(enforcement.crls._entries)
        return deployment


@dataclass
class Deployment:
    """One deployment under one schedule; a `World` for the search."""

    scenario: Scenario
    schedule: Schedule
    clock: Clock = field(default_factory=lambda: Clock(pki.now()))
    table: MemoryTable = field(default_factory=MemoryTable)
    iot: MemoryIot = field(
        default_factory=lambda: MemoryIot(cas={factory().ca_certificate_id: pki.pem(factory().certificate)})
    )
    sources: MemorySources = field(default_factory=lambda: MemorySources(own_bucket=BUCKET))
    enforced: MemoryEnforced = field(default_factory=MemoryEnforced)
    warm: dict[str, Any] = field(default_factory=dict)
    began: dict[str, datetime] = field(default_factory=dict)
    activation_type: type[Activation] = Activation
    enforcement_type: type[Enforcement] = Enforcement

    def copy(self, schedule: Schedule) -> Deployment:
        """Return the same deployment for another schedule."""
        return type(self)(
            self.scenario,
            schedule,
            Clock(self.clock.now),
            MemoryTable(dict(self.table.items), dict(self.table.digests)),
            MemoryIot(self.iot.cas, self.iot.certificates, dict(self.iot.statuses), self.iot.policies),
            MemorySources(dict(self.sources.published), BUCKET),
            MemoryEnforced(dict(self.enforced.copies)),
            self.warm,
        )

    # What the search asks

    def state(self) -> Hashable:
        return (
            frozenset(self.table.digests.items()),
            tuple(self.iot.statuses.values()),
            self.sources.published[self.scenario.source].etag,
            self.clock.now,
        )

    def time(self) -> Hashable:
        return self.clock.now

    def finish(self) -> None:
        """Let leases end and the next scheduled sweep run; then nothing may be as it must not be."""
        self.clock.advance(seconds=SWEEP_LEASE.total_seconds() + 1)
        if self.scenario.named and self.status == "ACTIVE":
            record = CaRecords(self.table).record(factory().ca_certificate_id)  # type: ignore[arg-type]
            assert record is not None
            assert self.scenario.source in record.locations, "ACTIVE, and nobody looks where its CRL is"
        outcome = self.swept(self.enforcement(), "last")
        assert outcome is not SweepOutcome.BUSY, "the last sweep found the scope leased"
        if self.status == "PENDING_ACTIVATION" and "ACTIVE" in self.scenario.expected:
            # A device that was not let in keeps knocking.
            self.activation().activate(self.event(), owner="next knock")
        assert self.status in self.scenario.expected, f"ended {self.status}"

    @property
    def status(self) -> str:
        """The certificate's status in AWS IoT."""
        return self.iot.statuses[self.scenario.device.certificate_id].value

    # What happens

    def publish(self, data: bytes) -> None:
        """Put a CRL at the CA's address."""
        self.sources.published[self.scenario.source] = Fetched(data=data, etag=f"{hash(data)}")

    def pass_time(self, seconds: float) -> None:
        """Let time pass; activations that have reached the function's time limit are killed."""
        self.clock.advance(seconds=seconds)
        self.schedule.kill(lambda each: self.clock.now - self.began.get(each.name, self.clock.now) >= TIME_LIMIT)

    def event(self) -> dict[str, Any]:
        """The registration event of the device."""
        return {
            "certificateId": self.scenario.device.certificate_id,
            "caCertificateId": factory().ca_certificate_id,
            "timestamp": 1623724243659,
            "certificateStatus": "PENDING_ACTIVATION",
            "awsAccountId": ENVIRONMENT.account,
            "certificateRegistrationTimestamp": None,
        }

    # Containers

    def _calls(self, adapter: Any, *, alone: Callable[..., bool] = lambda *_: False, free: str = "") -> Any:
        return Intercepted(adapter, self.schedule, alone=alone, free=free)

    def _table(self) -> Any:
        return self._calls(self.table, alone=lambda _name, key, *_: "pk" in key and concerns_nobody(key["pk"]["S"]))

    def _iot(self) -> Any:
        apart = ("attach_policy", "create_policy", "describe_ca")
        return self._calls(self.iot, alone=lambda name, *_: name in apart)

    def _cache(self) -> CrlCache:
        return CrlCache(self._calls(self.sources, free="locations"), CrlVersions(self._table()), dict(self.warm))

    def activation(self) -> Activation:
        """A warm container of the activation function."""
        iot, configuration = self._iot(), self.scenario.configuration
        return self.activation_type(
            configuration=configuration,
            environment=ENVIRONMENT,
            authorities=CertificateAuthorities(configuration, iot, CaRecords(self._table()), BUCKET),
            registry=iot,
            rows=Registry(self._table()),
            crls=self._cache(),
            clock=self.clock,
        )

    def enforcement(self) -> Enforcement:
        """A warm container of the enforcement function."""
        return self.enforcement_type(
            registry=self._iot(),
            rows=Registry(self._table()),
            crls=self._cache(),
            enforced=self._calls(self.enforced, alone=lambda *_: True),
            clock=self.clock,
            sleep=lambda seconds: self.schedule.call(lambda: self.pass_time(seconds), "sleep", seconds),
            pace=lambda: None,
        )

    def swept(self, enforcement: Enforcement, owner: str) -> SweepOutcome:
        """Sweep once, and say how it ended."""
        ca, named = factory().certificate, self.scenario.named
        return enforcement.sweep(self.scenario.source, ca, devices=1, owner=owner, named=named).outcome

    # Processes

    def delivery(self, name: str, owner: str, attempt: int = 1) -> Process:
        """One delivery of an event; killed or undecided, the next one follows, as long as there are any."""

        def following() -> Process | None:
            if attempt == DELIVERIES or not self.scenario.delivered_again:
                return None
            return self.delivery(f"{name} again", owner, attempt + 1)

        def work() -> None:
            if attempt > 1:
                self.schedule.call(lambda: self.pass_time(RETRY_AFTER.total_seconds()), name)
            self.began[name] = self.clock.now
            try:
                self.activation().activate(self.event(), owner=owner)
            except Undecided:
                if (again := following()) is not None:
                    self.schedule.add(again)

        return Process(name, work, when_killed=following)

    def sweeping(self, name: str) -> Process:
        """One invocation of the enforcement function; if it fails or is killed, the schedule brings the next one."""

        def work() -> None:
            try:
                self.swept(self.enforcement(), name)
            except Undecided:
                return

        return Process(name, work)

    def start(self) -> None:
        """Let all processes of the scenario loose."""
        scenario = self.scenario
        for n, owner in enumerate(scenario.activations, 1):
            self.schedule.add(self.delivery(f"activation {n}", owner))
        for n in range(1, scenario.sweeps + 1):
            self.schedule.add(self.sweeping(f"sweep {n}"))
        publication = scenario.after()
        self._happening("publisher", lambda: self.publish(publication))
        for n, seconds in enumerate(scenario.pauses, 1):
            self._happening(f"pause {n}", lambda seconds=seconds: self.pass_time(seconds))  # type: ignore[misc]

    def _happening(self, name: str, effect: Callable[[], None]) -> None:
        self.schedule.add(Process(name, lambda: self.schedule.call(effect, name), crashable=False))


def concerns_nobody(pk: str) -> bool:
    """Say whether items of a partition are read by neither of the two functions while they race."""
    return pk == "ca" or pk.startswith("id#")


def world(
    scenario: Scenario,
    *,
    activation: type[Activation] = Activation,
    enforcement: type[Enforcement] = Enforcement,
) -> Callable[[Schedule], Deployment]:
    """Return what builds the scenario for each schedule."""
    template = scenario.template

    def build(schedule: Schedule) -> Deployment:
        deployment = template.copy(schedule)
        deployment.activation_type, deployment.enforcement_type = activation, enforcement
        deployment.start()
        return deployment

    return build


def verify_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verify each CRL's signature once: its result depends on nothing that a schedule changes."""
    known: dict[bytes, Any] = {}

    def remembered(data: bytes, ca: Any, *, at: datetime, options: Options) -> Any:
        if data not in known:
            known[data] = verify_crl(data, ca, at=at, options=options)
        return known[data]

    monkeypatch.setattr("jitr.crls.cache.verify_crl", remembered)


class BlindExamination(Examination):
    """Steps 1 to 5a in which no CRL is ever outdated."""

    def is_outdated(self, used: CurrentCrl) -> bool:
        """Return that nothing newer was accepted, without looking."""
        return False


def blind(examination: Examination) -> Examination:
    """Return the same steps without the second look of step 6."""
    return BlindExamination(**vars(examination))
