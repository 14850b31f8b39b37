"""From a job's plan to its task. A plan is input: others than the command line may be able to write to the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.aws.state_table import StateTable
from jitr.bulk.job import Job, JobKind, JobPlan
from jitr.bulk.revocation import BringingBack, RejectingCrl, RevokingDevices
from jitr.bulk.tasks import Importing, Reattaching, Task
from jitr.certificates import Certificate, load_certificate
from jitr.crls.versions import CrlVersions
from jitr.enforcement.unknown_certificates import IMPORTED, UnknownCertificates
from jitr.errors import Reason, Undecided
from jitr.policies.template import uses_device_values
from jitr.policies.values import PolicyError
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.notes import DeviceNote, Report, unreported
from jitr.registry.row import job_claim
from jitr.registry.rows import Registry
from jitr.settings import Configuration


def shared_policy(configuration: Configuration, template: str) -> str:
    """Return the name of a deployed template's shared policy; raises Undecided (`configuration`) if it has none.

    What is attached to devices is decided by what was reviewed and deployed, not by the table that names the template.
    """
    text = configuration.policies.get(template)
    try:
        if text is not None and not uses_device_values(text):
            return configuration.policy_name(template)
    except PolicyError as error:
        raise Undecided(Reason.CONFIGURATION, f"template {template!r} cannot be used: {error}") from error
    about = "is not deployed" if text is None else "makes a policy for each device, at its activation"
    raise Undecided(Reason.CONFIGURATION, f"template {template!r} {about}")


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """Makes tasks; `policy_of` names a template's shared policy, `arn_of` a certificate by its id.

    `pace` waits before each quota-limited call, `sleep` takes seconds, `clock` is in UTC. `watch` is that of
    UnknownCertificates; without it nothing is imported.
    """

    registry: IotRegistry
    table: StateTable
    policy_of: Callable[[str], str]
    arn_of: Callable[[str], str]
    pace: Callable[[], None]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    watch: Callable[[str, Certificate], None] | None = None
    disconnecting: Disconnecting | None = None
    report: Report = unreported

    def of(self, job: Job) -> Task:
        """Return what a job does to each certificate; raises Undecided for a plan that cannot be carried out."""
        plan = job.plan
        match plan.kind:
            case JobKind.REVOKE | JobKind.CONFIRM:
                return self._switching_off(job)
            case JobKind.UNDO:
                return BringingBack(
                    registry=self.registry,
                    rows=Registry(self.table),
                    claim=job_claim(plan.follows or ""),
                    pace=self.pace,
                    clock=self.clock,
                    disconnecting=self.disconnecting,
                )
            case JobKind.REJECT:
                return self._rejecting(plan)
            case JobKind.REATTACH:
                return Reattaching(
                    registry=self.registry,
                    policy=self.policy_of(plan.template or ""),
                    old_policy=plan.old_policy,
                    arn_of=self.arn_of,
                    pace=self.pace,
                )
            case JobKind.IMPORT:
                if self.watch is None:
                    raise Undecided(Reason.CONFIGURATION, "imports are done by the account, or by `jitr device import`")
                return Importing(
                    unknown=UnknownCertificates(
                        registry=self.registry,
                        rows=Registry(self.table),
                        versions=CrlVersions(self.table),
                        pace=self.pace,
                        watch=self.watch,
                        report=self._named,
                        disconnecting=self.disconnecting,
                    ),
                    ca_certificate_id=plan.ca_certificate_id,
                    ca=self._ca(plan),
                )

    def _named(self, note: DeviceNote) -> None:
        """Report what an import finds beside what it imports, which is a line of the job's."""
        if note.outcome != IMPORTED:
            self.report(note)

    def _rejecting(self, plan: JobPlan) -> RejectingCrl:
        if not plan.crl or not plan.scope:
            raise Undecided(Reason.CONFIGURATION, "the plan names no CRL that was refused")
        return RejectingCrl(
            registry=self.registry,
            rows=Registry(self.table),
            claim=plan.crl,
            pace=self.pace,
            clock=self.clock,
            disconnecting=self.disconnecting,
            versions=CrlVersions(self.table),
            scope=plan.scope,
        )

    def _switching_off(self, job: Job) -> RevokingDevices:
        plan = job.plan
        if plan.wanted not in (CertificateStatus.INACTIVE, CertificateStatus.REVOKED):
            raise Undecided(Reason.CONFIGURATION, f"{plan.wanted} is no status to switch off with")
        until = plan.registered_until
        return RevokingDevices(
            registry=self.registry,
            rows=Registry(self.table),
            versions=CrlVersions(self.table),
            ca_certificate_id=plan.ca_certificate_id,
            ca=self._readable_ca(plan),
            wanted=plan.wanted,
            claim=job_claim(job.job_id) if plan.wanted is CertificateStatus.INACTIVE else None,
            confirms=plan.kind is JobKind.CONFIRM,
            registered_until=None if until is None else datetime.fromtimestamp(until, UTC),
            pace=self.pace,
            clock=self.clock,
            sleep=self.sleep,
            disconnecting=self.disconnecting,
        )

    def _readable_ca(self, plan: JobPlan) -> Certificate | None:
        """Return the CA, None where its certificate cannot be read: its devices can be switched off all the same."""
        try:
            return self._ca(plan)
        except Undecided as error:
            if error.reason is not Reason.MALFORMED_CERTIFICATE:
                raise
            return None

    def _ca(self, plan: JobPlan) -> Certificate:
        self.pace()
        return load_certificate(self.registry.describe_ca(plan.ca_certificate_id).pem)
