"""Bulk work as a whole: queue, function and dead letters; who may do what to whom is said here."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from jitr_fleet.deployments.deployment import Deployment
from jitr_infra.functions.bulk_function import TIMEOUT, BulkFunction
from jitr_infra.parts.bulk_queue import BulkQueue
from jitr_infra.parts.dead_letters import DeadLetters
from jitr_infra.parts.state_table import StateTable
from jitr_infra.parts.target import Target


class BulkWork(Construct):
    """What the command line hands work to that is more than one computer should do."""

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
        super().__init__(scope, construct_id)
        prefix = f"jitr-{deployment.name}-bulk"
        self.dead_letters = DeadLetters(self, "DeadLetters", queue_name=f"{prefix}-dead-letters")
        self.work = BulkQueue(self, "Queue", queue_name=f"{prefix}-work", turn=TIMEOUT, dead_letters=self.dead_letters)
        self.function = BulkFunction(
            self, "Bulk", deployment=deployment, code=code, environment=environment, work=self.work, target=target
        )

    def grant(self, *, policies: str, state_table: StateTable) -> None:
        """Allow what jobs do to certificates, and reading the policies of this name pattern."""
        self.function.role.allow_bulk_work(policies=policies)
        state_table.grant_enforcement(self.function.role.role)
