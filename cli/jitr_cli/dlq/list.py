"""`jitr dlq list`: what could not be decided, enforced or finished, and why."""

from __future__ import annotations

import click

from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.output import emit_table, say
from jitr_cli.dlq.queue import DeadLetterQueue, Held, QueueName
from jitr_cli.dlq.selection import LetterSelection, counted, describe, queue_option, selection_options
from jitr_fleet.deployments.stack_outputs import OutputMissing

_COLUMNS = ("queue", "id", "dead since", "origin", "certificate", "step", "reason", "message")


@reading_command("list")
@queue_option(default=None, about="only one queue")
@selection_options
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="look at so many of each queue")
def command(call: Call, *, queue: QueueName | None, selection: LetterSelection, limit: int) -> ExitCode:
    """List dead letters with reason and step; they stay in their queues.

    With --json: `{"letters": [...]}`, each with message_id, dead_since, origin, certificate_id, step, reason, message,
    event and queue.
    """
    found: list[Held] = []
    for name in QueueName if queue is None else (queue,):
        try:
            letters = DeadLetterQueue.of(call.aws, call.stack, name)
        except OutputMissing as missing:
            if queue is not None:
                raise
            # The other queues are what somebody wants to see in the middle of an incident.
            say(f"{name}: not looked at: {missing}")
            continue
        with letters.holding() as held:
            looked_at = list(held.letters(at_most=limit))
        depth = letters.depth()
        say(f"{name}: about {max(depth.total, len(looked_at))} dead letters" + _reasons(looked_at))
        if len(looked_at) == limit:
            say(f"{name}: there may be more than {limit}; raise --limit")
        found += [each for each in looked_at if each in selection]
    return call.finish({"letters": [describe(each) for each in found]}, words=lambda: _print(found))


def _print(found: list[Held]) -> None:
    if found:
        emit_table(_COLUMNS, map(_row, found))
    else:
        say("no dead letters")


def _reasons(letters: list[Held]) -> str:
    return f" ({counted(letters)})" if letters else ""


def _row(held: Held) -> tuple[str, ...]:
    data = describe(held)
    keys = ("queue", "message_id", "dead_since", "origin", "certificate_id", "step", "reason", "message")
    return tuple("" if data[key] is None else str(data[key]) for key in keys)
