"""What every CDK app of ours does: a stack for each deployment, and the checks that stop a synth."""

from __future__ import annotations

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from jitr_fleet.deployments.deployment import Fleet
from jitr_infra.parts.build_target import BuildTarget
from jitr_infra.stack import DeploymentStack


def add_deployments(app: App, fleet: Fleet, *, target: BuildTarget | None = None) -> tuple[DeploymentStack, ...]:
    """Add one top-level stack for each deployment, its id the deployment's name."""
    return tuple(DeploymentStack(app, deployment=deployment, target=target) for deployment in fleet.deployments)


def add_checks(app: App) -> None:
    """Let cdk-nag's AWS Solutions rules stop a synth that breaks one without a reason."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
