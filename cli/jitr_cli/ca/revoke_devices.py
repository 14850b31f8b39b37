"""`jitr ca revoke-devices`: switch off all devices of a CA, or a list of them, however many they are.

Exit codes: 0 all done, 1 some could not be done or the job was stopped, 64 usage, 69 AWS unreachable or refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from jitr.authorities.records import CaRecords
from jitr.aws.iot import CertificateStatus
from jitr.bulk.job import Job, JobKind, JobPlan, JobState
from jitr.enforcement.passes import Passes
from jitr.revocation.entries import HOLD
from jitr_cli.authorities.management import DeployedCas, describe_managers
from jitr_cli.bulk.followers import verify_may_follow
from jitr_cli.bulk.work import Bulk, WorkOptions, new_job_id, verify_ca, work_options
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import existing_file
from jitr_cli.console.options import CA_HELP, CaCertificateId, RevocationReason
from jitr_cli.console.output import say
from jitr_cli.devices.lists import read_certificate_ids
from jitr_fleet.issuing.crls import REASON_CODES

_OFF = {
    CertificateStatus.REVOKED: "they become REVOKED, which cannot be undone",
    CertificateStatus.INACTIVE: "they become INACTIVE, which can be undone",
}


@dataclass(frozen=True, kw_only=True)
class SelectedDevices:
    """The job to do, and the certificates it is about: `listed` None is all of the CA's."""

    job_id: str
    plan: JobPlan
    listed: list[str] | None = None


@writing_command("revoke-devices")
@click.option("--ca-certificate-id", type=CaCertificateId(), help=f"the CA: {CA_HELP}")
@click.option(
    "--list",
    "file",
    type=existing_file(),
    metavar="FILE",
    help="these of its devices: certificate ids, one a line or in the column `certificate_id`",
)
@click.option("--all", "everything", is_flag=True, help="all of its devices that are registered by now")
@click.option("--inactive", is_flag=True, help="only make them INACTIVE, also where they are few")
@click.option(
    "--reason",
    type=RevocationReason(),
    help=f"why, kept with the job: one of {', '.join(REASON_CODES)}; certificateHold is --inactive",
)
@click.option("--confirm", metavar="JOB", help="make REVOKED, for good, what this job made INACTIVE")
@click.option(
    "--unmanaged", is_flag=True, help="although the deployment does not manage the CA; --yes does not say that"
)
@work_options
def command(
    call: Call,
    *,
    ca_certificate_id: str | None,
    file: Path | None,
    everything: bool,
    inactive: bool,
    reason: str | None,
    confirm: str | None,
    unmanaged: bool,
    options: WorkOptions,
) -> ExitCode:
    """Switch off all devices of a CA, or a list of them; more than 1,000 in the account, not from here.

    Registry rows are marked first, so that no late event brings a device back. More than 100 devices, and more than 1 %
    of the CA's, only become INACTIVE; --confirm JOB then makes that final, `jitr bulk undo JOB` takes it back.
    """
    if (confirm is None) != (everything or file is not None) or (everything and file is not None):
        raise CommandFailed("give one of --all, --list FILE and --confirm JOB")
    bulk = Bulk.of(call)
    call.announce()
    deployed = None
    if confirm is not None:
        wanted = _confirming(bulk, confirm, reason)
    else:
        deployed = DeployedCas.read(call.aws, call.stack)
        status = CertificateStatus.INACTIVE if inactive or reason == HOLD else CertificateStatus.REVOKED
        wanted = _revoking(bulk, deployed, ca_certificate_id, file, status, reason)
    plan = wanted.plan
    say(f"CA {plan.ca_certificate_id}")
    bulk.say_effort(plan, options)
    say(_OFF[plan.wanted or CertificateStatus.REVOKED])
    if deployed is not None and not _say_managed(bulk, deployed, wanted) and plan.total:
        call.confirm(
            "Go on with a CA that this deployment does not manage (--unmanaged says yes)?",
            yes=unmanaged,
            option="--unmanaged",
        )
    return bulk.carry_out(wanted.job_id, plan, options, question=f"Switch off {plan.total:,}?", listed=wanted.listed)


def _revoking(
    bulk: Bulk,
    deployed: DeployedCas,
    ca_certificate_id: str | None,
    file: Path | None,
    status: CertificateStatus,
    reason: str | None,
) -> SelectedDevices:
    if ca_certificate_id is None:
        raise CommandFailed("give --ca-certificate-id")
    verify_ca(bulk, ca_certificate_id)
    job_id = new_job_id(JobKind.REVOKE)
    listed = None if file is None else list(read_certificate_ids(file))
    total, last = (len(listed), None) if listed is not None else bulk.count(ca_certificate_id)
    return SelectedDevices(
        job_id=job_id,
        listed=listed,
        plan=JobPlan(
            kind=JobKind.REVOKE,
            ca_certificate_id=ca_certificate_id,
            total=total,
            list_of=None if listed is None else job_id,
            registered_until=None if last is None else int(last.timestamp()) + 1,
            wanted=_at_first(deployed, ca_certificate_id, total, status),
            reason=reason,
        ),
    )


def _at_first(
    deployed: DeployedCas, ca_certificate_id: str, total: int, status: CertificateStatus
) -> CertificateStatus:
    """Return the status to set now: nothing irreversible happens to many devices on one input (I7)."""
    many = total > deployed.brake.limit(Passes(deployed.table).active_devices(ca_certificate_id))
    if many and status is CertificateStatus.REVOKED:
        say("so many become REVOKED in two steps")
        return CertificateStatus.INACTIVE
    return status


def _say_managed(bulk: Bulk, deployed: DeployedCas, wanted: SelectedDevices) -> bool:
    """Say what a CA is to the deployment; returns False where it is known to be nothing."""
    call, ca_certificate_id = bulk.call, wanted.plan.ca_certificate_id
    if deployed.manages(ca_certificate_id) is False:
        say(f"warning: {describe_managers(call.aws, deployed, ca_certificate_id)}: its registry, in which they are")
        say("         marked, is read by no function that lets devices of that CA in, and `jitr ca hold` stops none")
        return False
    if wanted.listed is None:
        _say_open(bulk, ca_certificate_id)
    return True


def _say_open(bulk: Bulk, ca_certificate_id: str) -> None:
    record = CaRecords(bulk.table).record(ca_certificate_id)
    if bulk.iot.describe_ca(ca_certificate_id).active and (record is None or not record.on_hold):
        say("the CA is ACTIVE: devices that are not registered yet still get in; `jitr ca hold` stops that")


def _confirming(bulk: Bulk, job_id: str, reason: str | None) -> SelectedDevices:
    """Plan the second step of a job; raises CommandFailed where there is nothing to confirm."""
    job = bulk.job(job_id)
    _verify_confirmable(job)
    verify_may_follow(bulk.jobs, job, JobKind.CONFIRM)
    return SelectedDevices(
        job_id=new_job_id(JobKind.CONFIRM),
        plan=job.followed_by(JobKind.CONFIRM, wanted=CertificateStatus.REVOKED, reason=reason or job.plan.reason),
    )


def _verify_confirmable(job: Job) -> None:
    if job.plan.kind is not JobKind.REVOKE or job.plan.wanted is not CertificateStatus.INACTIVE:
        raise CommandFailed(f"{job.job_id} made nothing INACTIVE that could be confirmed")
    if job.state is not JobState.DONE:
        raise CommandFailed(f"{job.job_id} is not done yet ({job.state}): `jitr bulk resume {job.job_id}` first")
