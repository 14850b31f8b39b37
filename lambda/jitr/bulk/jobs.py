"""Jobs of bulk work, as the state table keeps them: what is to be done, how far it is, and who started it.

A job is done in shifts of some minutes, numbered from 1. Each shift is one invocation's: it takes the job's lease,
writes after every few certificates where it is, and ends by counting the shift up. Position and counts are one
conditional write, so a certificate is counted once, however often it is looked at again after a crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jitr.aws.state_table import Item, Key, StateTable, number, text
from jitr.bulk.job import FailedCertificate, Job, JobPlan, JobState, Position, Tally
from jitr.errors import Reason

_PARTITION = "bulk"
_SHIFT = "job_turn"  # the stored name of what the code calls a shift
# How long a job that went round without an end is told of: it is FAILED, and nobody can make it anything else.
_TOLD_FOR = timedelta(days=1)
LISTED_AT_ONCE = 250  # ids in one item of a job's list: 16 KB


@dataclass(frozen=True)
class Jobs:
    """The jobs of one deployment."""

    table: StateTable

    def create(self, job_id: str, plan: JobPlan, *, by: str, at: datetime) -> bool:
        """Write a new job whose first shift may begin; returns False where there is one of that id."""
        values = {
            ":plan": {"S": plan.to_json()},
            ":by": {"S": by},
            ":at": {"S": at.isoformat()},
            ":running": {"S": JobState.RUNNING},
            ":one": {"N": "1"},
        }
        update = "SET job_plan = :plan, started_by = :by, started_at = :at, changed_at = :at, #state = :running"
        update += f", {_SHIFT} = :one"
        return self.table.update(_key(job_id), update, values, condition="attribute_not_exists(#state)") is not None

    def put_list(self, job_id: str, certificate_ids: Sequence[str]) -> None:
        """Write the list of a job that is not created yet."""
        for page, start in enumerate(range(0, len(certificate_ids), LISTED_AT_ONCE)):
            ids = " ".join(certificate_ids[start : start + LISTED_AT_ONCE])
            self.table.update(_page_key(job_id, page), "SET certificate_list = :ids", {":ids": {"S": ids}})

    def listed(self, job_id: str, page: int) -> tuple[str, ...]:
        """Read one page of a job's list, counted from 0; empty after the last."""
        item = self.table.get(_page_key(job_id, page)) or {}
        return tuple((text(item, "certificate_list") or "").split())

    def job(self, job_id: str) -> Job | None:
        """Read a job consistently."""
        item = self.table.get(_key(job_id))
        return None if item is None else _job(item)

    def jobs(self) -> Iterator[Job]:
        """Yield all jobs, in the order of their ids."""
        return map(_job, self.table.query(_PARTITION))

    def still(self, *, at: datetime) -> Iterator[Job]:
        """Yield the jobs that do not move: nobody is at work on them, or they went round without an end today."""
        for job in self.jobs():
            endless = job.failure is not None and job.failure[0] == Reason.TOO_MANY_SHIFTS
            if job.stands_still(at=at) or (endless and at - job.changed_at < _TOLD_FOR):
                yield job

    def take(self, job_id: str, shift: int, *, owner: str, until: datetime, at: datetime) -> Job | None:
        """Begin a shift: take the lease; None where the job is not RUNNING, at another shift, or leased to another."""
        values = {
            ":running": {"S": JobState.RUNNING},
            ":shift": {"N": str(shift)},
            ":owner": {"S": owner},
            ":until": {"N": _epoch(until)},
            ":now": {"N": _epoch(at)},
        }
        item = self.table.update(
            _key(job_id),
            "SET lease_owner = :owner, lease_until = :until",
            values,
            condition=f"#state = :running AND {_SHIFT} = :shift"
            " AND (attribute_not_exists(lease_until) OR lease_until < :now)",
        )
        return None if item is None else _job(item)

    def record(self, job: Job, *, owner: str, until: datetime, at: datetime) -> bool:
        """Write position and counts, and keep the lease; False: stopped, or another owner's by now."""
        values = {":until": {"N": _epoch(until)}, **_progress(job, at)}
        return self._write_as(owner, job, f"SET lease_until = :until, {_PROGRESS}", values)

    def end_shift(self, job: Job, *, owner: str, state: JobState, at: datetime) -> bool:
        """End a shift that went well; False: stopped, or another owner's by now. The next shift is one higher."""
        values = {":next": {"N": str(job.shift + 1)}, ":state": {"S": state}, **_progress(job, at)}
        update = f"SET {_SHIFT} = :next, #state = :state, {_PROGRESS}"
        gone = "lease_owner, lease_until, failure_reason, failure_message"
        return self._write_as(owner, job, f"{update} REMOVE {gone}", values)

    def break_off(self, job: Job, *, owner: str, state: JobState, failure: tuple[str, str], at: datetime) -> None:
        """End a shift that failed, and say why; RUNNING lets it be tried again from the last position."""
        reason, message = failure
        values = {
            ":state": {"S": state},
            ":reason": {"S": reason},
            ":message": {"S": message},
            ":at": {"S": at.isoformat()},
        }
        update = "SET #state = :state, failure_reason = :reason, failure_message = :message, changed_at = :at"
        self._write_as(owner, job, f"{update} REMOVE lease_owner, lease_until", values)

    def release(self, job_id: str, *, owner: str) -> None:
        """Give the lease back, whatever has become of the job."""
        condition = "lease_owner = :owner"
        self.table.update(
            _key(job_id), "REMOVE lease_owner, lease_until", {":owner": {"S": owner}}, condition=condition
        )

    def stop(self, job_id: str, *, at: datetime) -> bool:
        """Stop a RUNNING job; the shift that is at work notices after a few certificates. False: it was not RUNNING."""
        values = {
            ":stopped": {"S": JobState.STOPPED},
            ":running": {"S": JobState.RUNNING},
            ":at": {"S": at.isoformat()},
        }
        update = "SET #state = :stopped, changed_at = :at"
        return self.table.update(_key(job_id), update, values, condition="#state = :running") is not None

    def resume(self, job: Job, *, at: datetime) -> int | None:
        """Let a job that is not DONE go on where it was; returns its shift, None where it changed since it was read.

        The shift is a new one, so that a message about the old one that is still under way starts nothing.
        """
        values = {
            ":running": {"S": JobState.RUNNING},
            ":was": {"S": job.state},
            ":shift": {"N": str(job.shift)},
            ":next": {"N": str(job.shift + 1)},
            ":at": {"S": at.isoformat()},
        }
        update = f"SET #state = :running, {_SHIFT} = :next, changed_at = :at REMOVE failure_reason, failure_message"
        written = self.table.update(_key(job.job_id), update, values, condition=f"#state = :was AND {_SHIFT} = :shift")
        return None if written is None else job.shift + 1

    def note_failed(self, job_id: str, failed: FailedCertificate) -> None:
        """Keep why one certificate could not be done; the same one again changes nothing."""
        key = {"pk": {"S": f"bulk-failed#{job_id}"}, "sk": {"S": failed.certificate_id}}
        values = {":reason": {"S": failed.reason}, ":message": {"S": failed.message}}
        self.table.update(key, "SET failure_reason = :reason, failure_message = :message", values)

    def failed(self, job_id: str) -> Iterator[FailedCertificate]:
        """Yield the certificates that a job could not do."""
        for item in self.table.query(f"bulk-failed#{job_id}"):
            yield FailedCertificate(item["sk"]["S"], *(_failure(item) or ("", "")))

    def _write_as(self, owner: str, job: Job, update: str, values: Mapping[str, Any]) -> bool:
        mine = {":owner": {"S": owner}, ":shift": {"N": str(job.shift)}, ":running": {"S": JobState.RUNNING}}
        condition = f"#state = :running AND {_SHIFT} = :shift AND lease_owner = :owner"
        return self.table.update(_key(job.job_id), update, {**values, **mine}, condition=condition) is not None


