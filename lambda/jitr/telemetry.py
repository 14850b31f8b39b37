"""What the functions say: one structured log line and its counts (EMF) for every event, both by Powertools.

Every line of one device carries its `certificate_id`. Counts carry the deployment, and the reason where there is one;
never an id, because CloudWatch bills each combination of dimensions as a metric of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit, single_metric

from jitr import metric_names
from jitr.bulk_work import TurnResult
from jitr.enforcement import Sweep
from jitr.errors import ActivationError, Outcome, Reason, Undecided
from jitr.metric_names import DEPLOYMENT_DIMENSION, NAMESPACE, NOT_ACTIVATED, OUTCOME_METRICS, REASON_DIMENSION
from jitr.results import Result


@dataclass(frozen=True)
class Telemetry:
    """Logs and counts of one deployment."""

    logger: Logger
    deployment: str

    @classmethod
    def create(cls, deployment: str) -> Telemetry:
        """Make the logger; its level comes from POWERTOOLS_LOG_LEVEL or the function's logging configuration."""
        return cls(Logger(service=NAMESPACE, utc=True), deployment)

    def ended(self, result: Result, *, request_id: str) -> None:
        """Report an event that is done."""
        fields = {
            "certificate_id": result.certificate_id,
            "ca_certificate_id": result.ca_certificate_id,
            "outcome": result.outcome.value,
            "reason": result.reason,
            "step": result.step,
            "warnings": list(result.warnings),
            "request_id": request_id,
        }
        log = self.logger.warning if result.warnings else self.logger.info
        log(result.message, extra=fields)
        self._count(result.outcome, None if result.outcome is Outcome.ALREADY_DECIDED else result.reason)

    def undecided(self, error: Undecided, *, ca_certificate_id: str | None, request_id: str) -> None:
        """Report an event that has to be delivered again; the traceback is of interest only for our own mistakes."""
        fields: dict[str, Any] = {
            "certificate_id": error.certificate_id,
            "ca_certificate_id": ca_certificate_id,
            "outcome": error.outcome.value,
            "reason": error.reason.value,
            "step": error.step,
            "request_id": request_id,
        }
        self.logger.error(error.message, extra=fields, exc_info=error.__cause__)
        self._count(error.outcome, error.reason.value)

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
        if crl is not None:
            age = (at - crl.this_update).total_seconds()
            figures[metric_names.CRL_AGE_SECONDS] = age
            if crl.next_update is not None:
                life = (crl.next_update - crl.this_update).total_seconds()
                figures[metric_names.CRL_LIFE_PASSED] = age / life if life > 0 else 1
        if published_at is not None and sweep.switched_off:
            figures[metric_names.REVOCATION_SECONDS] = (at - published_at).total_seconds()
        self._measure(figures)

    def sweep_failed(self, ca: str, location: str, failure: Undecided) -> None:
        """Report a sweep that could not be finished."""
        fields = {"ca": ca, "crl_location": location, "outcome": "failed", "reason": failure.reason.value}
        self.logger.error(failure.message, extra=fields, exc_info=failure.__cause__)
        self._measure({metric_names.SWEEP_FAILED: 1})

    def only_observes(self) -> None:
        """Report a run of enforcement that did nothing, because the deployment only observes."""
        self.logger.info("nothing is enforced: the deployment only observes", extra={"outcome": "observed"})

    def ca_expires(self, ca: str, left: timedelta) -> None:
        """Report how long a CA certificate is still valid."""
        self._measure({metric_names.CA_DAYS_LEFT: left.total_seconds() / 86400}, ca=ca)

    def compared_policies(self, drifted: Sequence[str]) -> None:
        """Report which shared policies mean something else than their templates: one line for each."""
        for policy in drifted:
            self.logger.warning(
                f"policy {policy} is not what its template says", extra={"policy": policy, "outcome": "drifted"}
            )
        self._measure({metric_names.DRIFTED_POLICIES: len(drifted)})

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
        self.logger.info(f"a turn of {job_id}: {result.end}", extra=fields)

    def turn_failed(self, job_id: str | None, failure: Exception) -> None:
        """Report a turn that ended early; its message comes back, or becomes a dead letter."""
        reason = failure.reason.value if isinstance(failure, ActivationError) else Reason.INTERNAL.value
        fields = {"job": job_id, "outcome": "failed", "reason": reason}
        self.logger.error(f"a turn of bulk work failed: {failure}", extra=fields, exc_info=failure)

    def _measure(self, figures: Mapping[str, float], **also_logged: str) -> None:
        """Write figures in one EMF line with the deployment as their one dimension."""
        metrics = EphemeralMetrics(namespace=NAMESPACE)
        metrics.add_dimension(DEPLOYMENT_DIMENSION, self.deployment)
        for key, text in also_logged.items():
            metrics.add_metadata(key, text)
        for name, value in figures.items():
            metrics.add_metric(name=name, unit=MetricUnit.NoUnit, value=value)
        metrics.flush_metrics()

    def _count(self, outcome: Outcome, reason: str | None) -> None:
        with single_metric(
            name=OUTCOME_METRICS[outcome], unit=MetricUnit.Count, value=1, namespace=NAMESPACE
        ) as metric:
            metric.add_dimension(DEPLOYMENT_DIMENSION, self.deployment)
        if reason is not None:
            with single_metric(name=NOT_ACTIVATED, unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as metric:
                metric.add_dimension(DEPLOYMENT_DIMENSION, self.deployment)
                metric.add_dimension(REASON_DIMENSION, reason)
