"""Alarms on one subject: each says what it watches for, and tells the deployment's topic when it starts and ends."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from jitr_fleet.deployments.runbook import alarm_section

ABOVE = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
BELOW = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
# Without events there is no data: the quiet state, not a broken one.
QUIET = cloudwatch.TreatMissingData.NOT_BREACHING


class AlarmGroup(Construct):
    """Alarms that speak to one topic."""

    def __init__(self, scope: Construct, construct_id: str, *, deployment: str, topic: sns.ITopic | None) -> None:
        super().__init__(scope, construct_id)
        self._deployment = deployment
        self.topic = topic or self._own_topic()

    def _own_topic(self) -> sns.ITopic:
        """Return the topic of a group that is given none."""
        raise NotImplementedError

    def _alarm(
        self,
        construct_id: str,
        metric: cloudwatch.IMetric,
        *,
        section: str,
        words: str,
        threshold: float = 0,
        periods: int = 1,
        comparison: cloudwatch.ComparisonOperator = ABOVE,
        missing: cloudwatch.TreatMissingData = QUIET,
    ) -> None:
        """Add an alarm, unless said otherwise on anything above 0 once; its name is made of the construct's id.

        `section` is its anchor in docs/runbook/alarms.md, `missing` what no data means.
        """
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=f"jitr-{self._deployment}-{construct_id}",
            alarm_description=f"jitr {self._deployment}: {words}. What to do: {alarm_section(section)}",
            metric=metric,
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=periods,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))
