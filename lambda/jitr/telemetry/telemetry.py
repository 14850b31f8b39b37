"""What every function says: one structured log line for each thing that happened, and its metrics, both by Powertools.

Every line of one device carries its `certificate_id`; the metrics carry none. What a function says beyond this is in
the module of its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from aws_lambda_powertools import Logger

from jitr.aws.call_counts import CallCounts, Spent
from jitr.registry.disconnecting import ENDED
from jitr.registry.notes import DeviceNote
from jitr.telemetry.metric_names import CONNECTIONS_ENDED, NAMESPACE
from jitr.telemetry.metrics import Metrics


@dataclass(frozen=True)
class Telemetry:
    """Logs and metrics of one deployment; `calls` says what was asked of AWS IoT between two reports."""

    logger: Logger
    metrics: Metrics
    calls: CallCounts = field(default_factory=CallCounts)

    @classmethod
    def create(cls, deployment: str, calls: CallCounts | None = None) -> Self:
        """Make the logger; its level comes from POWERTOOLS_LOG_LEVEL or the function's logging configuration."""
        return cls(Logger(service=NAMESPACE, utc=True), Metrics(deployment), calls or CallCounts())

    def noted(self, note: DeviceNote) -> None:
        """Report what was done to a certificate without an event of its own."""
        fields = {"certificate_id": note.certificate_id, "outcome": note.outcome, "reason": note.reason}
        self.logger.info(note.message, extra={**note.details, **fields})
        if note.outcome == ENDED:
            self.metrics.write({CONNECTIONS_ENDED: 1})


def throttled(spent: Spent) -> dict[str, Any]:
    """Return how many requests of which operation AWS IoT throttled, where it did."""
    return {"throttled": dict(spent.throttled)} if spent.throttled else {}
