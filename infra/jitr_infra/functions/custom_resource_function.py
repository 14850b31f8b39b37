"""A function that CloudFormation invokes while it deploys, to answer for custom resources."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import CustomResource, Duration, RemovalPolicy
from constructs import Construct

from jitr_infra.functions.bundled_function import BundledFunction, FunctionDefinition

GIVEN_UP_AFTER = Duration.minutes(20)


def custom_resource_definition(*, name: str, purpose: str, handler: str) -> FunctionDefinition:
    """Return the definition of a function that answers CloudFormation."""
    return FunctionDefinition(
        name=name,
        purpose=purpose,
        handler=handler,
        memory=256,
        timeout=Duration.minutes(5),
        # After this no attempt begins, so that none is left when CloudFormation gives up and rolls back: the roll-back
        # would otherwise be undone by what it rolls back.
        maximum_event_age=Duration.minutes(10),
    )


class CustomResourceFunction(BundledFunction):
    """The function behind custom resources.

    It has no dead-letter queue: a request that stays without an answer fails the deploy, which is where somebody looks.
    It reserves no concurrency: deploys are seldom, and CloudFormation sends one request at a time.
    """

    def resource(
        self,
        scope: Construct,
        construct_id: str,
        resource_type: str,
        properties: Mapping[str, object],
        *,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> CustomResource:
        """Add a custom resource that this function answers for; what it made stays when the resource goes.

        Another `removal_policy` lets the function be asked to take back what it made.
        """
        return CustomResource(
            scope,
            construct_id,
            resource_type=resource_type,
            service_token=self.function.function_arn,
            service_timeout=GIVEN_UP_AFTER,
            properties=properties,
            removal_policy=removal_policy,
        )
