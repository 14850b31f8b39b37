"""Jobs that follow others: one revocation is either confirmed or undone, and not while another is at work on it."""

from __future__ import annotations

from datetime import UTC, datetime

from jitr.bulk.job import Job, JobKind, JobPlan, JobState
from jitr.bulk.jobs import Jobs
from jitr_cli.console.failures import CommandFailed


def verify_may_follow(jobs: Jobs, job: Job, kind: JobKind) -> None:
    """Check that nothing else is at work on what a job did; raises CommandFailed.

    Not checked: that nobody starts something at this very moment. Each row then decides who was first, so every
    certificate ends either ACTIVE or off, as its row says.
    """
    if job.state is JobState.RUNNING or job.at_work(at=datetime.now(UTC)):
        raise CommandFailed(
            f"{job.job_id} is still at work: `jitr bulk stop {job.job_id}`, and try again after some minutes"
        )
    for other in followers(jobs, job):
        if other.state is JobState.RUNNING or other.at_work(at=datetime.now(UTC)):
            raise CommandFailed(f"{other.job_id} is at work on the same certificates: stop it, or wait for its end")
        if kind is JobKind.CONFIRM and other.plan.kind is JobKind.UNDO:
            raise CommandFailed(f"{job.job_id} was undone by {other.job_id}")


def verify_may_resume(jobs: Jobs, job: Job) -> None:
    """Check that resuming a job would not work against one that follows it; raises CommandFailed."""
    for other in followers(jobs, job):
        raise CommandFailed(f"{other.job_id} followed it ({other.plan.kind}); start a new one instead")


def verify_no_other(jobs: Jobs, plan: JobPlan) -> None:
    """Check that no job brings back what the same CRL switched off; raises CommandFailed."""
    for other in jobs.jobs():
        if other.plan.crl == plan.crl and other.state in (JobState.RUNNING, JobState.STOPPED):
            raise CommandFailed(
                f"{other.job_id} brings these devices back already ({other.state}): `jitr bulk status {other.job_id}`, "
                f"`jitr bulk resume {other.job_id}`"
            )


def followers(jobs: Jobs, job: Job) -> list[Job]:
    """Return the jobs that confirm or undo a job."""
    return [each for each in jobs.jobs() if each.plan.follows == job.job_id]
