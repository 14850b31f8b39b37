"""Bulk work from the command line: started here or in the account, followed to its end, and what it takes.

Up to a thousand certificates are done by the command itself, with the same code as in the account and in the same
share of the quotas; more by the deployment's function. Either way there is a job, so either way it can be resumed.
"""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from jitr.aws.iot import IotRegistry
from jitr.aws.pacing import Pace
from jitr.aws.state_table import StateTable
from jitr.bulk.job import Job, JobKind, JobPlan, JobState
from jitr.bulk.jobs import Jobs
from jitr.bulk.plans import Tasks
from jitr.bulk.queue import Shift, WorkQueue
from jitr.bulk.work import BulkWork, ShiftEnd
from jitr.errors import Reason, Undecided
from jitr.settings import Configuration, Mode
from jitr_cli.bulk.progress import Watched, follow, say_effort
from jitr_cli.console.call import Call
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.options import gathered
from jitr_cli.console.output import progress, say
from jitr_cli.devices.services import disconnecting_of
from jitr_fleet.deployments.names import partition_of

# More than that is work for the account, not for one computer and its network.
MOST_HERE = 1000
_FOR_EVER = float("inf")


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """Where a command's work is to be done, at which pace (None: the bulk share), and whether to follow it."""

    in_account: bool
    rate: float | None
    no_wait: bool


work_options = gathered(
    "options",
    WorkOptions,
    click.option(
        "--in-account", is_flag=True, help=f"let the account do it, also where it is no more than {MOST_HERE:,}"
    ),
    click.option("--no-wait", is_flag=True, help="start what the account does, and do not follow it"),
    click.option(
        "--rate", type=click.FloatRange(0.1, 100), help="AWS IoT calls a second, if done here; default: the bulk share"
    ),
)


@dataclass(frozen=True, kw_only=True)
class Bulk:
    """The bulk work of one deployment."""

    call: Call
    iot: IotRegistry
    table: StateTable

    @classmethod
    def of(cls, call: Call) -> Bulk:
        """Make the parts."""
        return cls(
            call=call,
            iot=IotRegistry(call.aws.client("iot")),
            table=StateTable(call.aws.client("dynamodb"), call.stack.state_table),
        )

    @property
    def jobs(self) -> Jobs:
        """The jobs."""
        return Jobs(self.table)

    @property
    def tps(self) -> float:
        """How many AWS IoT calls a second bulk work may make."""
        return float(self.call.stack.bulk_tps)

    def job(self, job_id: str) -> Job:
        """Return a job; raises CommandFailed where there is none of that id."""
        job = self.jobs.job(job_id)
        if job is None:
            raise CommandFailed(f"there is no job {job_id}; `jitr bulk list` shows all")
        return job

    def rate(self, options: WorkOptions, *, away: bool) -> float:
        """Return how many calls a second a job makes, `away` in the account."""
        return self.tps if away else options.rate or self.tps

    def say_effort(self, plan: JobPlan, options: WorkOptions) -> None:
        """Say how long a job takes, and where it is done."""
        away = in_account(plan, options)
        say_effort(plan, plan.total, per_second=self.rate(options, away=away), in_account=away)

    def carry_out(
        self, job_id: str, plan: JobPlan, options: WorkOptions, *, question: str, listed: list[str] | None = None
    ) -> ExitCode:
        """Ask, do the job and say how it ended; in a dry run, and where there is nothing to do, only the latter."""
        if plan.total == 0 or not self.call.confirm(question):
            return self.call.finish(_description(plan))
        return self.ended(self.start(job_id, plan, options, away=in_account(plan, options), listed=listed))

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

    def start(
        self, job_id: str, plan: JobPlan, options: WorkOptions, *, away: bool, listed: list[str] | None = None
    ) -> Job:
        """Write a job and have it done, `away` in the account; returns it as it is when the command stops looking."""
        if away:
            self.verify_account_acts()
        if listed is not None:
            self.jobs.put_list(job_id, listed)
        by = self.call.aws.caller()
        if not self.jobs.create(job_id, plan, by=by, at=datetime.now(UTC)):
            raise CommandFailed(f"there is a job {job_id} already")
        say(f"job {job_id}")
        if not away:
            return self._work_here(job_id, plan, options, by)
        self.send(job_id, 1)
        return self.job(job_id) if options.no_wait else self.followed(job_id)

    def verify_account_acts(self) -> None:
        """Check that the functions may do work; raises CommandFailed where they only observe."""
        if self.call.stack.mode == Mode.OBSERVE:
            raise CommandFailed(
                f"deployment {self.call.stack.deployment} only observes: its functions may change nothing, so they "
                f"cannot do this job. Up to {MOST_HERE:,} certificates are done here; for more, deploy with "
                'mode = "activate"'
            )

    def send(self, job_id: str, shift: int) -> None:
        """Let the account do a shift, and all that follow; `verify_account_acts` comes before."""
        WorkQueue(self.call.aws.client("sqs"), self.call.stack.bulk_queue).send(Shift(job_id, shift))

    def followed(self, job_id: str) -> Job:
        """Show how far a job is until it ends; interrupting that does not stop the job."""
        try:
            return follow(lambda: self.job(job_id))
        except KeyboardInterrupt:
            say(f"the job goes on in the account: `jitr bulk status {job_id}`, `jitr bulk stop {job_id}`")
            raise

    def ended(self, job: Job) -> ExitCode:
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
        ending = ExitCode.NO if tally.failed or job.state is JobState.STOPPED else ExitCode.DONE
        return self.call.finish(description(job), ExitCode.AWS if job.state is JobState.FAILED else ending)

    def _work_here(self, job_id: str, plan: JobPlan, options: WorkOptions, by: str) -> Job:
        owner = f"{by}#{uuid.uuid4()}"
        with progress(plan.kind.value, total=plan.total) as bar:
            tasks = self._tasks(options.rate or self.tps)
            work = BulkWork(
                jobs=self.jobs,
                registry=self.iot,
                task_of=lambda job: Watched(tasks.of(job), bar),
                clock=lambda: datetime.now(UTC),
            )
            try:
                result = work.work(Shift(job_id, 1), owner=owner, last_attempt=True, seconds_left=lambda: _FOR_EVER)
            except KeyboardInterrupt:
                self.jobs.stop(job_id, at=datetime.now(UTC))
                self.jobs.release(job_id, owner=owner)
                say(f"stopped; `jitr bulk resume {job_id}` lets the account go on where this stopped")
                raise
            except Undecided:
                say(f"the job failed; once that is mended, `jitr bulk resume {job_id}` lets the account go on")
                raise
        if result.end is not ShiftEnd.DONE:
            say("the job was stopped")
        return self.job(job_id)

    def _tasks(self, rate: float) -> Tasks:
        region, account = self.call.aws.region, self.call.aws.account()
        return Tasks(
            registry=self.iot,
            table=self.table,
            policy_of=Configuration(deployment=self.call.stack.deployment).policy_name,
            arn_of=lambda certificate_id: f"arn:{partition_of(region)}:iot:{region}:{account}:cert/{certificate_id}",
            pace=Pace(rate, now=time.monotonic, sleep=time.sleep),
            clock=lambda: datetime.now(UTC),
            sleep=time.sleep,
            disconnecting=disconnecting_of(self.call.aws, self.call.stack),
        )


