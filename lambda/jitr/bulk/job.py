"""A job of bulk work as data: what is to be done, how far it is, and who started it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from jitr.aws.iot import CertificateStatus

# What a job of any kind asks of AWS IoT for each certificate, at most.
_CALLS = 3
# A shift works for seven minutes of its ten; four shifts at most share a pace.
_SECONDS_OF_A_SHIFT = 7 * 60 / 4
# Shifts that an operator's stops and resumes, and shifts that did little, may take beside those that the size explains.
_SHIFTS_TO_SPARE = 100
# A shift that failed comes back after an hour. A job that nobody wrote anything of for longer does not move.
STILL_AFTER = timedelta(hours=2)


# Keys of a plan that earlier versions did not have.
_NEW = frozenset({"scope", "crl"})


class JobKind(StrEnum):
    """What a job does to each certificate."""

    REVOKE = "revoke"
    CONFIRM = "confirm"
    UNDO = "undo"
    REATTACH = "reattach"
    IMPORT = "import"
    REJECT = "reject"


class JobState(StrEnum):
    """Where a job stands. Only RUNNING ones are worked on; STOPPED and FAILED ones can be resumed."""

    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class JobPlan:
    """What a job is to do; nothing of it ever changes.

    Its certificates are those in the list of the job `list_of`, or all of the CA's; of these only the ones registered
    by `registered_until` (epoch seconds), if that is set. `total` is how many there were when it was started.
    `wanted` is the status that revoking sets. `follows` is the job that this one confirms or undoes. `template` is
    attached and the policy `old_policy` detached. `reason` is what the operator said. `crl` is the SHA-256 of a CRL
    that was refused, and `scope` its scope.
    """

    kind: JobKind
    ca_certificate_id: str
    total: int
    list_of: str | None = None
    registered_until: int | None = None
    wanted: CertificateStatus | None = None
    follows: str | None = None
    template: str | None = None
    old_policy: str | None = None
    reason: str | None = None
    scope: str | None = None
    crl: str | None = None

    def to_json(self) -> str:
        """Return it as text."""
        # A function of before takes no keys that it does not know.
        values = {name: value for name, value in asdict(self).items() if name not in _NEW or value is not None}
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> JobPlan:
        """Read what `to_json` wrote; raises ValueError, KeyError or TypeError on anything else."""
        data = json.loads(text)
        wanted = data["wanted"]
        return cls(
            **{**data, "kind": JobKind(data["kind"]), "wanted": None if wanted is None else CertificateStatus(wanted)}
        )


@dataclass(frozen=True)
class Position:
    """How far a job is: `marker` begins a page of its list, `last` is the certificate on it that was looked at last."""

    marker: str | None = None
    last: str | None = None


@dataclass(frozen=True)
class Tally:
    """What became of the certificates so far: as wanted, none of the job's business, or failed."""

    done: int = 0
    skipped: int = 0
    failed: int = 0

    @property
    def seen(self) -> int:
        """Return how many were looked at."""
        return self.done + self.skipped + self.failed


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job; `failure` is why its last shift ended early: a reason code and a sentence."""

    job_id: str
    plan: JobPlan
    started_by: str
    started_at: datetime
    state: JobState
    shift: int
    position: Position
    tally: Tally
    lease_until: datetime
    changed_at: datetime
    failure: tuple[str, str] | None

    def at_work(self, *, at: datetime) -> bool:
        """Return whether some shift may be at work on it."""
        return self.lease_until > at

    def stands_still(self, *, at: datetime) -> bool:
        """Say whether the job should go on, and nobody has been at work on it for two hours."""
        return self.state is JobState.RUNNING and not self.at_work(at=at) and at - self.changed_at > STILL_AFTER

    def shifts_at_most(self, *, per_second: float) -> int:
        """Return how many shifts its size explains at that pace; more of them go round without an end."""
        calls = _CALLS * max(self.plan.total, self.tally.seen)
        return _SHIFTS_TO_SPARE + math.ceil(calls / (per_second * _SECONDS_OF_A_SHIFT))

    def followed_by(
        self, kind: JobKind, *, wanted: CertificateStatus | None = None, reason: str | None = None
    ) -> JobPlan:
        """Return the plan of a job that confirms or undoes this one: it goes through the same certificates."""
        return JobPlan(
            kind=kind,
            ca_certificate_id=self.plan.ca_certificate_id,
            total=self.plan.total,
            list_of=self.plan.list_of,
            registered_until=self.plan.registered_until,
            wanted=wanted,
            follows=self.job_id,
            reason=reason,
        )


@dataclass(frozen=True)
class FailedCertificate:
    """One certificate that a job could not do, and why."""

    certificate_id: str
    reason: str
    message: str
