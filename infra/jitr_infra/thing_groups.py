"""The thing types and groups that the fleet file names: created once, and never deleted with the stack."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iot as iot
from constructs import Construct

from jitr_fleet.deployments.deployment import Deployment


class ThingGroups(Construct):
    """Static groups without parents, and types without properties; whatever else is set on them by hand stays."""

    def __init__(self, scope: Construct, construct_id: str, *, deployment: Deployment) -> None:
        super().__init__(scope, construct_id)
        for name in sorted({ca.thing_type for ca in deployment.cas if ca.thing_type is not None}):
            kind = iot.CfnThingType(self, f"Type-{name}", thing_type_name=name)
            kind.apply_removal_policy(RemovalPolicy.RETAIN)
        for name in sorted({group for ca in deployment.cas for group in ca.thing_groups}):
            group = iot.CfnThingGroup(self, f"Group-{name}", thing_group_name=name)
            group.apply_removal_policy(RemovalPolicy.RETAIN)
