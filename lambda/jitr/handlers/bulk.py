"""The bulk function: does the shifts of bulk work that its queue hands it, in the deployment's share of AWS's quotas.

Takes SQS batches, and returns which messages have to come back (`batchItemFailures`). The shifts of one batch share the
invocation's time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from jitr.aws.lending import Part
from jitr.bulk.jobs import Jobs
from jitr.bulk.plans import Tasks, shared_policy
from jitr.bulk.queue import QUEUE_VARIABLE, Shift, WorkQueue
from jitr.bulk.work import RESERVED_SECONDS, BulkWork
from jitr.handlers.clients import BULK_CLIENT_CONFIG, BUNDLE_ROOT, Surroundings, Wiring
from jitr.settings import Configuration, Environment
from jitr.telemetry.bulk import BulkTelemetry


@dataclass(frozen=True, kw_only=True)
class BulkHandler:
    """Everything that lives as long as the container."""

    work: BulkWork
    queue: WorkQueue
    telemetry: BulkTelemetry

    def run(self, event: dict[str, Any], context: LambdaContext, *, seconds_left: Callable[[], float]) -> Any:  # noqa: ANN401 - Lambda's answer
        """Do the shifts of a batch; those that fail are named in the answer, and only those come back."""
        waiting = len(event["Records"])

        def do(record: SQSRecord) -> None:
            nonlocal waiting
            # Each shift has what is left, shared among those that wait; a late one at least begins, and goes on later.
            others = (seconds_left() - RESERVED_SECONDS) * (waiting - 1) / waiting
            waiting -= 1
            self._do(record, owner=context.aws_request_id, seconds_left=lambda: seconds_left() - others)

        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        return process_partial_response(event=event, record_handler=do, processor=processor, context=context)

    def _do(self, record: SQSRecord, *, owner: str, seconds_left: Callable[[], float]) -> None:
        job_id = None
        try:
            shift = Shift.parse(record.body)
            job_id = shift.job_id
            result = self.work.take(
                shift,
                self.queue,
                owner=f"{owner}#{record.message_id}",
                attempt=int(record.attributes.approximate_receive_count),
                seconds_left=seconds_left,
            )
        except Exception as failure:
            self.telemetry.shift_failed(job_id, failure)
            raise
        self.telemetry.shift_ended(shift.job_id, result)


def build_function(
    configuration: Configuration, environment: Environment, queue_url: str, surroundings: Surroundings | None = None
) -> BulkHandler:
    """Make the clients and put the parts together."""
    real = surroundings or Surroundings()
    wiring = Wiring(configuration=configuration, environment=environment, config=BULK_CLIENT_CONFIG)
    registry, table = wiring.registry, wiring.table
    telemetry = wiring.telemetry(BulkTelemetry)
    pace = wiring.turns(Part.BULK, real)
    tasks = Tasks(
        registry=registry,
        table=table,
        policy_of=lambda template: shared_policy(configuration, template),
        arn_of=environment.certificate_arn,
        watch=lambda ca, certificate: wiring.authorities.watch_named(ca, certificate, at=real.clock()),
        pace=pace,
        clock=real.clock,
        sleep=real.sleep,
        disconnecting=wiring.disconnecting(telemetry.noted, clock=real.clock, sleep=real.sleep, describe_pace=pace),
        report=telemetry.noted,
    )
    return BulkHandler(
        work=BulkWork(
            jobs=Jobs(table),
            registry=registry,
            task_of=tasks.of,
            clock=real.clock,
            report=telemetry.noted,
            per_second=configuration.bulk_tps,
        ),
        queue=WorkQueue(wiring.client("sqs"), queue_url),
        telemetry=telemetry,
    )


@cache
def _function() -> BulkHandler:
    return build_function(
        Configuration.beside(BUNDLE_ROOT), Environment.from_environ(os.environ), os.environ[QUEUE_VARIABLE]
    )


def handle(event: dict[str, Any], context: LambdaContext) -> Any:  # noqa: ANN401 - Lambda's answer
    """Lambda's entry point."""
    return _function().run(event, context, seconds_left=lambda: context.get_remaining_time_in_millis() / 1000)
