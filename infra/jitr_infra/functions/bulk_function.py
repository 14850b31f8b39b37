"""The bulk function: does in the account what would take an operator's computer days."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from jitr.bulk.queue import QUEUE_VARIABLE
from jitr_infra.functions.bundled_function import BundledFunction, FunctionDefinition, FunctionSettings
from jitr_infra.parts.bulk_queue import BulkQueue

# The least that Lambda allows for a queue. They share one pace, so a second one makes nothing faster.
AT_ONCE = 2
BATCH = 2


class BulkFunction(BundledFunction):
    """The function behind the work queue.

    It reserves no concurrency: it may wait for what is left, and the mapping's maximum keeps it from taking more.
    Failed shifts are in the queue's own dead letters, so asynchronous invocations, which do not occur, have none.
    """

    DEFINITION = FunctionDefinition(
        name="Bulk",
        purpose="Revokes, re-attaches and imports in bulk, paced",
        handler="jitr.handlers.bulk.handle",
        memory=256,
        sends_itself=True,
        # Short enough that whoever stops, resumes or kills something waits minutes for it; the lease of a shift is
        # longer.
        timeout=Duration.minutes(10),
    )

    def __init__(self, scope: Construct, construct_id: str, settings: FunctionSettings, *, work: BulkQueue) -> None:
        super().__init__(scope, construct_id, settings.with_environment({QUEUE_VARIABLE: work.queue.queue_url}))
        self.role.allow(
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage"],
            [work.queue.queue_arn],
        )
        lambda_.EventSourceMapping(
            self,
            "Work",
            target=self.function,
            event_source_arn=work.queue.queue_arn,
            batch_size=BATCH,
            max_concurrency=AT_ONCE,
            report_batch_item_failures=True,
        )
