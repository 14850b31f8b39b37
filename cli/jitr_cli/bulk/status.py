"""`jitr bulk status`: how far one job is, and what it could not do."""

from __future__ import annotations

import click

from jitr.bulk.job import JobState
from jitr_cli.bulk.progress import say_if_still, say_left
from jitr_cli.bulk.work import Bulk, description
from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.output import emit_csv, say

_FAILED = ("certificate_id", "reason", "message")


@reading_command("status")
@click.argument("job_id", metavar="JOB")
@click.option("--follow", "wait", is_flag=True, help="show how far it is until it ends")
@click.option("--failed", "only_failed", is_flag=True, help="print the certificates that failed, as CSV (or JSON)")
def command(call: Call, *, job_id: str, wait: bool, only_failed: bool) -> ExitCode:
    """Say how far a job is, how long it still takes, and why it does not go on.

    What --failed prints can be given to `jitr ca revoke-devices --list` again.
    """
    bulk = Bulk.of(call)
    job = bulk.job(job_id)
    if only_failed:
        rows = [(each.certificate_id, each.reason, each.message) for each in bulk.jobs.failed(job_id)]
        data = {"failed": [dict(zip(_FAILED, row, strict=True)) for row in rows]}
        return call.finish(data, words=lambda: emit_csv(_FAILED, rows))
    if wait:
        return bulk.ended(bulk.followed(job_id))
    seen, total = job.tally.seen, job.plan.total
    say(
        f"{job.job_id}: {job.state}, {seen:,} of {total:,}; started {job.started_at:%Y-%m-%d %H:%M} by {job.started_by}"
    )
    say(f"{job.tally.done:,} done, {job.tally.skipped:,} left alone, {job.tally.failed:,} failed")
    if job.failure is not None:
        say(f"last failure: {job.failure[1]} ({job.failure[0]})")
    if job.state is JobState.RUNNING:
        say_left(job, per_second=bulk.tps)
        say(f"last heard of at {job.changed_at:%Y-%m-%d %H:%M:%S} UTC")
        say_if_still(job)
    return call.finish(description(job))