def in_account(plan: JobPlan, options: WorkOptions) -> bool:
    """Return whether the account does a job: it is asked to, or it is too much for one computer."""
    return options.in_account or plan.total > MOST_HERE


def new_job_id(kind: JobKind) -> str:
    """Return an id that people can tell apart and that sorts by time within its kind."""
    return f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def description(job: Job) -> dict[str, Any]:
    """Return a job as data."""
    return _description(
        job.plan,
        job=job.job_id,
        state=job.state.value,
        done=job.tally.done,
        skipped=job.tally.skipped,
        failed=job.tally.failed,
        started_by=job.started_by,
        started_at=job.started_at.isoformat(),
        changed_at=job.changed_at.isoformat(),
        stands_still=job.stands_still(at=datetime.now(UTC)),
        failure=None if job.failure is None else {"reason": job.failure[0], "message": job.failure[1]},
    )


def _description(plan: JobPlan, **known: object) -> dict[str, Any]:
    """Return what is known of a job as data; before it is started that is its plan alone, and the rest is null."""
    return {
        "job": None,
        "kind": plan.kind.value,
        "state": None,
        "ca_certificate_id": plan.ca_certificate_id,
        "wanted": None if plan.wanted is None else plan.wanted.value,
        "template": plan.template,
        "follows": plan.follows,
        "reason": plan.reason,
        "total": plan.total,
        "done": 0,
        "skipped": 0,
        "failed": 0,
        "started_by": None,
        "started_at": None,
        "changed_at": None,
        "failure": None,
        **known,
    }


def verify_ca(bulk: Bulk, ca_certificate_id: str) -> None:
    """Check that AWS IoT knows the CA; raises CommandFailed."""
    try:
        bulk.iot.describe_ca(ca_certificate_id)
    except Undecided as error:
        if error.reason is not Reason.CA_NOT_FOUND:
            raise
        raise CommandFailed(f"AWS IoT knows no CA {ca_certificate_id} here") from error
