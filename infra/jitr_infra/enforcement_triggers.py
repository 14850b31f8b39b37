"""What makes the enforcement function run: a CRL that is published in the stack's bucket, and a schedule."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from jitr.enforcement.copies import PREFIX
from jitr_fleet.deployments.deployment import Deployment
from jitr_infra.parts.dead_letters import DeadLetters


class EnforcementTriggers(Construct):
    """Two EventBridge rules; each is the only source its permission names.

    The schedule looks at every CRL, wherever it is, so it also makes good whatever event got lost. What EventBridge
    cannot hand over ends in the function's own dead-letter queue. The function's copies announce themselves like every
    object, and must not start it again.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        function: lambda_.IFunction,
        crl_bucket: str,
        dead_letters: DeadLetters,
    ) -> None:
        super().__init__(scope, construct_id)
        target = targets.LambdaFunction(function, dead_letter_queue=dead_letters.queue)
        self.published = events.Rule(
            self,
            "Published",
            rule_name=f"jitr-{deployment.name}-crl-published",
            description="A CRL was put into the CRL bucket",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [crl_bucket]},
                    "object": {"key": events.Match.anything_but_prefix(PREFIX)},
                },
            ),
            targets=[target],
        )
        self.schedule = events.Rule(
            self,
            "Schedule",
            rule_name=f"jitr-{deployment.name}-sweep",
            description="Time to look at every CRL again",
            schedule=events.Schedule.rate(Duration.minutes(deployment.enforcement_minutes)),
            targets=[target],
        )
