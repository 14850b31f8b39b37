"""The enforcement function: switches off in AWS IoT what a CRL lists."""

from __future__ import annotations

from aws_cdk import Duration
from constructs import Construct

from jitr_fleet.deployments.concurrency import ENFORCEMENTS_AT_ONCE
from jitr_infra.functions.bundled_function import BundledFunction, FunctionDefinition, FunctionSettings
from jitr_infra.parts.dead_letters import DeadLetters


class EnforcementFunction(BundledFunction):
    """The function that S3 and a schedule invoke.

    It reserves one concurrent execution where activation reserves some: it then runs even while activations take all
    that is left, and never twice at once, so that its pace is the deployment's. Events that find it busy wait in
    Lambda's queue. Without the reservation the lease of each CRL's scope still keeps sweeps apart.
    """

    DEFINITION = FunctionDefinition(
        name="Enforce",
        purpose="Switches off device certificates that a CRL lists",
        handler="jitr.handlers.enforce.handle",
        # Comparing two CRLs of a million entries (53 MB each) peaks at 390 to 430 MB before the clients and other CAs'
        # CRLs.
        memory=1024,
        # The most that Lambda allows; the lease of a sweep is longer, so that whoever finds it ended knows its owner is
        # dead.
        timeout=Duration.minutes(15),
    )

    def __init__(
        self, scope: Construct, construct_id: str, settings: FunctionSettings, *, dead_letters: DeadLetters
    ) -> None:
        reserved = None if settings.deployment.reserved_concurrency is None else ENFORCEMENTS_AT_ONCE
        super().__init__(scope, construct_id, settings, reserved=reserved, dead_letters=dead_letters)
