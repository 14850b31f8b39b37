"""`jitr bulk undo`: bring back what a job of `jitr ca revoke-devices` switched off."""

from __future__ import annotations

import click

from jitr.aws.iot import CertificateStatus
from jitr.bulk.job import JobKind
from jitr_cli.bulk.followers import verify_may_follow
from jitr_cli.bulk.work import Bulk, WorkOptions, new_job_id, work_options
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed


@writing_command("undo")
@click.argument("job_id", metavar="JOB")
@work_options
def command(call: Call, *, job_id: str, options: WorkOptions) -> ExitCode:
    """Make ACTIVE again what a job made INACTIVE, if it was ACTIVE before and nothing else decided about it since.

    What is REVOKED stays so; what was waiting for activation, or off before, stays INACTIVE (`jitr device reinstate`
    brings single ones back). Safe to interrupt and to repeat.
    """
    bulk = Bulk.of(call)
    job = bulk.job(job_id)
    if job.plan.kind is not JobKind.REVOKE or job.plan.wanted is not CertificateStatus.INACTIVE:
        raise CommandFailed(f"{job_id} switched nothing off that could be brought back")
    verify_may_follow(bulk.jobs, job, JobKind.UNDO)
    plan = job.followed_by(JobKind.UNDO)
    call.announce()
    bulk.say_effort(plan, options)
    return bulk.carry_out(new_job_id(JobKind.UNDO), plan, options, question="Bring them back?")
