"""What an organisation asks of every stack in its accounts: a boundary and a path for roles, and tags."""

from __future__ import annotations

from aws_cdk import Stack, Tags
from aws_cdk import aws_iam as iam

from jitr_fleet.deployments.deployment import Deployment
from jitr_fleet.deployments.stack_outputs import DEPLOYMENT_TAG


def meet_the_organisation(stack: Stack, deployment: Deployment) -> None:
    """Give what is in the stack by now what the fleet file asks for; to be called last."""
    for name, value in sorted(deployment.tags.items()):
        Tags.of(stack).add(name, value)
    Tags.of(stack).add(DEPLOYMENT_TAG, deployment.name)
    if deployment.permissions_boundary is not None:
        boundary = iam.ManagedPolicy.from_managed_policy_arn(stack, "Boundary", deployment.permissions_boundary)
        iam.PermissionsBoundary.of(stack).apply(boundary)
    if deployment.role_path is not None:
        for each in stack.node.find_all():
            if isinstance(each, iam.CfnRole):
                each.path = deployment.role_path
