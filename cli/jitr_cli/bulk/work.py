"""Bulk work from the command line: started here or in the account, followed to its end, and what it takes.

Up to a thousand certificates are done by the command itself, with the same code as in the account and in the same
share of the quotas; more by the deployment's function. Either way there is a job, so either way it can be resumed.
"""

from __future__ import annotations

import functools
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from jitr.aws.iot import IotRegistry
from jitr.aws.pacing import Pace
from jitr.aws.state_table import StateTable
from jitr.bulk.job import Job, JobKind, JobState, Plan
from jitr.bulk.jobs import Jobs
from jitr.bulk.plans import Tasks
from jitr.bulk.queue import Turn, WorkQueue
from jitr.bulk.work import BulkWork, TurnEnd
from jitr.errors import Reason, Undecided
from jitr.settings import Configuration, Mode
from jitr_cli.bulk.progress import Watched, follow
from jitr_cli.console.aws import Aws
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import emit_json, progress, say
from jitr_fleet.deployments.names import partition_of
from jitr_fleet.deployments.stack_outputs import StackOutputs

# More than that is work for the account, not for one computer and its network.
MOST_HERE = 1000
_FOR_EVER = float("inf")


@dataclass(frozen=True, kw_only=True)
class How:
    """How a command's work is to be done: where, at which pace (None: the bulk share), and whether to wait for it."""

    in_account: bool
    rate: float | None
    wait: bool


