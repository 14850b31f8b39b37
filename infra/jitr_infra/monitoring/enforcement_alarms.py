"""What wakes the person on call about enforcement: it does not run, was braked, or a CRL or CA gets unusable."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from jitr.telemetry import metric_names
from jitr_fleet.deployments.deployment import Deployment
from jitr_infra.monitoring import metrics
from jitr_infra.monitoring.alarm_group import BELOW, AlarmGroup

_SHORTEST_PERIOD = 5  # minutes
# A single failure is a hiccup of somebody's server; what lasts for so many periods is not.
_FAILURES_IN_A_ROW = 3
_LIFE_PASSED = 0.75
_CA_DAYS = (90, 30, 7)
# How many times the time between two passes one may take: unknown certificates cost a quota-limited call each.
_PERIODS_OF_A_PASS = {metric_names.KNOWN_AGE_SECONDS: 2, metric_names.UNKNOWN_AGE_SECONDS: 7}
# A CRL that cannot be used any more reports no figures; what was wrong before is then still wrong.
_STAYS = cloudwatch.TreatMissingData.IGNORE


class EnforcementAlarms(AlarmGroup):
    """Alarms that speak to the deployment's topic; one period is the time between two scheduled sweeps."""

    def __init__(self, scope: Construct, construct_id: str, *, deployment: Deployment, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id, deployment=deployment.name, topic=topic)
        seconds = Duration.hours(deployment.reconciliation_hours).to_seconds()
        self.late_after = {name: periods * seconds for name, periods in _PERIODS_OF_A_PASS.items()}
        self.period = Duration.minutes(max(_SHORTEST_PERIOD, deployment.enforcement_minutes))

    def watch_function(self, function: lambda_.IFunction) -> None:
        """Alarm when the schedule does not reach the function: everything else here would stay quiet then."""
        self._alarm(
            "EnforcementSilent",
            function.metric_invocations(period=self.period, statistic="Sum"),
            section="enforcement-silent",
            words="the enforcement function does not run: revoked devices stay ACTIVE",
            comparison=BELOW,
            threshold=1,
            periods=_FAILURES_IN_A_ROW,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def watch_dead_letters(self, queue: sqs.IQueue) -> None:
        """Alarm as long as there is a sweep that was given up."""
        self._alarm(
            "EnforcementDeadLetters",
            queue.metric_approximate_number_of_messages_visible(period=self.period, statistic="Maximum"),
            section="enforcement-dead-letters",
            words="sweeps failed three times: AWS calls fail, or the function crashes",
        )

    def watch_sweeps(self) -> None:
        """Alarm on CRLs that cannot be used, near their end, list too much, or list less than before.

        The first two for each CA by itself: one bad CRL must not hide the next.
        """
        self._of_each_ca(
            "SweepFailed",
            metric_names.SWEEP_FAILED,
            "SUM",
            section="sweep-failed",
            words="a CRL could not be used or enforced several times in a row; the log's field `reason` says why",
            periods=_FAILURES_IN_A_ROW,
        )
        self._of_each_ca(
            "CrlLifePassed",
            metric_names.CRL_LIFE_PASSED,
            "MAX",
            section="crl-life-passed",
            words="a CRL has passed 75 % of its life and was not replaced: after its nextUpdate no device gets in",
            threshold=_LIFE_PASSED,
            missing=_STAYS,
        )
        self._figure(
            "BrakedDevices",
            metric_names.BRAKED_DEVICES,
            "Maximum",
            section="braked-devices",
            words="a CRL newly lists so many devices that they were only set INACTIVE: confirm or reject it",
            missing=_STAYS,
        )
        self._figure(
            "VanishedFromCrl",
            metric_names.VANISHED_FROM_CRL,
            "Sum",
            section="vanished-from-crl",
            words="revoked devices whose certificates are still valid are no longer on their CRL",
        )

    def watch_passes(self) -> None:
        """Alarm on passes over all certificates that are late, and on what no CRL reaches or many were switched on."""
        late = "the comparison of all certificates with AWS IoT has not come to its end in time"
        lasting = {"words": late, "periods": _FAILURES_IN_A_ROW, "missing": _STAYS}
        known, unknown = metric_names.KNOWN_AGE_SECONDS, metric_names.UNKNOWN_AGE_SECONDS
        threshold = self.late_after[known]
        self._figure(
            "KnownCertificatesLate",
            known,
            "Maximum",
            section="known-certificates-late",
            threshold=threshold,
            **lasting,
        )
        threshold = self.late_after[unknown]
        self._figure(
            "UnknownCertificatesLate",
            unknown,
            "Maximum",
            section="unknown-certificates-late",
            threshold=threshold,
            **lasting,
        )
        self._figure(
            "BrakedAgain",
            metric_names.BRAKED_AGAIN,
            "Maximum",
            section="braked-again",
            words="so many devices that are switched off were ACTIVE in AWS IoT that some of them only went INACTIVE",
            missing=_STAYS,
        )
        self._figure(
            "UncoveredCertificates",
            metric_names.UNCOVERED_CERTIFICATES,
            "Maximum",
            section="uncovered-certificates",
            words="certificates are ACTIVE that no CRL in use speaks for: the CRL that lists them does not reach them",
            missing=_STAYS,
        )
        self._figure(
            "UnreadableCertificates",
            metric_names.UNREADABLE_CERTIFICATES,
            "Maximum",
            section="unreadable-certificates",
            words="certificates are registered that cannot be read: no CRL reaches them",
            missing=_STAYS,
        )

    def watch_policies(self) -> None:
        """Alarm on policies that stay different from their templates; during a deploy they are for a moment."""
        self._figure(
            "DriftedPolicies",
            metric_names.DRIFTED_POLICIES,
            "Minimum",
            section="drifted-policies",
            words="policies in AWS IoT are not what their templates say: somebody changed them by hand",
            periods=_FAILURES_IN_A_ROW,
            missing=_STAYS,
        )

    def watch_cas(self) -> None:
        """Alarm 90, 30 and 7 days before a CA expires, for each by itself."""
        for days in _CA_DAYS:
            self._of_each_ca(
                f"CaDaysLeft{days}",
                metric_names.CA_DAYS_LEFT,
                "MIN",
                section="ca-days-left",
                words=f"a CA certificate expires in less than {days} days: after that no device gets in",
                comparison=BELOW,
                threshold=days,
                missing=_STAYS,
            )

    def _figure(self, construct_id: str, name: str, statistic: str, **watch: Any) -> None:  # noqa: ANN401 - of _alarm
        self._alarm(construct_id, metrics.own(self._deployment, name, statistic, period=self.period), **watch)

    def _of_each_ca(self, construct_id: str, name: str, statistic: str, **watch: Any) -> None:  # noqa: ANN401 - of _alarm
        self._alarm(construct_id, metrics.of_each_ca(self._deployment, name, statistic, period=self.period), **watch)
