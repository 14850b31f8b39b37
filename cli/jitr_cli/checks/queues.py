"""What waits in the queues: dead letters, and messages that no function takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from jitr.bulk.jobs import Jobs
from jitr_cli.diagnosis.deployed import Deployed
from jitr_cli.diagnosis.finding import Check, Finding, error, ok, warning
from jitr_cli.dlq.queue import DeadLetterQueue, QueueName
from jitr_cli.dlq.selection import QUEUE_SECTIONS
from jitr_fleet.deployments.runbook import alarm_section

_RECENT = timedelta(minutes=15)
# Letters are kept for 14 days.
_LETTERS_GROW_OLD = timedelta(days=10)
_EVENTS_WAIT = timedelta(minutes=15)
# A shift of bulk work that failed is tried again after an hour.
_WORK_WAITS = timedelta(minutes=90)


def dead_letters(deployed: Deployed) -> Iterator[Finding]:
    """Count the dead letters of each queue."""
    for name in QueueName:
        queue = DeadLetterQueue.of(deployed.aws, deployed.stack, name)
        count = queue.depth().total
        if count:
            yield error(
                f"about {count} dead letters of {name}", fix=f"jitr dlq list; {alarm_section(QUEUE_SECTIONS[name])}"
            )
        else:
            yield ok(f"no dead letters of {name}")


def queue_age(deployed: Deployed) -> Iterator[Finding]:
    """Look at how long the oldest message of each queue has waited."""
    for name in QueueName:
        url = DeadLetterQueue.of(deployed.aws, deployed.stack, name).url
        yield _age(deployed, url, f"dead letters of {name}", _LETTERS_GROW_OLD, "jitr dlq list")
    yield _age(deployed, deployed.stack.bulk_queue, "bulk work", _WORK_WAITS, "docs/runbook/alarms.md#bulk-work-waits")
    yield _age(deployed, deployed.stack.activation_queue, "registration events", _EVENTS_WAIT, "docs/ingestion.md")


def bulk_jobs(deployed: Deployed) -> Iterator[Finding]:
    """Look for jobs of bulk work that should go on, and do not."""
    still = [job.job_id for job in Jobs(deployed.table).still(at=deployed.now)]
    for job in still:
        yield warning(f"job {job} does not move", fix=f"jitr bulk status {job}, then jitr bulk resume {job}")
    if not still:
        yield ok("every job of bulk work goes on, or has ended")


def _age(deployed: Deployed, url: str, what: str, bound: timedelta, fix: str) -> Finding:
    dimensions = {"QueueName": url.rpartition("/")[2]}
    seconds = deployed.figure("AWS/SQS", "ApproximateAgeOfOldestMessage", dimensions, "Maximum", within=_RECENT)
    age = timedelta(seconds=seconds or 0)
    if age > bound:
        return warning(f"{what}: the oldest has waited for {_words(age)}", fix=fix)
    return ok(f"{what}: none has waited for longer than {_words(bound)}")


def _words(time: timedelta) -> str:
    return f"{time.days} days" if time.days else f"{time.seconds // 60} minutes"


CHECKS = (
    Check("dead_letters", "there are no dead letters", dead_letters),
    Check("bulk_jobs", "jobs of bulk work go on", bulk_jobs),
    Check("queue_age", "no message waits for long", queue_age),
)