def bulk_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --in-account, --no-wait and --rate to a command and hand it `how: How`."""

    @click.option(
        "--in-account", is_flag=True, help=f"let the account do it, also where it is no more than {MOST_HERE:,}"
    )
    @click.option("--no-wait", is_flag=True, help="start what the account does, and do not follow it")
    @click.option(
        "--rate", type=click.FloatRange(0.1, 100), help="AWS IoT calls a second, if done here; default: the bulk share"
    )
    @functools.wraps(function)
    def with_how(*, in_account: bool, no_wait: bool, rate: float | None, **options: object) -> object:
        return function(how=How(in_account=in_account, rate=rate, wait=not no_wait), **options)

    return with_how


@dataclass(frozen=True, kw_only=True)
class Bulk:
    """The bulk work of one deployment."""

    aws: Aws
    stack: StackOutputs
    iot: IotRegistry
    table: StateTable

    @classmethod
    def of(cls, aws: Aws, stack: StackOutputs) -> Bulk:
        """Make the parts."""
        return cls(
            aws=aws,
            stack=stack,
            iot=IotRegistry(aws.client("iot")),
            table=StateTable(aws.client("dynamodb"), stack.state_table),
        )

    @property
    def jobs(self) -> Jobs:
        """The jobs."""
        return Jobs(self.table)

    @property
    def tps(self) -> float:
        """How many AWS IoT calls a second bulk work may make."""
        return float(self.stack.bulk_tps)

    def job(self, job_id: str) -> Job:
        """Return a job; raises CommandFailed where there is none of that id."""
        job = self.jobs.job(job_id)
        if job is None:
            raise CommandFailed(f"there is no job {job_id}; `jitr bulk list` shows all")
        return job

    def count(self, ca_certificate_id: str) -> tuple[int, datetime | None]:
        """Count a CA's certificates, and return when the last one was registered, by AWS's clock."""
        count, last, marker = 0, None, None
        with progress("counting certificates", total=None) as bar:
            while True:
                page = self.iot.certificate_page(ca_certificate_id, marker)
                count += len(page.certificates)
                bar(len(page.certificates))
                last = page.certificates[-1].registered_at if page.certificates else last
                marker = page.next_marker
                if marker is None:
                    return count, last

    def start(self, job_id: str, plan: Plan, how: How, *, away: bool, listed: list[str] | None = None) -> Job:
        """Write a job and have it done, `away` in the account; returns it as it is when the command stops looking."""
        if away:
            self.verify_account_acts()
        if listed is not None:
            self.jobs.put_list(job_id, listed)
        by = self.aws.client("sts").get_caller_identity()["Arn"]
        if not self.jobs.create(job_id, plan, by=by, at=datetime.now(UTC)):
            raise CommandFailed(f"there is a job {job_id} already")
        say(f"job {job_id}")
        if not away:
            return self._work_here(job_id, plan, how, by)
        self.send(job_id, 1)
        return self.followed(job_id) if how.wait else self.job(job_id)

    def verify_account_acts(self) -> None:
        """Check that the functions may do work; raises CommandFailed where they only observe."""
        if self.stack.mode == Mode.OBSERVE:
            raise CommandFailed(
                f"deployment {self.stack.deployment} only observes: its functions may change nothing, so they cannot "
                f'do this job. Up to {MOST_HERE:,} certificates are done here; for more, deploy with mode = "activate"'
            )

    def send(self, job_id: str, turn: int) -> None:
        """Let the account do a turn, and all that follow; `verify_account_acts` comes before."""
        WorkQueue(self.aws.client("sqs"), self.stack.bulk_queue).send(Turn(job_id, turn))

    def followed(self, job_id: str) -> Job:
        """Show how far a job is until it ends; whoever interrupts that does not stop the job."""
        try:
            return follow(lambda: self.job(job_id))
        except KeyboardInterrupt:
            say(f"the job goes on in the account: `jitr bulk status {job_id}`, `jitr bulk stop {job_id}`")
            raise

    def _work_here(self, job_id: str, plan: Plan, how: How, by: str) -> Job:
        owner = f"{by}#{uuid.uuid4()}"
        with progress(plan.kind.value, total=plan.total) as bar:
            tasks = self._tasks(how.rate or self.tps)
            work = BulkWork(
                jobs=self.jobs,
                registry=self.iot,
                task_of=lambda job: Watched(tasks.of(job), bar),
                clock=lambda: datetime.now(UTC),
            )
            try:
                result = work.work(Turn(job_id, 1), owner=owner, last_attempt=True, seconds_left=lambda: _FOR_EVER)
            except KeyboardInterrupt:
                self.jobs.stop(job_id, at=datetime.now(UTC))
                self.jobs.release(job_id, owner=owner)
                say(f"stopped; `jitr bulk resume {job_id}` lets the account go on where this stopped")
                raise
            except Undecided:
                say(f"the job failed; once that is mended, `jitr bulk resume {job_id}` lets the account go on")
                raise
        if result.end is not TurnEnd.DONE:
            say("somebody stopped the job")
        return self.job(job_id)

    def _tasks(self, rate: float) -> Tasks:
        region, account = self.aws.region, self.aws.account()
        return Tasks(
            registry=self.iot,
            table=self.table,
            policy_of=Configuration(deployment=self.stack.deployment).policy_name,
            arn_of=lambda certificate_id: f"arn:{partition_of(region)}:iot:{region}:{account}:cert/{certificate_id}",
            pace=Pace(rate, now=time.monotonic, sleep=time.sleep),
            clock=lambda: datetime.now(UTC),
            sleep=time.sleep,
        )


def in_account(plan: Plan, how: How) -> bool:
    """Say whether the account does the work."""
    return how.in_account or plan.total > MOST_HERE


def new_job_id(kind: JobKind) -> str:
    """Return an id that people can tell apart and that sorts by time within its kind."""
    return f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def ended(job: Job, *, as_json: bool) -> ExitCode:
    """Say how a job stands, and return the exit code: 1 where something is left that was not done."""
    tally = job.tally
    if job.plan.kind is JobKind.REVOKE and job.state is JobState.DONE and job.plan.wanted == "INACTIVE":
        say(
            f"they are INACTIVE. `jitr ca revoke-devices --confirm {job.job_id}` makes them REVOKED for good, "
            f"`jitr bulk undo {job.job_id}` brings back those that were ACTIVE"
        )
    say(f"{job.state}: {tally.done:,} done, {tally.skipped:,} left alone, {tally.failed:,} failed")
    if tally.failed:
        say(f"`jitr bulk status {job.job_id} --failed` lists those that failed, with reasons")
    if job.failure is not None:
        say(f"last failure: {job.failure[1]} ({job.failure[0]})")
    if as_json:
        emit_json(description(job))
    if job.state is JobState.FAILED:
        return ExitCode.AWS
    return ExitCode.NO if tally.failed or job.state is JobState.STOPPED else ExitCode.DONE


def description(job: Job) -> dict[str, Any]:
    """Return a job as data."""
    return {
        "job": job.job_id,
        "kind": job.plan.kind.value,
        "state": job.state.value,
        "ca_certificate_id": job.plan.ca_certificate_id,
        "wanted": None if job.plan.wanted is None else job.plan.wanted.value,
        "template": job.plan.template,
        "follows": job.plan.follows,
        "reason": job.plan.reason,
        "total": job.plan.total,
        "done": job.tally.done,
        "skipped": job.tally.skipped,
        "failed": job.tally.failed,
        "started_by": job.started_by,
        "started_at": job.started_at.isoformat(),
        "changed_at": job.changed_at.isoformat(),
        "failure": None if job.failure is None else {"reason": job.failure[0], "message": job.failure[1]},
    }


def verify_ca(bulk: Bulk, ca_certificate_id: str) -> None:
    """Check that AWS IoT knows the CA; raises CommandFailed."""
    try:
        bulk.iot.describe_ca(ca_certificate_id)
    except Undecided as error:
        if error.reason is not Reason.CA_NOT_FOUND:
            raise
        raise CommandFailed(f"AWS IoT knows no CA {ca_certificate_id} here") from error
