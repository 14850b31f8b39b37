"""`jitr bulk status`: how far one job is, and what it could not do."""

from __future__ import annotations

import csv
import sys

import click

from jitr.bulk.job import JobState
from jitr_cli.bulk.progress import say_left
from jitr_cli.bulk.work import Bulk, description, ended
from jitr_cli.console.aws import Aws, aws_options, deployment_option, json_option
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.output import emit_json, say


@click.command("status")
@click.argument("job_id", metavar="JOB")
@click.option("--follow", "wait", is_flag=True, help="show how far it is until it ends")
@click.option("--failed", "only_failed", is_flag=True, help="print the certificates that failed, as CSV (or JSON)")
@deployment_option
@json_option
@aws_options
def command(
    *, aws: Aws, job_id: str, wait: bool, only_failed: bool, deployment: str | None, as_json: bool
) -> ExitCode | None:
    """Say how far a job is, how long it still takes, and why it does not go on.

    What --failed prints can be given to `jitr ca revoke-devices --list` again.
    """
    bulk = Bulk.of(aws, aws.deployment(deployment))
    job = bulk.job(job_id)
    if only_failed:
        _print_failed(bulk, job_id, as_json=as_json)
        return None
    if wait:
        return ended(bulk.followed(job_id), as_json=as_json)
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
    if as_json:
        emit_json(description(job))
    return None


def _print_failed(bulk: Bulk, job_id: str, *, as_json: bool) -> None:
    failed = list(bulk.jobs.failed(job_id))
    columns = ("certificate_id", "reason", "message")
    rows = [(each.certificate_id, each.reason, each.message) for each in failed]
    if as_json:
        emit_json({"failed": [dict(zip(columns, row, strict=True)) for row in rows]})
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
