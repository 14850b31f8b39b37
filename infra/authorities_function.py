"""The authorities function: CloudFormation invokes it when a deploy needs to know or to prove something of a CA."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.bundled_function import BundledFunction, FunctionPlan
from infra.roll_out_function import GIVEN_UP_AFTER, MAXIMUM_EVENT_AGE
from infra.target import Target
from jitr.ca_deployment import ResourceType
from jitr_fleet.deployment import Deployment

HANDLER = "jitr.handlers.authorities.handle"
MEMORY_MB = 256
TIMEOUT = Duration.minutes(5)
FUNCTION_NAME = "jitr-{deployment}-Authorities"


class AuthoritiesFunction(BundledFunction):
    """The function behind custom resources; like the roll-out it has no dead letters and reserves no concurrency.

    It is not the roll-out function, so that neither role has the other's permissions.
    """

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
            name=FUNCTION_NAME.format(deployment=deployment.name),
            description=f"Looks after certificate authorities at a deploy (deployment {deployment.name})",
            handler=HANDLER,
            memory=MEMORY_MB,
            timeout=TIMEOUT,
            reserved=None,
            log_retention_days=deployment.log_retention_days,
            maximum_event_age=MAXIMUM_EVENT_AGE,
        )
        super().__init__(
            scope, construct_id, plan=plan, code=code, environment=environment, dead_letters=None, target=target
        )

    def resource(
        self, scope: Construct, construct_id: str, kind: ResourceType, properties: Mapping[str, object]
    ) -> CustomResource:
        """Add a custom resource that this function answers for; what it made stays when the resource goes."""
        return CustomResource(
            scope,
            construct_id,
            resource_type=kind.value,
            service_token=self.function.function_arn,
            service_timeout=GIVEN_UP_AFTER,
            properties=properties,
            removal_policy=RemovalPolicy.RETAIN,
        )
