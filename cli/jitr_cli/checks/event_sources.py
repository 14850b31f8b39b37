"""Whether queues hand their messages to the functions, and whether a message that fails is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jitr.activation.queue import MAX_RECEIVES
from jitr.bulk.queue import ATTEMPTS
from jitr_cli.diagnosis.deployed import Deployed
from jitr_cli.diagnosis.finding import Finding, error, ok, warning
from jitr_fleet.deployments.stack_outputs import StackOutputs

_RUNNING = "Enabled"
_PARTIAL = "ReportBatchItemFailures"
# Lambda's own, where a mapping or a function does not say (Lambda API reference).
_LAMBDAS_BATCH = 10
_LAMBDAS_TIMEOUT = 3
# SQS's own (API reference, SetQueueAttributes).
_SQSS_VISIBILITY = 30
# Lambda developer guide, "Configuring a queue to use with Lambda".
_ADVISED_TIMEOUTS = 6


@dataclass(frozen=True, kw_only=True)
class EventSource:
    """A queue before a function, and the queue where its messages end that were received so often in vain."""

    function: str
    url: str
    dead_letters: str
    receives: int

    @property
    def name(self) -> str:
        """Return the queue's name."""
        return self.url.rpartition("/")[2]


def _activation(stack: StackOutputs) -> EventSource:
    """Return activation's queue: also where the rule invokes the function, what was sent before still comes."""
    return EventSource(
        function=stack.function,
        url=stack.activation_queue,
        dead_letters=stack.dead_letter_queue,
        receives=MAX_RECEIVES,
    )


def _bulk(stack: StackOutputs) -> EventSource:
    return EventSource(
        function=stack.bulk_function,
        url=stack.bulk_queue,
        dead_letters=stack.bulk_dead_letter_queue,
        receives=ATTEMPTS,
    )


def event_sources(deployed: Deployed) -> Iterator[Finding]:
    """Look at what hands messages of queues to functions."""
    yield from _handed_over(deployed, _bulk(deployed.stack))
    # Events of the activation queue have turns; what a shift of bulk work does has a pace of its own.
    yield from _handed_over(deployed, _activation(deployed.stack), per_second=deployed.configuration.activation_tps)


def _handed_over(deployed: Deployed, source: EventSource, *, per_second: float | None = None) -> Iterator[Finding]:
    queue, function = deployed.queue(source.url), deployed.function(source.function) or {}
    answer = deployed.aws.client("lambda").list_event_source_mappings(
        FunctionName=source.function, EventSourceArn=queue["QueueArn"]
    )
    mappings, timeout = answer.get("EventSourceMappings", []), int(function.get("Timeout", _LAMBDAS_TIMEOUT))
    found = [
        *_judge_running(source, mappings, restore=deployed.restore),
        *(each for mapping in mappings for each in _judge_answers(source, mapping, restore=deployed.restore)),
        *(
            each
            for mapping in mappings
            for each in _judge_size(source, mapping, per_second, timeout=timeout, restore=deployed.restore)
        ),
        *_judge_visibility(source, queue, timeout=timeout, restore=deployed.restore),
    ]
    yield from found or [ok(f"messages of {source.name} are handed to {source.function}; what fails comes back")]


def _judge_running(source: EventSource, mappings: Sequence[Mapping[str, Any]], *, restore: str) -> Iterator[Finding]:
    if not mappings:
        yield error(f"nothing hands messages of {source.name} to {source.function}", fix=restore)
    elif not any(each.get("State") == _RUNNING for each in mappings):
        yield error(
            f"messages of {source.name} wait: their event source mapping is {mappings[0].get('State')}",
            fix=f"aws lambda update-event-source-mapping --uuid {mappings[0].get('UUID')} --enabled",
        )


def _judge_answers(source: EventSource, mapping: Mapping[str, Any], *, restore: str) -> Iterator[Finding]:
    """Without the report Lambda takes any answer for "all done", and deletes what the function wanted back."""
    if _PARTIAL not in (mapping.get("FunctionResponseTypes") or ()):
        yield error(
            f"messages of {source.name} that fail are deleted: their event source mapping has no {_PARTIAL}",
            fix=restore,
        )


def _judge_size(
    source: EventSource, mapping: Mapping[str, Any], per_second: float | None, *, timeout: int, restore: str
) -> Iterator[Finding]:
    """Judge how much is handed over at once by how many events a second have their turn, if they have turns."""
    at_once = (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency")
    if at_once is None:
        yield warning(
            f"nothing limits how many batches of {source.name} are at work at once: their event source mapping has no "
            "maximum concurrency",
            fix=restore,
        )
        return
    batch = int(mapping.get("BatchSize") or _LAMBDAS_BATCH)
    # One at a time is as little as can be handed over.
    if per_second is not None and batch > 1 and batch * at_once / per_second > timeout:
        yield warning(
            f"{at_once} batches of {batch} from {source.name} are too many at {per_second:g} activations a second: not "
            f"all have their turn within the {timeout} seconds that the function may run",
            fix=restore,
        )


def _judge_visibility(
    source: EventSource, queue: Mapping[str, str], *, timeout: int, restore: str
) -> Iterator[Finding]:
    seconds = int(queue.get("VisibilityTimeout", _SQSS_VISIBILITY))
    if seconds < timeout:
        yield error(
            f"messages of {source.name} come back after {seconds} seconds, while a function that may run for {timeout} "
            "is still at work on them",
            fix=restore,
        )
    elif seconds < _ADVISED_TIMEOUTS * timeout:
        yield warning(
            f"messages of {source.name} come back after {seconds} seconds; AWS advises six times the function's "
            f"{timeout}",
            fix=restore,
        )


def queue_destinations(deployed: Deployed) -> Iterator[Finding]:
    """Find out where messages end that a function never answered for."""
    for source in (_activation(deployed.stack), _bulk(deployed.stack)):
        queue = deployed.queue(source.url)
        arn = deployed.queue(source.dead_letters)["QueueArn"]
        yield judge_redrive_policy(source, queue.get("RedrivePolicy"), arn, restore=deployed.restore)


def judge_redrive_policy(source: EventSource, text: str | None, wanted: str, *, restore: str) -> Finding:
    """Judge a queue's redrive policy, JSON as SQS tells it; `wanted` is the ARN of its dead-letter queue."""
    policy = json.loads(text) if text else {}
    if policy.get("deadLetterTargetArn") != wanted:
        found = policy.get("deadLetterTargetArn")
        words = f"it goes to {found}" if found else "it is tried again until it is too old, then lost"
        return error(f"what fails again and again in {source.name} becomes no dead letter: {words}", fix=restore)
    receives = int(policy.get("maxReceiveCount", 0))
    if receives != source.receives:
        return warning(
            f"messages of {source.name} become dead letters after {receives} receives, not after {source.receives}",
            fix=restore,
        )
    return ok(f"what fails again and again in {source.name} goes to its dead-letter queue")