_PROGRESS = (
    "page_marker = :marker, last_certificate = :last, done_count = :done, skipped_count = :skipped, "
    "failed_count = :failed, changed_at = :at"
)


def _progress(job: Job, at: datetime) -> dict[str, Any]:
    return {
        ":marker": {"S": job.position.marker or ""},
        ":last": {"S": job.position.last or ""},
        ":done": {"N": str(job.tally.done)},
        ":skipped": {"N": str(job.tally.skipped)},
        ":failed": {"N": str(job.tally.failed)},
        ":at": {"S": at.isoformat()},
    }


def _key(job_id: str) -> Key:
    return {"pk": {"S": _PARTITION}, "sk": {"S": job_id}}


def _page_key(job_id: str, page: int) -> Key:
    return {"pk": {"S": f"bulk-list#{job_id}"}, "sk": {"S": f"{page:06}"}}


def _epoch(at: datetime) -> str:
    return str(int(at.timestamp()))


def _failure(item: Item) -> tuple[str, str] | None:
    reason = text(item, "failure_reason")
    return None if reason is None else (reason, text(item, "failure_message") or "")


def _job(item: Item) -> Job:
    return Job(
        job_id=item["sk"]["S"],
        plan=JobPlan.from_json(item["job_plan"]["S"]),
        started_by=item["started_by"]["S"],
        started_at=datetime.fromisoformat(item["started_at"]["S"]),
        state=JobState(item["state"]["S"]),
        shift=number(item, _SHIFT),
        position=Position(text(item, "page_marker") or None, text(item, "last_certificate") or None),
        tally=Tally(number(item, "done_count"), number(item, "skipped_count"), number(item, "failed_count")),
        lease_until=datetime.fromtimestamp(number(item, "lease_until"), UTC),
        changed_at=datetime.fromisoformat(item["changed_at"]["S"]),
        failure=_failure(item),
    )
