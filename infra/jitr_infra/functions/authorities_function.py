"""The authorities function: CloudFormation invokes it when a deploy needs to know or to prove something of a CA."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import CustomResource, RemovalPolicy
from constructs import Construct

from jitr.authorities.deployment import ResourceType
from jitr_infra.functions.custom_resource_function import GIVEN_UP_AFTER, CustomResourceFunction


class AuthoritiesFunction(CustomResourceFunction):
    """The function behind the CAs' custom resources; not the roll-out's, so no role has the other's permissions."""

    NAME = "jitr-{deployment}-Authorities"
    DESCRIPTION = "Looks after certificate authorities at a deploy"
    HANDLER = "jitr.handlers.authorities.handle"

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
