"""`jitr dlq list`: the registration events that nobody could decide, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from jitr_cli.aws import Aws, aws_options, deployment_option, json_option
from jitr_cli.dead_letter_queue import DeadLetterQueue, Held
from jitr_cli.output import emit_json, emit_table, say


@click.command()
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="list at most so many")
@deployment_option
@json_option
@aws_options
def command(*, aws: Aws, limit: int, deployment: str | None, as_json: bool) -> None:
    """List dead letters with reason and step; they stay in the queue."""
    queue = DeadLetterQueue(aws.client("sqs"), aws.deployment(deployment).dead_letter_queue)
    held: list[Held] = []
    try:
        held.extend(queue.receive(at_most=limit))
    finally:
        for each in held:
            queue.put_back(each)
    rows = [describe(each) for each in held]
    if as_json:
        emit_json(rows)
    elif rows:
        emit_table(
            ("dead since", "origin", "certificate", "step", "reason", "message"),
            [tuple("" if value is None else str(value) for value in list(row.values())[1:7]) for row in rows],
        )
    else:
        say("no dead letters")
    if len(rows) == limit:
        say(f"there may be more than {limit}; raise --limit")


def describe(held: Held) -> dict[str, Any]:
    """Return one letter as the list shows it."""
    letter = held.letter
    sent = datetime.fromtimestamp(held.sent_at_milliseconds / 1000, UTC)
    return {
        "message_id": held.message_id,
        "dead_since": sent.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "origin": letter.origin,
        "certificate_id": letter.certificate_id,
        "step": letter.step,
        "reason": letter.reason,
        "message": letter.message,
        "event": letter.event,
    }
