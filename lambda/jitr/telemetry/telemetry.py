"""What the functions say: one structured log line and its counts (EMF) for every event, both by Powertools.

Every line of one device carries its `certificate_id`; the figures carry none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from jitr.aws.call_counts import CallCounts, Spent
from jitr.errors import ActivationError, Outcome, Reason, Undecided
from jitr.messages.dead_letters import DeadLetter
from jitr.messages.result import Result
from jitr.registry.notes import DeviceNote
from jitr.telemetry import metric_names
from jitr.telemetry.figures import Figures, requests
from jitr.telemetry.metric_names import NAMESPACE, NOT_ACTIVATED, OUTCOME_METRICS, REASON_DIMENSION

if TYPE_CHECKING:
    # Named in signatures only: an activation's cold start need not read what sweeps and bulk work are made of.
    from jitr.bulk.work import TurnResult
    from jitr.enforcement.sweep import Sweep
    from jitr.revocation import VerifiedCrl


@dataclass(frozen=True)
class Telemetry:
    """Logs and figures of one deployment; `calls` says what was asked of AWS IoT between two reports."""

    logger: Logger
    figures: Figures
    calls: CallCounts = field(default_factory=CallCounts)

    @classmethod
    def create(cls, deployment: str, calls: CallCounts | None = None) -> Telemetry:
        """Make the logger; its level comes from POWERTOOLS_LOG_LEVEL or the function's logging configuration."""
        return cls(Logger(service=NAMESPACE, utc=True), Figures(deployment), calls or CallCounts())

    def began(self, certificate_id: str | None, *, request_id: str) -> None:
        """Report that an event is looked at: of one that Lambda killed, this line is all there is.

        Lambda's own lines about an invocation carry the request id, so this one leads to them.
        """
        fields = {"certificate_id": certificate_id, "outcome": "began", "request_id": request_id}
        self.logger.info("an event is looked at", extra=fields)

    def ended(self, result: Result, *, request_id: str) -> None:
        """Report an event that is done."""
        fields = {
            "certificate_id": result.certificate_id,
            "ca_certificate_id": result.ca_certificate_id,
            "outcome": result.outcome.value,
            "reason": result.reason,
            "step": result.step,
            "warnings": list(result.warnings),
            "waited_seconds": result.waited_seconds,
            "request_id": request_id,
        }
        log = self.logger.warning if result.warnings else self.logger.info
        spent = self.calls.take()
        log(result.message, extra=fields | _throttled(spent))
        waited = {} if result.waited_seconds is None else {metric_names.ACTIVATION_SECONDS: result.waited_seconds}
        reason = None if result.outcome is Outcome.ALREADY_DECIDED else result.reason
        self._count(result.outcome, reason, waited | requests(spent))

    def undecided(
        self, error: Undecided, *, ca_certificate_id: str | None, age_seconds: float | None, request_id: str
    ) -> None:
        """Report an event that has to be delivered again, and how long ago it was published (None: not known).

        The traceback is of interest only for our own mistakes.
        """
        fields: dict[str, Any] = {
            "certificate_id": error.certificate_id,
            "ca_certificate_id": ca_certificate_id,
            "outcome": error.outcome.value,
            "reason": error.reason.value,
            "step": error.step,
            "age_seconds": age_seconds,
            "request_id": request_id,
        }
        spent = self.calls.take()
        self.logger.error(error.message, extra=fields | _throttled(spent), exc_info=error.__cause__)
        throttled = {metric_names.UNDECIDED_THROTTLED: int(_held_up_by_aws_iot(error, spent))}
        self._count(error.outcome, error.reason.value, throttled | _waited(age_seconds) | requests(spent))

    def noted(self, note: DeviceNote) -> None:
        """Report what was done to a certificate without an event of its own."""
        fields = {"certificate_id": note.certificate_id, "outcome": note.outcome, "reason": note.reason}
        self.logger.info(note.message, extra={**note.details, **fields})

    def put_back(self, number: int, *, age_seconds: float | None, request_id: str) -> None:
        """Report events that go back to the queue untried, because AWS IoT or the invocation's time gave no more.

        The age is that of the oldest of them.
        """
        fields = {"outcome": "put_back", "events": number, "request_id": request_id}
        self.logger.info(f"{number} events go back to the queue untried", extra=fields)
        self.figures.write({metric_names.PUT_BACK: number} | _waited(age_seconds))

    def buried(self, letter: DeadLetter) -> None:
        """Report an event that became a dead letter."""
        fields = {"certificate_id": letter.certificate_id, "reason": letter.reason, "step": letter.step}
        self.logger.error(f"a dead letter: {letter.message}", extra={**fields, "outcome": "dead_letter"})

    def queue_failed(self, failure: Undecided) -> None:
        """Report that the queue did not take what was asked of it; the events come back by the queue's own time."""
        fields = {"outcome": "failed", "reason": failure.reason.value}
        self.logger.warning(failure.message, extra=fields, exc_info=failure)

    def swept(
        self,
        ca: str,
        location: str,
        sweep: Sweep,
        *,
        braked_devices: int,
        at: datetime,
        published_at: datetime | None,
    ) -> None:
        """Report a sweep that ended: what it did, and how old the CRL is."""
        crl = sweep.crl
        self.logger.info(
            f"swept the CRL of {ca}: {sweep.outcome}",
            extra={
                "ca": ca,
                "crl_location": location,
                "outcome": sweep.outcome.value,
                "switched_off": sweep.switched_off,
                "vanished": sweep.vanished,
                "braked_devices": braked_devices,
                "crl_number": crl.number if crl else None,
            },
        )
        figures: dict[str, float] = {
            metric_names.SWITCHED_OFF: sweep.switched_off,
            metric_names.VANISHED_FROM_CRL: sweep.vanished,
            metric_names.BRAKED_DEVICES: braked_devices,
            metric_names.SWEEP_FAILED: 0,
        }
        if published_at is not None and sweep.switched_off:
            figures[metric_names.REVOCATION_SECONDS] = (at - published_at).total_seconds()
        self.figures.write(figures | requests(self.calls.take()))
        if crl is not None:
            self.figures.write_of_ca(ca, _age(crl, at))

    def sweep_failed(self, ca: str, location: str, failure: Undecided) -> None:
        """Report a sweep that could not be finished."""
        fields = {"ca": ca, "crl_location": location, "outcome": "failed", "reason": failure.reason.value}
        if failure.certificate_id is not None:
            fields["certificate_id"] = failure.certificate_id
        spent = self.calls.take()
        self.logger.error(failure.message, extra=fields | _throttled(spent), exc_info=failure.__cause__)
        self.figures.write({metric_names.SWEEP_FAILED: 1} | requests(spent))

    def import_failed(self, ca: str, failure: Undecided) -> None:
        """Report that the search for certificates that others activated could not be finished."""
        fields = {"ca": ca, "certificate_id": failure.certificate_id, "outcome": "failed", "reason": failure.reason}
        self.logger.error(failure.message, extra=fields, exc_info=failure.__cause__)

    def only_observes(self) -> None:
        """Report a run of enforcement that did nothing, because the deployment only observes."""
        self.logger.info("nothing is enforced: the deployment only observes", extra={"outcome": "observed"})

    def ca_expires(self, ca: str, left: timedelta) -> None:
        """Report how long a CA certificate is still valid."""
        self.figures.write_of_ca(ca, {metric_names.CA_DAYS_LEFT: left.total_seconds() / 86400})

    def compared_policies(self, drifted: Sequence[str]) -> None:
        """Report which shared policies mean something else than their templates: one line for each."""
        for policy in drifted:
            self.logger.warning(
                f"policy {policy} is not what its template says", extra={"policy": policy, "outcome": "drifted"}
            )
        self.figures.write({metric_names.DRIFTED_POLICIES: len(drifted)})

    def policies_not_compared(self, failure: Exception) -> None:
        """Report that the shared policies could not be compared with their templates this time."""
        reason = failure.reason.value if isinstance(failure, Undecided) else Reason.INTERNAL.value
        fields = {"outcome": "failed", "reason": reason}
        self.logger.warning("the policies could not be compared with their templates", extra=fields, exc_info=failure)

    def rolled_out(self, policies: Mapping[str, str]) -> None:
        """Report what a roll-out did to each policy."""
        self.logger.info("the policies are up to date", extra={"policies": dict(policies), "outcome": "rolled_out"})

    def roll_out_failed(self, policies: Mapping[str, str], message: str, failure: Exception) -> None:
        """Report a roll-out that ended early, and what it had done by then."""
        fields = {"policies": dict(policies), "outcome": "failed"}
        self.logger.error(message, extra=fields, exc_info=failure)

    def resource_failed(self, resource: str, message: str, failure: Exception) -> None:
        """Report what a deploy asked for in vain; `resource` is its logical id in the template."""
        self.logger.error(message, extra={"resource": resource, "outcome": "failed"}, exc_info=failure)

    def turn_ended(self, job_id: str, result: TurnResult) -> None:
        """Report one turn of a job of bulk work, and how far the job is."""
        fields: dict[str, Any] = {"job": job_id, "outcome": result.end.value}
        if result.job is not None:
            tally = result.job.tally
            fields |= {"kind": result.job.plan.kind.value, "total": result.job.plan.total, "turn": result.job.turn}
            fields |= {"done": tally.done, "skipped": tally.skipped, "failed": tally.failed}
        spent = self.calls.take()
        self.logger.info(f"a turn of {job_id}: {result.end}", extra=fields | _throttled(spent))
        self.figures.write(requests(spent))

    def turn_failed(self, job_id: str | None, failure: Exception) -> None:
        """Report a turn that ended early; its message comes back, or becomes a dead letter."""
        reason = failure.reason.value if isinstance(failure, ActivationError) else Reason.INTERNAL.value
        fields = {"job": job_id, "outcome": "failed", "reason": reason}
        if isinstance(failure, ActivationError) and failure.certificate_id is not None:
            fields["certificate_id"] = failure.certificate_id
        spent = self.calls.take()
        self.logger.error(f"a turn of bulk work failed: {failure}", extra=fields | _throttled(spent), exc_info=failure)
        self.figures.write(requests(spent))

    def _count(self, outcome: Outcome, reason: str | None, also: Mapping[str, float]) -> None:
        self.figures.write({OUTCOME_METRICS[outcome]: 1, **also})
        if reason is not None:
            self.figures.write({NOT_ACTIVATED: 1}, more={REASON_DIMENSION: reason})


def _throttled(spent: Spent) -> dict[str, Any]:
    """Return how many requests of which operation AWS IoT throttled, where it did."""
    return {"throttled": dict(spent.throttled)} if spent.throttled else {}


def _held_up_by_aws_iot(error: Undecided, spent: Spent) -> bool:
    """Say whether the call that failed is one that AWS IoT throttled, and not the state table or S3."""
    operation = getattr(error.__cause__, "operation_name", None)
    return error.reason is Reason.THROTTLED and operation in spent.throttled


def _waited(age_seconds: float | None) -> dict[str, float]:
    return {} if age_seconds is None else {metric_names.EVENT_AGE_SECONDS: age_seconds}


def _age(crl: VerifiedCrl, at: datetime) -> dict[str, float]:
    """Return how old a CRL is, and which share of its life has passed."""
    age = (at - crl.this_update).total_seconds()
    figures = {metric_names.CRL_AGE_SECONDS: age}
    if crl.next_update is not None:
        life = (crl.next_update - crl.this_update).total_seconds()
        figures[metric_names.CRL_LIFE_PASSED] = age / life if life > 0 else 1
    return figures
