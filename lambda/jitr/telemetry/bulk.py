"""What the bulk function says of each shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jitr.bulk.work import ShiftResult
from jitr.errors import ActivationError, Reason
from jitr.telemetry.metrics import requests
from jitr.telemetry.telemetry import Telemetry, throttled


@dataclass(frozen=True)
class BulkTelemetry(Telemetry):
    """Logs and metrics of bulk work."""

    def shift_ended(self, job_id: str, result: ShiftResult) -> None:
        """Report one shift of a job of bulk work, and how far the job is."""
        fields: dict[str, Any] = {"job": job_id, "outcome": result.end.value}
        if result.job is not None:
            tally = result.job.tally
            fields |= {"kind": result.job.plan.kind.value, "total": result.job.plan.total, "turn": result.job.shift}
            fields |= {"done": tally.done, "skipped": tally.skipped, "failed": tally.failed}
        spent = self.calls.take()
        self.logger.info(f"a shift of {job_id}: {result.end}", extra=fields | throttled(spent))
        self.metrics.write(requests(spent))

    def shift_failed(self, job_id: str | None, failure: Exception) -> None:
        """Report a shift that ended early; its message comes back, or becomes a dead letter."""
        reason = failure.reason.value if isinstance(failure, ActivationError) else Reason.INTERNAL.value
        fields = {"job": job_id, "outcome": "failed", "reason": reason}
        if isinstance(failure, ActivationError) and failure.certificate_id is not None:
            fields["certificate_id"] = failure.certificate_id
        spent = self.calls.take()
        self.logger.error(f"a shift of bulk work failed: {failure}", extra=fields | throttled(spent), exc_info=failure)
        self.metrics.write(requests(spent))
