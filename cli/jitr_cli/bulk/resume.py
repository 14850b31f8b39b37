"""`jitr bulk resume`: let the account go on with a job where it stopped."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jitr.bulk.job import JobState
from jitr_cli.bulk.followers import verify_may_resume
from jitr_cli.bulk.progress import say_left
from jitr_cli.bulk.work import Bulk, description
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import say


@writing_command("resume")
@click.argument("job_id", metavar="JOB")
@click.option("--no-wait", is_flag=True, help="do not follow it")
def command(call: Call, *, job_id: str, no_wait: bool) -> ExitCode:
    """Let the account go on with a job that was stopped, that failed, or that is not worked on any more.

    A shift that is still at work on it ends by that, and is done again from its last written position.
    """
    bulk = Bulk.of(call)
    job = bulk.job(job_id)
    if job.state is JobState.DONE:
        raise CommandFailed(f"{job_id} is done")
    bulk.verify_account_acts()
    verify_may_resume(bulk.jobs, job)
    call.announce()
    say(f"{job_id}: {job.state}, {job.tally.seen:,} of {job.plan.total:,}")
    say_left(job, per_second=bulk.tps)
    if not call.confirm("Go on?"):
        return call.finish(description(job))
    shift = bulk.jobs.resume(job, at=datetime.now(UTC))
    if shift is None:
        raise CommandFailed(f"{job_id} changed at this moment: look again")
    bulk.send(job_id, shift)
    return bulk.ended(bulk.job(job_id) if no_wait else bulk.followed(job_id))
