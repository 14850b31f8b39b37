"""One page on which the person on call sees how a deployment is: the top row says whether to read on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from jitr.telemetry import metric_names as names
from jitr_infra.monitoring import metrics
from jitr_infra.monitoring.metrics import PERIOD

DASHBOARD_NAME = "jitr-{deployment}"
_THIRD, _WHOLE = 8, 24
_HEIGHT = 6
_LIFE_PASSED = 0.75
_HEADING = (
    "**jitr {deployment}**: which devices get into AWS IoT Core in {region}. An alarm says in its description where "
    "docs/runbook/alarms.md has its section; `jitr doctor --deployment {deployment}` checks the deployment, "
    "`jitr device explain` one device."
)


@dataclass(frozen=True, kw_only=True)
class DashboardSources:
    """What is on the page; dead letters by the words they are shown with, `queue` None without one.

    `late_after` says by metric after how many seconds a pass over all certificates is late.
    """

    activation: lambda_.IFunction
    enforcement: lambda_.IFunction
    bulk: lambda_.IFunction
    queue: sqs.IQueue | None
    dead_letters: Mapping[str, sqs.IQueue]
    bulk_work: sqs.IQueue
    enforcement_period: Duration
    late_after: Mapping[str, float]

    @property
    def functions(self) -> dict[str, lambda_.IFunction]:
        """Return the functions that do something to devices, by the words they are shown with."""
        return {"activation": self.activation, "enforcement": self.enforcement, "bulk work": self.bulk}


class Dashboard(Construct):
    """The page; it shows the alarms of the whole stack, so it has to be made after them."""

    def __init__(self, scope: Construct, construct_id: str, *, deployment: str, watched: DashboardSources) -> None:
        super().__init__(scope, construct_id)
        self._deployment = deployment
        self._watched = watched
        dashboard = cloudwatch.Dashboard(
            self,
            "Page",
            dashboard_name=DASHBOARD_NAME.format(deployment=deployment),
            default_interval=Duration.hours(6),
        )
        heading = _HEADING.format(deployment=deployment, region=Stack.of(self).region)
        dashboard.add_widgets(cloudwatch.TextWidget(markdown=heading, width=_WHOLE, height=2))
        dashboard.add_widgets(cloudwatch.AlarmStatusWidget(alarms=self._alarms(), width=_WHOLE, height=5))
        for row in (
            self._activation(),
            self._waiting(),
            self._revocation(),
            self._passes(),
            self._left_over(),
            self._functions(),
        ):
            dashboard.add_widgets(*row)

    def _alarms(self) -> list[cloudwatch.IAlarm]:
        found = [each for each in Stack.of(self).node.find_all() if isinstance(each, cloudwatch.Alarm)]
        return sorted(found, key=lambda alarm: alarm.node.path)

    def _activation(self) -> list[cloudwatch.IWidget]:
        waited = names.ACTIVATION_SECONDS
        return [
            _graph(
                "Events by outcome",
                [self._own(name, "Sum", label) for label, name in names.OUTCOME_METRICS.items()],
                stacked=True,
            ),
            _graph("Not activated, by reason", [self._by(names.NOT_ACTIVATED, "Sum", names.REASON_DIMENSION)]),
            _graph(
                "From first connect to ACTIVE, seconds",
                [self._own(waited, statistic, statistic) for statistic in ("p50", "p99", "Maximum")],
            ),
        ]

    def _waiting(self) -> list[cloudwatch.IWidget]:
        queue, function = self._watched.queue, self._watched.activation
        labels = {"received": "received", "visible": "events in the queue", "taken": "in work"}
        found = metrics.events_waiting(function, queue)
        waiting = [_labelled(metric, labels[key]) for key, metric in found.items()]
        if queue is not None:
            waiting.append(self._own(names.PUT_BACK, "Sum", "put back untried"))
        held_up = self._own(names.EVENT_AGE_SECONDS, "Maximum", "tried in vain or put back")
        return [
            _graph("Events that wait", waiting),
            _graph("Oldest event, seconds", [metrics.oldest_event(function, queue), held_up]),
            _graph(
                "Requests to AWS IoT",
                [
                    self._own(names.IOT_REQUESTS, "Sum", "requests"),
                    self._own(names.THROTTLED_REQUESTS, "Sum", "throttled"),
                ],
                right=[metrics.throttled_percent(self._deployment)],
            ),
        ]

    def _revocation(self) -> list[cloudwatch.IWidget]:
        return [
            _graph("Age of the CRL, by CA, seconds", [self._by(names.CRL_AGE_SECONDS, "Maximum", names.CA_DIMENSION)]),
            _graph(
                "Share of the CRL's life that has passed, by CA",
                [self._by(names.CRL_LIFE_PASSED, "Maximum", names.CA_DIMENSION)],
                annotations=[
                    cloudwatch.HorizontalAnnotation(value=_LIFE_PASSED, label="alarm"),
                    cloudwatch.HorizontalAnnotation(value=1, label="no device gets in"),
                ],
            ),
            _graph(
                "Revocation",
                [
                    self._own(names.SWITCHED_OFF, "Sum", "switched off"),
                    self._own(names.BRAKED_DEVICES, "Maximum", "braked"),
                    self._own(names.SWEEP_FAILED, "Sum", "sweeps that failed"),
                ],
                right=[self._own(names.REVOCATION_SECONDS, "Maximum", "from publication to off, seconds")],
            ),
        ]

    def _passes(self) -> list[cloudwatch.IWidget]:
        late = self._watched.late_after
        return [
            _graph(
                "Since all certificates with a row were compared, by CA, seconds",
                [self._by(names.KNOWN_AGE_SECONDS, "Maximum", names.CA_DIMENSION)],
                annotations=[cloudwatch.HorizontalAnnotation(value=late[names.KNOWN_AGE_SECONDS], label="alarm")],
            ),
            _graph(
                "Since all without a row were looked for, by CA, seconds",
                [self._by(names.UNKNOWN_AGE_SECONDS, "Maximum", names.CA_DIMENSION)],
                annotations=[cloudwatch.HorizontalAnnotation(value=late[names.UNKNOWN_AGE_SECONDS], label="alarm")],
            ),
            _graph(
                "What the comparison found",
                [
                    self._own(names.SWITCHED_OFF_AGAIN, "Maximum", "switched off again"),
                    self._own(names.BRAKED_AGAIN, "Maximum", "of these only INACTIVE"),
                    self._own(names.UNCOVERED_CERTIFICATES, "Maximum", "not covered by any CRL"),
                    self._own(names.UNREADABLE_CERTIFICATES, "Maximum", "cannot be read"),
                ],
            ),
        ]

    def _left_over(self) -> list[cloudwatch.IWidget]:
        work = self._watched.bulk_work
        return [
            _graph(
                "Dead letters",
                [
                    _labelled(
                        queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum"), label
                    )
                    for label, queue in self._watched.dead_letters.items()
                ],
            ),
            _graph(
                "Oldest shift of bulk work, seconds",
                [work.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum")],
            ),
            _graph("Days that a CA is still valid", [self._by(names.CA_DAYS_LEFT, "Minimum", names.CA_DIMENSION)]),
        ]

    def _functions(self) -> list[cloudwatch.IWidget]:
        functions, activation = self._watched.functions.items(), self._watched.activation
        return [
            _graph(
                "Errors of the functions",
                [_labelled(each.metric_errors(period=PERIOD, statistic="Sum"), label) for label, each in functions],
            ),
            _graph(
                "Duration of an activation, ms",
                [activation.metric_duration(period=PERIOD, statistic=each) for each in ("p50", "p99", "Maximum")],
            ),
            _graph(
                "Functions at work",
                [
                    _labelled(each.metric("ConcurrentExecutions", period=PERIOD, statistic="Maximum"), label)
                    for label, each in functions
                ],
                right=[activation.metric_throttles(period=PERIOD, statistic="Sum")],
            ),
        ]

    def _own(self, name: str, statistic: str, label: str) -> cloudwatch.Metric:
        return _labelled(metrics.own(self._deployment, name, statistic), label)

    def _by(self, name: str, statistic: str, dimension: str) -> cloudwatch.MathExpression:
        period = PERIOD if dimension == names.REASON_DIMENSION else self._watched.enforcement_period
        return metrics.by_dimension(self._deployment, name, statistic, dimension, period=period)


def _labelled(metric: cloudwatch.Metric, label: str) -> cloudwatch.Metric:
    return metric.with_(label=label)


def _graph(
    title: str,
    left: Sequence[cloudwatch.IMetric],
    *,
    right: Sequence[cloudwatch.IMetric] = (),
    stacked: bool = False,
    annotations: Sequence[cloudwatch.HorizontalAnnotation] = (),
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(left),
        right=list(right),
        stacked=stacked,
        left_annotations=list(annotations),
        left_y_axis=cloudwatch.YAxisProps(min=0),
        width=_THIRD,
        height=_HEIGHT,
    )
