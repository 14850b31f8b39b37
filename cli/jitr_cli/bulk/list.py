"""`jitr bulk list`: the jobs of bulk work, and how they stand."""

from __future__ import annotations

import click

from jitr_cli.bulk.work import Bulk, description
from jitr_cli.console.aws import Aws, aws_options, deployment_option, json_option
from jitr_cli.console.output import emit_json, emit_table, say

_COLUMNS = ("job", "state", "total", "done", "skipped", "failed", "started_at", "started_by")


@click.command("list")
@deployment_option
@json_option
@aws_options
def command(*, aws: Aws, deployment: str | None, as_json: bool) -> None:
    """List all jobs, the oldest first, with the reason of those that failed."""
    bulk = Bulk.of(aws, aws.deployment(deployment))
    jobs = sorted(bulk.jobs.jobs(), key=lambda job: job.started_at)
    if as_json:
        emit_json({"jobs": [description(job) for job in jobs]})
        return
    rows = [description(job) for job in jobs]
    if rows:
        emit_table(_COLUMNS, [tuple(str(row[column]) for column in _COLUMNS) for row in rows])
    for job in jobs:
        if job.failure is not None:
            say(f"{job.job_id}: {job.failure[1]} (docs/bulk-work.md#when-a-job-failed, {job.failure[0]})")
    say(f"{len(rows)} jobs")
