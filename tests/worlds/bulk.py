"""Bulk work on a test deployment: devices that others registered, and the function's shifts without its queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, repeat
from typing import Any

from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.aws.state_table import StateTable
from jitr.bulk.job import Job, JobKind, JobPlan
from jitr.bulk.jobs import Jobs
from jitr.bulk.plans import Tasks, shared_policy
from jitr.bulk.queue import Shift
from jitr.bulk.work import BulkWork, ShiftEnd, ShiftResult
from jitr.registry.row import RegistryRow
from jitr.registry.rows import Registry
from jitr_local import pki
from jitr_local.pki import Device
from tests.worlds.deployment import ENVIRONMENT, TABLE, TestDeployment

ACTIVE, INACTIVE, REVOKED = (CertificateStatus(each) for each in ("ACTIVE", "INACTIVE", "REVOKED"))
LONG = 100_000.0


@cache
def key() -> Any:
    """One key for all devices: making one for each would take longer than the tests."""
    return pki.new_key()


@dataclass
class MemoryQueue:
    """A work queue that keeps what was sent, in order, with its delay."""

    sent: list[tuple[Shift, int]] = field(default_factory=list)

    def send(self, shift: Shift, *, delay_seconds: int = 0) -> None:
        self.sent.append((shift, delay_seconds))

    def next(self) -> Shift | None:
        """Take the oldest message."""
        return self.sent.pop(0)[0] if self.sent else None


@dataclass
class BulkDeployment:
    """A deployment and its bulk work; `calls` counts what was paced."""

    deployment: TestDeployment
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    calls: int = 0

    @property
    def table(self) -> StateTable:
        return StateTable(self.deployment.dynamodb, TABLE)

    @property
    def jobs(self) -> Jobs:
        return Jobs(self.table)

    def pace(self) -> None:
        self.calls += 1

    def work(self) -> BulkWork:
        """The use case as a cold container would build it."""
        iot = IotRegistry(self.deployment.iot_client)
        tasks = Tasks(
            registry=iot,
            table=self.table,
            policy_of=lambda template: shared_policy(self.deployment.configuration, template),
            arn_of=ENVIRONMENT.certificate_arn,
            watch=lambda ca, certificate: self.deployment.activation.authorities.watch_named(
                ca, certificate, at=self.deployment.clock()
            ),
            pace=self.pace,
            clock=self.deployment.clock,
            sleep=lambda seconds: self.deployment.clock.advance(seconds=seconds),
        )
        return BulkWork(jobs=self.jobs, registry=iot, task_of=tasks.of, clock=self.deployment.clock)

    def devices(self, count: int, *, status: str = "ACTIVE", name: str = "device") -> list[Device]:
        """Certificates of the first CA that somebody else registered."""
        made = [self.deployment.ca.issue(f"{name}-{n}", key=key()) for n in range(count)]
        for device in made:
            self.deployment.iot.connect(device, self.deployment.ca)
            self.deployment.iot.certificates[device.certificate_id].status = status
        return made

    def knocked(self, count: int) -> list[Device]:
        """Certificates that this deployment activated."""
        made = [self.deployment.ca.issue(f"own-{n}", key=key()) for n in range(count)]
        for device in made:
            self.deployment.knock(device)
        return made

    def plan(self, kind: JobKind = JobKind.REVOKE, **different: Any) -> JobPlan:
        """A plan about all of the first CA's certificates; revoking makes them INACTIVE."""
        values: dict[str, Any] = {"total": len(self.deployment.iot.certificates)}
        if kind in (JobKind.REVOKE, JobKind.CONFIRM):
            values["wanted"] = INACTIVE if kind is JobKind.REVOKE else REVOKED
        return JobPlan(kind=kind, ca_certificate_id=self.deployment.ca.ca_certificate_id, **{**values, **different})

    def create(self, job_id: str, plan: JobPlan, devices: Sequence[Device] | None = None) -> None:
        """Write a job, about a list if there is one."""
        if devices is not None:
            self.jobs.put_list(job_id, [device.certificate_id for device in devices])
        assert self.jobs.create(job_id, plan, by="somebody", at=self.deployment.clock())

    def take(self, shift: Shift, *, owner: str = "owner", attempt: int = 1, looks: int | None = None) -> ShiftResult:
        """Hand one message to a cold container, whose time is over after it looked so often how much is left."""
        left = repeat(LONG) if looks is None else chain(repeat(LONG, looks), repeat(0.0))
        return self.work().take(
            shift,
            self.queue,  # type: ignore[arg-type]
            owner=owner,
            attempt=attempt,
            seconds_left=lambda: next(left),
        )

    def run(self, job_id: str, plan: JobPlan, devices: Sequence[Device] | None = None) -> Job:
        """Do a whole job, and return it as it is then."""
        self.create(job_id, plan, devices)
        assert self.take(Shift(job_id, 1)).end is ShiftEnd.DONE
        return self.job(job_id)

    def job(self, job_id: str) -> Job:
        job = self.jobs.job(job_id)
        assert job is not None
        return job

    def row(self, device: Device) -> RegistryRow | None:
        """The registry row of a device."""
        keys = Registry(self.table).known([device.certificate_id])
        return Registry(self.table).row(keys[device.certificate_id]) if keys else None

    def statuses(self, devices: Sequence[Device]) -> list[str]:
        return [self.deployment.iot.status(device) for device in devices]
