"""`jitr bulk stop`: stop a job; what it did stays done."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jitr.bulk.job import JobState
from jitr_cli.bulk.work import Bulk, description
from jitr_cli.console.aws import Aws, ask, writing_options
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import emit_json, say


@click.command("stop")
@click.argument("job_id", metavar="JOB")
@writing_options
def command(*, aws: Aws, job_id: str, deployment: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Stop a job: the function notices after twenty certificates at most. `jitr bulk resume` lets it go on."""
    bulk = Bulk.of(aws, aws.deployment(deployment))
    job = bulk.job(job_id)
    if job.state is not JobState.RUNNING:
        raise CommandFailed(f"{job_id} is not running ({job.state})")
    aws.announce(bulk.stack)
    say(f"{job_id}: {job.tally.seen:,} of {job.plan.total:,}")
    if not dry_run:
        ask("Stop it?", yes=yes)
        if not bulk.jobs.stop(job_id, at=datetime.now(UTC)):
            raise CommandFailed(f"{job_id} ended meanwhile")
        say("stopped")
    if as_json:
        emit_json(description(bulk.job(job_id)))
