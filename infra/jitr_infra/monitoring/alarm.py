"""One alarm: what it watches for, what it says, and whom it tells when it starts and when it ends."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from jitr_fleet.deployments.runbook import alarm_section


@dataclass(frozen=True, kw_only=True)
class Watch:
    """When a metric is an alarm, unless said otherwise anything above 0 once.

    `section` is its anchor in docs/runbook/alarms.md.
    `missing` says what no data means; without events that is the quiet state, not a broken one.
    """

    deployment: str
    section: str
    words: str
    comparison: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
    threshold: float = 0
    periods: int = 1
    missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING


def raise_alarm(
    scope: Construct, construct_id: str, metric: cloudwatch.IMetric, watch: Watch, topic: sns.ITopic
) -> None:
    """Add an alarm to a construct; its name is made of the deployment's and the construct's id."""
    alarm = cloudwatch.Alarm(
        scope,
        construct_id,
        alarm_name=f"jitr-{watch.deployment}-{construct_id}",
        alarm_description=f"jitr {watch.deployment}: {watch.words}. What to do: {alarm_section(watch.section)}",
        metric=metric,
        threshold=watch.threshold,
        comparison_operator=watch.comparison,
        evaluation_periods=watch.periods,
        treat_missing_data=watch.missing,
    )
    alarm.add_alarm_action(actions.SnsAction(topic))
    alarm.add_ok_action(actions.SnsAction(topic))
