"""Metrics for CloudWatch, written as log lines in its embedded metric format (EMF) by Powertools.

Their dimensions are the deployment, and a reason or a CA's name where there is one; never an id, because CloudWatch
bills each combination of dimensions as a metric of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from jitr.aws.call_counts import Spent
from jitr.telemetry.metric_names import (
    CA_DAYS_LEFT,
    CA_DIMENSION,
    CRL_LIFE_PASSED,
    DEPLOYMENT_DIMENSION,
    IOT_REQUESTS,
    NAMESPACE,
    THROTTLED_REQUESTS,
)

_NO_MORE: Mapping[str, str] = MappingProxyType({})
_WITHOUT_UNIT = frozenset({CRL_LIFE_PASSED, CA_DAYS_LEFT})


@dataclass(frozen=True)
class Metrics:
    """The metrics of one deployment."""

    deployment: str

    def write(self, values: Mapping[str, float], *, more: Mapping[str, str] = _NO_MORE) -> None:
        """Write values by metric name, for the deployment and further dimensions, in one line; of none none."""
        self._write(values, more, None)

    def write_of_ca(self, ca: str, values: Mapping[str, float]) -> None:
        """Write values twice in one line: for the deployment, and for one of its CAs."""
        self._write(values, _NO_MORE, ca)

    def _write(self, values: Mapping[str, float], more: Mapping[str, str], ca: str | None) -> None:
        if not values:
            return
        metrics = EphemeralMetrics(namespace=NAMESPACE)
        for dimension, text in {DEPLOYMENT_DIMENSION: self.deployment, **more}.items():
            metrics.add_dimension(dimension, text)
        if ca is not None:
            metrics.add_dimensions(**{DEPLOYMENT_DIMENSION: self.deployment, CA_DIMENSION: ca})
        for name, value in values.items():
            metrics.add_metric(name=name, unit=_unit(name), value=value)
        metrics.flush_metrics()


def requests(spent: Spent) -> dict[str, float]:
    """Return what was asked of AWS IoT as metrics; nothing where nothing was."""
    if not spent.requests:
        return {}
    return {IOT_REQUESTS: spent.requests, THROTTLED_REQUESTS: sum(spent.throttled.values())}


def _unit(name: str) -> MetricUnit:
    if name.endswith("Seconds"):
        return MetricUnit.Seconds
    return MetricUnit.NoUnit if name in _WITHOUT_UNIT else MetricUnit.Count
