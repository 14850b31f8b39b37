"""Bulk work as a whole: queue, function and dead letters; who may do what to whom is said here."""

from __future__ import annotations

from constructs import Construct

from jitr_infra.functions.bulk_function import BulkFunction
from jitr_infra.functions.bundled_function import FunctionSettings
from jitr_infra.parts.bulk_queue import BulkQueue
from jitr_infra.parts.dead_letters import DeadLetters
from jitr_infra.parts.state_storage import StateStorage


class BulkService(Construct):
    """What the command line hands work to that is more than one computer should do."""

    def __init__(self, scope: Construct, construct_id: str, settings: FunctionSettings) -> None:
        super().__init__(scope, construct_id)
        prefix = f"jitr-{settings.deployment.name}-bulk"
        shift = BulkFunction.DEFINITION.timeout
        self.dead_letters = DeadLetters(
            self, "DeadLetters", queue_name=f"{prefix}-dead-letters", encryption=settings.encryption
        )
        self.work = BulkQueue(
            self,
            "Queue",
            queue_name=f"{prefix}-work",
            shift=shift,
            dead_letters=self.dead_letters,
            encryption=settings.encryption,
        )
        self.function = BulkFunction(self, "Bulk", settings, work=self.work)

    def grant(self, *, policies: str, state_table: StateStorage) -> None:
        """Allow what jobs do to certificates, and reading the policies of this name pattern."""
        self.function.role.allow_bulk_work(policies=policies)
        self.function.role.allow_ending_connections()
        state_table.grant_enforcement(self.function.role.role)
