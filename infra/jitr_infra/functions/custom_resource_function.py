"""A function that CloudFormation invokes while it deploys, to answer for custom resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from jitr_fleet.deployments.deployment import Deployment
from jitr_infra.functions.bundled_function import BundledFunction, FunctionPlan
from jitr_infra.parts.target import Target

MEMORY_MB = 256
TIMEOUT = Duration.minutes(5)
# After this no attempt begins, so that none is left when CloudFormation gives up and rolls back: the roll-back would
# otherwise be undone by what it rolls back.
MAXIMUM_EVENT_AGE = Duration.minutes(10)
GIVEN_UP_AFTER = Duration.minutes(20)


class CustomResourceFunction(BundledFunction):
    """The function behind custom resources.

    It has no dead-letter queue: a request that stays without an answer fails the deploy, which is where somebody looks.
    It reserves no concurrency: deploys are seldom, and CloudFormation sends one request at a time.
    """

    NAME: ClassVar[str]
    DESCRIPTION: ClassVar[str]
    HANDLER: ClassVar[str]

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        code: lambda_.Code,
        environment: Mapping[str, str],
        target: Target,
    ) -> None:
        plan = FunctionPlan(
            name=self.NAME.format(deployment=deployment.name),
            description=f"{self.DESCRIPTION} (deployment {deployment.name})",
            handler=self.HANDLER,
            memory=MEMORY_MB,
            timeout=TIMEOUT,
            reserved=None,
            log_retention_days=deployment.log_retention_days,
            maximum_event_age=MAXIMUM_EVENT_AGE,
        )
        super().__init__(
            scope, construct_id, plan=plan, code=code, environment=environment, dead_letters=None, target=target
        )
