"""Bulk work: what takes too long for one computer and one invocation, done in shifts that follow one another.

One shift, whose numbers appear in docs/bulk-work.md:

B1. Take the job's lease. Stopped, done, or at another shift: this message is about nothing any more.
B2. Read a page: of the CA's certificates in AWS IoT, or of the list that the operator gave. Begin behind the last one.
B3. Do each certificate. What cannot be done for one is noted and counted; what fails for all ends the shift.
B4. After every few: settle what was left open, then write position and counts. Stopped meanwhile: end here.
B5. The time is over: count the shift up, then send the message for the next one. The list is over: the job is DONE.

Killed anywhere, the message comes back and the shift goes on behind the last written position. Killed between the
two halves of B5, it finds the shift counted up, and sends the next one's message. A message that comes twice starts
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from jitr.aws.iot import CertificatePage, IotRegistry, ListedCertificate
from jitr.bulk.job import FailedCertificate, Job, JobState, Position, Tally
from jitr.bulk.jobs import Jobs
from jitr.bulk.queue import ATTEMPTS, Shift, WorkQueue
from jitr.bulk.tasks import Handled, Task
from jitr.errors import ActivationError, Reason, Rejected, Undecided, as_undecided
from jitr.registry.notes import DeviceNote, Report, unreported

# Longer than the function may run at all, so that whoever finds it ended knows that its owner is dead.
LEASE = timedelta(minutes=11)
# No certificate is begun with less time left: its calls may all be slow, and an activation may have to be waited for.
RESERVED_SECONDS = 180.0
# A message that meets a shift at work looks again after that, or when the shift's lease ends.
AGAIN_SECONDS = 60
# SQS's own limit (API reference, SendMessage).
_LONGEST_DELAY_SECONDS = 900
_WRITE_EVERY = 20
# Failures of one certificate; everything else would happen to the next one too.
_OF_ONE = frozenset({Reason.CERTIFICATE_NOT_FOUND, Reason.MALFORMED_CERTIFICATE, Reason.AWS_REFUSED, Reason.INTERNAL})


class ShiftEnd(StrEnum):
    """How a shift ended."""

    MORE = "more"
    DONE = "done"
    STOPPED = "stopped"
    BUSY = "busy"
    PASSED = "passed"


@dataclass(frozen=True, kw_only=True)
class ShiftResult:
    """What one message led to; `job` as it was then, None where there is none of that id."""

    end: ShiftEnd
    job: Job | None


@dataclass(frozen=True, kw_only=True)
class BulkWork:
    """The use case; `task_of` says what a job does to each certificate. `clock` is in UTC.

    `per_second` is the pace of all jobs together, by which a job that takes too many shifts is known.
    `report` is told of each certificate that a job did, or could not do; not of those that were none of its business.
    """

    jobs: Jobs
    registry: IotRegistry
    task_of: Callable[[Job], Task]
    clock: Callable[[], datetime]
    report: Report = unreported
    per_second: float = 1.0

    def take(
        self,
        shift: Shift,
        queue: WorkQueue,
        *,
        owner: str,
        attempt: int,
        seconds_left: Callable[[], float],
    ) -> ShiftResult:
        """Do what a message asks for, and send the one that follows; `attempt` counts its deliveries from 1.

        Raises whatever ended the shift early; the message has to come back then, unless it was the last attempt.
        """
        result = self.work(shift, owner=owner, last_attempt=attempt >= ATTEMPTS, seconds_left=seconds_left)
        if result.end is ShiftEnd.MORE:
            queue.send(Shift(shift.job_id, shift.number + 1))
        elif result.end is ShiftEnd.BUSY:
            # Not just left to its owner: this may be the owner's own message, delivered twice. Then it goes on when the
            # owner's lease has ended, and before that nobody has to look.
            queue.send(shift, delay_seconds=self._until_free(result.job))
        elif result.end is ShiftEnd.PASSED and result.job is not None and not result.job.at_work(at=self.clock()):
            # Whoever did this shift may have been killed before the next one's message.
            queue.send(Shift(shift.job_id, result.job.shift))
        return result

    def work(
        self, shift: Shift, *, owner: str, seconds_left: Callable[[], float], last_attempt: bool = False
    ) -> ShiftResult:
        """Do one shift, as far as the time reaches; raises what ended it early, which the job then says."""
        at = self.clock()
        # (B1)
        job = self.jobs.take(shift.job_id, shift.number, owner=owner, until=at + LEASE, at=at)
        if job is None:
            return self._not_taken(shift, at)
        run = _Run(work=self, task=None, job=job, owner=owner)
        most = job.shifts_at_most(per_second=self.per_second)
        if job.shift > most:
            why = f"its size explains {most} shifts, and this is shift {job.shift}: it goes round without an end"
            run.break_off(Undecided(Reason.TOO_MANY_SHIFTS, why), JobState.FAILED)
            return ShiftResult(end=ShiftEnd.STOPPED, job=replace(job, state=JobState.FAILED))
        try:
            run.task = self.task_of(job)
            end = run.until(seconds_left)
        except Exception as error:
            run.break_off(error, JobState.FAILED if last_attempt else JobState.RUNNING)
            raise
        return ShiftResult(end=end, job=run.job)

    def _until_free(self, job: Job | None) -> int:
        left = 0.0 if job is None else (job.lease_until - self.clock()).total_seconds()
        return round(min(max(left + 1, AGAIN_SECONDS), _LONGEST_DELAY_SECONDS))

    def _not_taken(self, shift: Shift, at: datetime) -> ShiftResult:
        job = self.jobs.job(shift.job_id)
        if job is None or job.state is not JobState.RUNNING or not 0 <= job.shift - shift.number <= 1:
            return ShiftResult(end=ShiftEnd.STOPPED, job=job)
        busy = job.shift == shift.number and job.at_work(at=at)
        return ShiftResult(end=ShiftEnd.BUSY if busy else ShiftEnd.PASSED, job=job)

    def page(self, job: Job) -> CertificatePage:
        """Read the page that a job is at."""
        plan, marker = job.plan, job.position.marker
        if plan.list_of is None:
            return self.registry.certificate_page(plan.ca_certificate_id, marker)
        page = int(marker or 0)
        listed = self.jobs.listed(plan.list_of, page)
        return CertificatePage(tuple(map(ListedCertificate, listed)), str(page + 1) if listed else None)


@dataclass(kw_only=True)
class _Run:
    """One shift at work: the job as it is in memory, written to the table now and then."""

    work: BulkWork
    task: Task | None
    job: Job
    owner: str

    def until(self, seconds_left: Callable[[], float]) -> ShiftEnd:
        """Work until the time or the list is over, or an operator stops the job."""
        while True:
            # (B2)
            page = self.work.page(self.job)
            waiting = iter(_behind(page.certificates, self.job.position.last))
            while seconds_left() >= RESERVED_SECONDS and (some := list(islice(waiting, _WRITE_EVERY))):
                self._do(some, seconds_left)
                # (B4)
                if not self._record():
                    return self._stopped()
            # (B5)
            if seconds_left() < RESERVED_SECONDS:
                return self._end(ShiftEnd.MORE, JobState.RUNNING)
            if page.next_marker is None:
                self._task.conclude(failed=self.job.tally.failed)
                return self._end(ShiftEnd.DONE, JobState.DONE)
            self.job = replace(self.job, position=Position(marker=page.next_marker))

    def break_off(self, error: Exception, state: JobState) -> None:
        """Write why the shift ended early; what it did since the last write is done again."""
        reason = error.reason if isinstance(error, ActivationError) else Reason.INTERNAL
        message = error.message if isinstance(error, ActivationError) else f"unexpected {type(error).__name__}"
        self.work.jobs.break_off(
            self.job, owner=self.owner, state=state, failure=(reason, message), at=self.work.clock()
        )

    def _do(self, certificates: Sequence[ListedCertificate], seconds_left: Callable[[], float]) -> None:
        """Do some certificates; the job in memory then says how far it came."""
        task = self._task
        task.prepare([each.certificate_id for each in certificates])
        # (B3)
        for certificate in certificates:
            if seconds_left() < RESERVED_SECONDS:
                break
            tally = _counted(self.job.tally, self._one(certificate))
            position = replace(self.job.position, last=certificate.certificate_id)
            self.job = replace(self.job, tally=tally, position=position)

    def _one(self, certificate: ListedCertificate) -> Handled | None:
        """Do one certificate; None where it could not be done."""
        try:
            handled = self._task.handle(certificate)
        except Exception as found:
            error = found if isinstance(found, ActivationError) else as_undecided(found)
            error.certificate_id = certificate.certificate_id
            if not isinstance(error, Rejected) and error.reason not in _OF_ONE:
                raise
            failed = FailedCertificate(certificate.certificate_id, error.reason, error.message)
            self.work.jobs.note_failed(self.job.job_id, failed)
            self.work.report(_note(self.job, certificate.certificate_id, "failed", error))
            return None
        if handled is Handled.DONE:
            self.work.report(_note(self.job, certificate.certificate_id, handled.value, None))
        return handled

    def _record(self) -> bool:
        self._task.settle()
        at = self.work.clock()
        return self.work.jobs.record(self.job, owner=self.owner, until=at + LEASE, at=at)

    def _end(self, end: ShiftEnd, state: JobState) -> ShiftEnd:
        if self.work.jobs.end_shift(self.job, owner=self.owner, state=state, at=self.work.clock()):
            return end
        return self._stopped()

    def _stopped(self) -> ShiftEnd:
        self.work.jobs.release(self.job.job_id, owner=self.owner)
        return ShiftEnd.STOPPED

    @property
    def _task(self) -> Task:
        if self.task is None:
            raise TypeError(self.task)
        return self.task


def _behind(certificates: Sequence[ListedCertificate], last: str | None) -> Iterator[ListedCertificate]:
    """Yield the certificates behind the last one that was done; all of them where that one has left the list."""
    ids = [each.certificate_id for each in certificates]
    return iter(certificates[ids.index(last) + 1 :] if last in ids else certificates)


def _note(job: Job, certificate_id: str, outcome: str, error: ActivationError | None) -> DeviceNote:
    about = f"bulk work, {job.plan.kind}, job {job.job_id}"
    return DeviceNote(
        certificate_id=certificate_id,
        outcome=outcome,
        reason=error.reason if error else None,
        message=f"{about}: {error.message}" if error else about,
        details={"job": job.job_id, "kind": job.plan.kind.value, "wanted": job.plan.wanted},
    )


def _counted(tally: Tally, handled: Handled | None) -> Tally:
    match handled:
        case Handled.DONE:
            return replace(tally, done=tally.done + 1)
        case Handled.SKIPPED:
            return replace(tally, skipped=tally.skipped + 1)
    return replace(tally, failed=tally.failed + 1)
