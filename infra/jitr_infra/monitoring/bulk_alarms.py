"""What wakes the person on call about bulk work: jobs that failed, and jobs that do not go on."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs

from jitr.telemetry.metric_names import BULK_JOBS_STILL
from jitr_infra.monitoring import metrics
from jitr_infra.monitoring.alarm_group import AlarmGroup

_PERIOD = Duration.minutes(5)
# A shift that fails is tried again after an hour; a second failure is no hiccup any more.
_LONGEST_WAIT = Duration.minutes(90)


class BulkAlarms(AlarmGroup):
    """Alarms that speak to the deployment's topic."""

    def watch_work(self, queue: sqs.IQueue) -> None:
        """Alarm when the oldest message waits for long: its shift fails again and again, or no function takes it."""
        self._alarm(
            "BulkWorkWaits",
            queue.metric_approximate_age_of_oldest_message(period=_PERIOD, statistic="Maximum"),
            section="bulk-work-waits",
            words="a job of bulk work does not go on: `jitr bulk list` says why",
            threshold=_LONGEST_WAIT.to_seconds(),
        )

    def watch_jobs(self) -> None:
        """Alarm on a job that nobody is at work on, and on one that goes round without an end."""
        self._alarm(
            "BulkJobStill",
            metrics.own(self._deployment, BULK_JOBS_STILL, "Maximum"),
            section="bulk-job-still",
            words="a job of bulk work does not move, or took more shifts than its size explains: `jitr bulk list`",
        )

    def watch_dead_letters(self, queue: sqs.IQueue) -> None:
        """Alarm as long as there is a shift that was given up."""
        self._alarm(
            "BulkDeadLetters",
            queue.metric_approximate_number_of_messages_visible(period=_PERIOD, statistic="Maximum"),
            section="bulk-dead-letters",
            words="a job of bulk work failed: `jitr bulk list` says why",
        )
