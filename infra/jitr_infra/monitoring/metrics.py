"""Metrics that alarms and dashboard look at, under the names that their writers use."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from jitr.telemetry import metric_names

PERIOD = Duration.minutes(5)


def own(deployment: str, name: str, statistic: str, *, period: Duration = PERIOD, **more: str) -> cloudwatch.Metric:
    """Return a metric that the functions write; `more` are its dimensions beside the deployment."""
    return cloudwatch.Metric(
        namespace=metric_names.NAMESPACE,
        metric_name=name,
        dimensions_map={metric_names.DEPLOYMENT_DIMENSION: deployment, **more},
        statistic=statistic,
        period=period,
    )


def by_dimension(
    deployment: str, name: str, statistic: str, dimension: str, *, period: Duration = PERIOD
) -> cloudwatch.MathExpression:
    """Return a metric for each value that a dimension has had lately; for dashboards only.

    Finds values that no template knows, as the names of adopted CAs (CloudWatch user guide, "search expressions").
    """
    schema = f"{metric_names.NAMESPACE},{metric_names.DEPLOYMENT_DIMENSION},{dimension}"
    term = f'MetricName="{name}" {metric_names.DEPLOYMENT_DIMENSION}="{deployment}"'
    return computed(
        f"SEARCH('{{{schema}}} {term}', '{statistic}', {period.to_seconds():g})",
        {},
        label=f"${{PROP('Dim.{dimension}')}}",
        period=period,
    )


def of_each_ca(deployment: str, name: str, statistic: str, *, period: Duration) -> cloudwatch.MathExpression:
    """Return a metric of which each CA, adopted ones too, is a time series of its own; for alarms.

    An alarm on it is in ALARM while one of them is, and tells its topic of each that begins or ends, with its name
    (CloudWatch user guide, "Create a CloudWatch alarm based on a Metrics Insights query"). `statistic` is MAX, MIN or
    SUM; the worst is first, should there be more than the 500 that CloudWatch looks at.
    """
    order = "ASC" if statistic == "MIN" else "DESC"
    query = (
        f'SELECT {statistic}({name}) FROM SCHEMA("{metric_names.NAMESPACE}", {metric_names.CA_DIMENSION}, '  # noqa: S608
        f"{metric_names.DEPLOYMENT_DIMENSION}) WHERE {metric_names.DEPLOYMENT_DIMENSION} = '{deployment}' "
        f"GROUP BY {metric_names.CA_DIMENSION} ORDER BY {statistic}() {order}"
    )
    return computed(query, {}, label=name, period=period)


def rule_sum(rule_name: str, name: str) -> cloudwatch.MathExpression:
    """Return what a topic rule counted over all of its actions, whatever AWS IoT calls their types."""
    query = f"SELECT SUM({name}) FROM SCHEMA(\"AWS/IoT\", ActionType, RuleName) WHERE RuleName = '{rule_name}'"  # noqa: S608
    return computed(query, {}, label=name)


def computed(
    expression: str, metrics: Mapping[str, cloudwatch.IMetric], *, label: str, period: Duration = PERIOD
) -> cloudwatch.MathExpression:
    """Return a figure that CloudWatch computes from others."""
    return cloudwatch.MathExpression(expression=expression, using_metrics=dict(metrics), label=label, period=period)


def throttled_percent(deployment: str, *, at_least: int = 0) -> cloudwatch.MathExpression:
    """Return which share of the requests AWS IoT throttled; 0 in periods with fewer than `at_least`."""
    return computed(
        f"IF(requests > {at_least}, 100 * throttled / requests, 0)",
        {
            "requests": own(deployment, metric_names.IOT_REQUESTS, "Sum"),
            "throttled": own(deployment, metric_names.THROTTLED_REQUESTS, "Sum"),
        },
        label="throttled, %",
    )


def oldest_event(function: lambda_.IFunction, queue: sqs.IQueue | None) -> cloudwatch.IMetric:
    """Return how many seconds the oldest event has waited: in the queue, or in Lambda's own where there is none."""
    if queue is not None:
        return queue.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum")
    milliseconds = function.metric("AsyncEventAge", period=PERIOD, statistic="Maximum")
    return computed("age / 1000", {"age": milliseconds}, label="seconds")


def events_waiting(function: lambda_.IFunction, queue: sqs.IQueue | None) -> dict[str, cloudwatch.Metric]:
    """Return events that are to be decided: those in the queue, or those that Lambda was given in the period.

    In the queue they are of two kinds. Lambda's poller takes messages also while the function may not run, and a small
    backlog is then never visible.
    """
    if queue is None:
        return {"received": function.metric("AsyncEventsReceived", period=PERIOD, statistic="Sum")}
    return {
        "visible": queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum"),
        "taken": queue.metric_approximate_number_of_messages_not_visible(period=PERIOD, statistic="Maximum"),
    }
