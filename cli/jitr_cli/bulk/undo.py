"""`jitr bulk undo`: bring back what a job of `jitr ca revoke-devices` switched off."""

from __future__ import annotations

import click

from jitr.aws.iot import CertificateStatus
from jitr.bulk.job import JobKind, Plan
from jitr_cli.bulk.followers import verify_may_follow
from jitr_cli.bulk.progress import say_effort
from jitr_cli.bulk.work import Bulk, How, bulk_options, ended, in_account, new_job_id
from jitr_cli.console.aws import Aws, ask, writing_options
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed


@click.command("undo")
@click.argument("job_id", metavar="JOB")
@bulk_options
@writing_options
def command(
    *, aws: Aws, job_id: str, how: How, deployment: str | None, dry_run: bool, yes: bool, as_json: bool
) -> ExitCode:
    """Make ACTIVE again what a job made INACTIVE, if it was ACTIVE before and nothing else decided about it since.

    What is REVOKED stays so; what was waiting for activation, or off before, stays INACTIVE (`jitr device reinstate`
    brings single ones back). Safe to interrupt and to repeat.
    """
    bulk = Bulk.of(aws, aws.deployment(deployment))
    job = bulk.job(job_id)
    if job.plan.kind is not JobKind.REVOKE or job.plan.wanted is not CertificateStatus.INACTIVE:
        raise CommandFailed(f"{job_id} switched nothing off that could be brought back")
    verify_may_follow(bulk.jobs, job, JobKind.UNDO)
    plan = Plan(
        kind=JobKind.UNDO,
        ca_certificate_id=job.plan.ca_certificate_id,
        total=job.plan.total,
        list_of=job.plan.list_of,
        registered_until=job.plan.registered_until,
        follows=job_id,
    )
    aws.announce(bulk.stack)
    away = in_account(plan, how)
    say_effort(plan, plan.total, per_second=bulk.tps if away else how.rate or bulk.tps, in_account=away)
    if dry_run:
        return ExitCode.DONE
    ask("Bring them back?", yes=yes)
    return ended(bulk.start(new_job_id(JobKind.UNDO), plan, how, away=away), as_json=as_json)
