"""`jitr bulk list`: the jobs of bulk work, and how they stand."""

from __future__ import annotations

from jitr.bulk.job import Job
from jitr_cli.bulk.progress import say_if_still
from jitr_cli.bulk.work import Bulk, description
from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.output import emit_table, say

_COLUMNS = ("job", "state", "total", "done", "skipped", "failed", "started_at", "started_by")


@reading_command("list")
def command(call: Call) -> ExitCode:
    """List all jobs, the oldest first, with the reason of those that failed."""
    jobs = sorted(Bulk.of(call).jobs.jobs(), key=lambda job: job.started_at)
    return call.finish({"jobs": [description(job) for job in jobs]}, words=lambda: _print(jobs))


def _print(jobs: list[Job]) -> None:
    rows = [description(job) for job in jobs]
    if rows:
        emit_table(_COLUMNS, [tuple(str(row[column]) for column in _COLUMNS) for row in rows])
    for job in jobs:
        if job.failure is not None:
            say(f"{job.job_id}: {job.failure[1]} (docs/bulk-work.md#when-a-job-failed, {job.failure[0]})")
        say_if_still(job)
    say(f"{len(rows)} jobs")
