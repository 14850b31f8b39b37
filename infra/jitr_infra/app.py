"""What every CDK app of ours does: a stack for each deployment, and the checks that stop a synth."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Annotations, Validations
from cdk_nag import AwsSolutionsChecks
from constructs import Construct, IConstruct

from jitr_fleet.deployments.deployment import Fleet
from jitr_fleet.deployments.shared_quota import neighbours, shared_quota_warning
from jitr_fleet.fleet_file.reader import read_fleet
from jitr_infra.parts.build_target import BuildTarget
from jitr_infra.stack import DeploymentStack


def add_deployments(
    scope: Construct, fleet: Fleet | Path | str, *, target: BuildTarget | None = None
) -> tuple[DeploymentStack, ...]:
    """Add one stack for each deployment of a fleet, or of a fleet file; `scope` is an App or a Stage.

    A stack's id and name are the deployment's, in a Stage too. Raises FleetFileError for a file with mistakes, and
    BundleError where the functions' wheels cannot be had.
    """
    read = fleet if isinstance(fleet, Fleet) else read_fleet(Path(fleet))
    stacks = tuple(DeploymentStack(scope, deployment=deployment, target=target) for deployment in read.deployments)
    for stack, deployment in zip(stacks, read.deployments, strict=True):
        others = neighbours(deployment, read.deployments)
        if warning := shared_quota_warning(deployment.name, deployment.api_tps, others):
            Annotations.of(stack).add_warning_v2("jitr-shared-quota", warning)
    return stacks


def add_checks(scope: IConstruct) -> None:
    """Let cdk-nag's AWS Solutions rules stop a synth that breaks one without a reason; `scope` is an App or a Stage."""
    Validations.of(scope).add_plugins(AwsSolutionsChecks(scope))
