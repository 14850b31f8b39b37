"""`jitr dlq show`: one dead letter as it is, and where the runbook says what to do."""

from __future__ import annotations

import json
from typing import Any

import click

from jitr_cli.console.aws import Aws, aws_options, deployment_option, json_option
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.output import emit_json, printable, say
from jitr_cli.dlq.advice import advice
from jitr_cli.dlq.queue import DeadLetterQueue, Held, QueueName
from jitr_cli.dlq.selection import describe, queue_option, section

_WIDTH = 14


@click.command("show")
@click.argument("message_id", metavar="ID")
@queue_option(default=None, about="look in one queue only")
@deployment_option
@json_option
@aws_options
def command(*, aws: Aws, message_id: str, queue: QueueName | None, deployment: str | None, as_json: bool) -> ExitCode:
    """Print the dead letter ID whole: certificate, reason, step, event, and what to do. It stays in its queue.

    ID is what `jitr dlq list` shows. Exit code: 0 found, 1 not there (any more).
    """
    stack = aws.deployment(deployment)
    found = None
    for name in QueueName if queue is None else (queue,):
        found = found or _find(DeadLetterQueue.of(aws, stack, name), message_id)
    if found is None:
        say(f"there is no dead letter {message_id}; somebody may hold it right now: look again in ten minutes")
        return ExitCode.NO
    if as_json:
        emit_json(_as_data(found))
    else:
        _print(found)
    return ExitCode.DONE


def _find(queue: DeadLetterQueue, message_id: str) -> Held | None:
    with queue.holding() as held:
        return next((each for each in held.letters() if each.message_id == message_id), None)


def _as_data(held: Held) -> dict[str, Any]:
    return {**describe(held), "advice": advice(held), "see": section(held), "body": held.body}


def _print(held: Held) -> None:
    letter, told = held.letter, describe(held)
    for label, text in (
        ("id", held.message_id),
        ("queue", held.queue.value),
        ("dead since", told["dead_since"]),
        ("origin", letter.origin),
        ("certificate", letter.certificate_id or "none"),
        ("step", "none" if letter.step is None else str(letter.step)),
        ("reason", letter.reason),
        ("message", letter.message),
        ("event", held.body if letter.event is None else json.dumps(letter.event)),
        ("what to do", advice(held)),
        ("more", section(held)),
    ):
        click.echo(f"{label:<{_WIDTH}} {printable(text)}")
