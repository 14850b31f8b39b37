"""What the activation function says of each event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jitr.aws.call_counts import Spent
from jitr.errors import Outcome, Reason, Undecided
from jitr.messages.dead_letters import DeadLetter
from jitr.messages.result import EventResult
from jitr.telemetry import metric_names
from jitr.telemetry.metric_names import NOT_ACTIVATED, OUTCOME_METRICS, REASON_DIMENSION
from jitr.telemetry.metrics import requests
from jitr.telemetry.telemetry import Telemetry, throttled


@dataclass(frozen=True)
class ActivationTelemetry(Telemetry):
    """Logs and metrics of activations: one line and its counts for every event."""

    def began(self, certificate_id: str | None, *, request_id: str) -> None:
        """Report that an event is looked at: of one that Lambda killed, this line is all there is.

        Lambda's own lines about an invocation carry the request id, so this one leads to them.
        """
        fields = {"certificate_id": certificate_id, "outcome": "began", "request_id": request_id}
        self.logger.info("an event is looked at", extra=fields)

    def ended(self, result: EventResult, *, request_id: str) -> None:
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
        if result.refused_client_id is not None:
            fields["client_id"] = result.refused_client_id
        log = self.logger.warning if result.warnings else self.logger.info
        spent = self.calls.take()
        log(result.message, extra=fields | throttled(spent))
        waited = {} if result.waited_seconds is None else {metric_names.ACTIVATION_SECONDS: result.waited_seconds}
        if result.refused_client_id is not None:
            waited[metric_names.CLIENT_ID_REFUSED] = 1
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
        self.logger.error(error.message, extra=fields | throttled(spent), exc_info=error.__cause__)
        held_up = {metric_names.UNDECIDED_THROTTLED: int(_held_up_by_aws_iot(error, spent))}
        self._count(error.outcome, error.reason.value, held_up | _waited(age_seconds) | requests(spent))

    def put_back(self, number: int, *, age_seconds: float | None, request_id: str) -> None:
        """Report events that go back to the queue untried, because AWS IoT or the invocation's time gave no more.

        The age is that of the oldest of them.
        """
        fields = {"outcome": "put_back", "events": number, "request_id": request_id}
        self.logger.info(f"{number} events go back to the queue untried", extra=fields)
        self.metrics.write({metric_names.PUT_BACK: number} | _waited(age_seconds))

    def buried(self, letter: DeadLetter) -> None:
        """Report an event that became a dead letter."""
        fields = {"certificate_id": letter.certificate_id, "reason": letter.reason, "step": letter.step}
        self.logger.error(f"a dead letter: {letter.message}", extra={**fields, "outcome": "dead_letter"})

    def queue_failed(self, failure: Undecided) -> None:
        """Report that the queue did not take what was asked of it; the events come back by the queue's own time."""
        fields = {"outcome": "failed", "reason": failure.reason.value}
        self.logger.warning(failure.message, extra=fields, exc_info=failure)

    def _count(self, outcome: Outcome, reason: str | None, also: Mapping[str, float]) -> None:
        self.metrics.write({OUTCOME_METRICS[outcome]: 1, **also})
        if reason is not None:
            self.metrics.write({NOT_ACTIVATED: 1}, more={REASON_DIMENSION: reason})


def _held_up_by_aws_iot(error: Undecided, spent: Spent) -> bool:
    """Return whether the call that failed is one that AWS IoT throttled, and not the state table or S3."""
    operation = getattr(error.__cause__, "operation_name", None)
    return error.reason is Reason.THROTTLED and operation in spent.throttled


def _waited(age_seconds: float | None) -> dict[str, float]:
    return {} if age_seconds is None else {metric_names.EVENT_AGE_SECONDS: age_seconds}
