"""How far bulk work is, and what it takes: hours at the deployment's share, and which quota would make it less."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jitr.aws.iot import ListedCertificate
from jitr.bulk.job import Job, JobKind, JobPlan, JobState
from jitr.bulk.tasks import Handled, Task
from jitr_cli.console.output import progress, say

_LOOK_EVERY_SECONDS = 2.0
_HOUR, _MINUTE = 3600.0, 60.0
# The quota-limited calls of a job for each certificate, at most.
_CALLS = {
    JobKind.REVOKE: ("DescribeCertificate", "UpdateCertificate"),
    JobKind.CONFIRM: ("UpdateCertificate",),
    JobKind.UNDO: ("UpdateCertificate",),
    JobKind.REJECT: ("UpdateCertificate",),
    JobKind.REATTACH: ("AttachPolicy",),
    JobKind.IMPORT: ("DescribeCertificate",),
}


def calls_of(plan: JobPlan) -> tuple[str, ...]:
    """Return the quota-limited calls that a job makes for each certificate, at most."""
    calls = _CALLS[plan.kind]
    if plan.kind is JobKind.CONFIRM and plan.list_of is not None:
        # A list says no statuses.
        calls = ("DescribeCertificate", *calls)
    return (*calls, "DetachPolicy") if plan.old_policy is not None else calls


def say_effort(plan: JobPlan, certificates: int, *, per_second: float, in_account: bool) -> None:
    """Say how long a job takes at most, and what would make it faster."""
    calls = calls_of(plan)
    seconds = certificates * len(calls) / per_second
    say(
        f"{certificates:,} certificates, up to {len(calls)} call{'s' if len(calls) > 1 else ''} each: "
        f"about {duration(seconds)} at {_pace(per_second)}"
        + (" in the account; this computer is not needed" if in_account else "")
    )
    if seconds >= _HOUR:
        say(
            "AWS IoT allows an account 10 such calls a second in a Region unless a higher quota was granted, and bulk "
            "work has bulk_share percent of them. Faster: ask Service Quotas (AWS IoT Core) for more of "
            f"{' and '.join(f'“{call} API TPS”' for call in calls)}, then raise api_tps in the fleet file, or "
            "bulk_share, and deploy"
        )


def say_left(job: Job, *, per_second: float) -> None:
    """Say how long a job that goes on still takes, at most."""
    left = max(0, job.plan.total - job.tally.seen)
    say(f"about {duration(left * len(calls_of(job.plan)) / per_second)} left at {_pace(per_second)}")


def say_if_still(job: Job) -> None:
    """Say that a job does not move, and what lets it go on."""
    if job.stands_still(at=datetime.now(UTC)):
        say(f"{job.job_id} does not move: nobody is at work on it; let it go on with: jitr bulk resume {job.job_id}")


def _pace(per_second: float) -> str:
    return f"{per_second:g} call{'' if per_second == 1 else 's'} a second"


def duration(seconds: float) -> str:
    """Return a duration in the unit that people would say it in."""
    if seconds >= 48 * _HOUR:
        return f"{seconds / _HOUR:,.0f} hours ({seconds / _HOUR / 24:.1f} days)"
    if seconds >= _HOUR:
        return f"{seconds / _HOUR:.1f} hours"
    return f"{seconds / _MINUTE:.0f} minutes" if seconds >= _MINUTE else f"{seconds:.0f} seconds"


def follow(look: Callable[[], Job]) -> Job:
    """Show how far a job is until it is no longer RUNNING; raises whatever `look` does."""
    job, said = look(), None
    with progress(job.plan.kind.value, total=job.plan.total) as bar:
        bar(job.tally.seen)
        while job.state is JobState.RUNNING:
            if job.failure is not None and job.failure != said:
                said = job.failure
                say(f"a shift failed and is tried again within the hour: {said[1]} ({said[0]})")
            time.sleep(_LOOK_EVERY_SECONDS)
            before, job = job, look()
            bar(job.tally.seen - before.tally.seen)
    return job


@dataclass(frozen=True)
class Watched:
    """A task that says how far it is."""

    task: Task
    progressed: Callable[[int], None]

    def prepare(self, certificate_ids: Sequence[str]) -> None:
        """As the task does."""
        self.task.prepare(certificate_ids)

    def handle(self, certificate: ListedCertificate) -> Handled:
        """Do one certificate, and say so whatever became of it."""
        try:
            return self.task.handle(certificate)
        finally:
            self.progressed(1)

    def settle(self) -> None:
        """As the task does."""
        self.task.settle()

    def conclude(self, *, failed: int) -> None:
        """As the task does."""
        self.task.conclude(failed=failed)
