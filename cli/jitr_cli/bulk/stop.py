"""`jitr bulk stop`: stop a job; what it did stays done."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jitr.bulk.job import JobState
from jitr_cli.bulk.work import Bulk, description
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import say


@writing_command("stop")
@click.argument("job_id", metavar="JOB")
def command(call: Call, *, job_id: str) -> ExitCode:
    """Stop a job: the function notices after twenty certificates at most. `jitr bulk resume` lets it go on."""
    bulk = Bulk.of(call)
    job = bulk.job(job_id)
    if job.state is not JobState.RUNNING:
        raise CommandFailed(f"{job_id} is not running ({job.state})")
    call.announce()
    say(f"{job_id}: {job.tally.seen:,} of {job.plan.total:,}")
    if call.confirm("Stop it?"):
        if not bulk.jobs.stop(job_id, at=datetime.now(UTC)):
            raise CommandFailed(f"{job_id} ended meanwhile")
        say("stopped")
    return call.finish(description(bulk.job(job_id)))
