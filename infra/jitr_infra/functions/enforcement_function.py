"""The enforcement function: switches off in AWS IoT what a CRL lists."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from jitr_fleet.deployments.deployment import Deployment
from jitr_infra.functions.bundled_function import BundledFunction, FunctionPlan
from jitr_infra.parts.dead_letters import DeadLetters
from jitr_infra.parts.target import Target

HANDLER = "jitr.handlers.enforce.handle"
# Comparing two CRLs of a million entries (53 MB each) peaks at 390 to 430 MB before the clients and other CAs' CRLs.
MEMORY_MB = 1024
# The most that Lambda allows; the lease of a sweep is longer, so that whoever finds it ended knows its owner is dead.
TIMEOUT = Duration.minutes(15)
AT_ONCE = 1
FUNCTION_NAME = "jitr-{deployment}-Enforce"


class EnforcementFunction(BundledFunction):
    """The function that S3 and a schedule invoke.

    It reserves one concurrent execution where activation reserves some: it then runs even while activations take all
    that is left, and never twice at once, so that its pace is the deployment's. Events that find it busy wait in
    Lambda's queue. Without the reservation the lease of each CRL's scope still keeps sweeps apart.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        code: lambda_.Code,
        environment: Mapping[str, str],
        dead_letters: DeadLetters,
        target: Target,
    ) -> None:
        plan = FunctionPlan(
            name=FUNCTION_NAME.format(deployment=deployment.name),
            description=f"Switches off device certificates that a CRL lists (deployment {deployment.name})",
            handler=HANDLER,
            memory=MEMORY_MB,
            timeout=TIMEOUT,
            reserved=None if deployment.reserved_concurrency is None else AT_ONCE,
            log_retention_days=deployment.log_retention_days,
        )
        super().__init__(
            scope,
            construct_id,
            plan=plan,
            code=code,
            environment=environment,
            dead_letters=dead_letters,
            target=target,
        )
