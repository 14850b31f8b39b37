"""`jitr dlq show`: one dead letter as it is, and where the runbook says what to do."""

from __future__ import annotations

import json

import click

from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.output import emit_lines, say
from jitr_cli.dlq.queue import DeadLetterQueue, Held, QueueName
from jitr_cli.dlq.selection import LetterId, LetterSelection, describe, letter_advice, queue_option, section

_WIDTH = 14


@reading_command("show")
@click.argument("message_id", metavar="ID", type=LetterId())
@queue_option(default=None, about="look in one queue only")
def command(call: Call, *, message_id: str, queue: QueueName | None) -> ExitCode:
    """Print the dead letter ID whole: certificate, reason, step, event, and what to do. It stays in its queue.

    ID is what `jitr dlq list` shows, or the beginning of it. Exit code: 0 found, 1 not there (any more).
    """
    seen: dict[str, Held] = {}
    for name in QueueName if queue is None else (queue,):
        # A whole id is one letter's; nobody has to wait for the other queues.
        if message_id not in seen:
            seen |= _find(DeadLetterQueue.of(call.aws, call.stack, name), message_id)
    LetterSelection(message_ids=(message_id,)).verify_unique(seen)
    found = next(iter(seen.values()), None)
    if found is None:
        say(f"there is no dead letter {message_id}; another command may hold it right now: look again in ten minutes")
        return ExitCode.NO
    return call.finish(
        {**describe(found), "advice": letter_advice(found), "see": section(found), "body": found.body},
        words=lambda: _print(found),
    )


def _find(queue: DeadLetterQueue, start: str) -> dict[str, Held]:
    """Return the letters whose ids begin so, the one alone that has this very id."""
    found = {}
    with queue.holding() as held:
        for each in held.letters():
            if each.message_id == start:
                return {start: each}
            if each.message_id.startswith(start):
                found[each.message_id] = each
    return found


def _print(held: Held) -> None:
    letter, told = held.letter, describe(held)
    lines = (
        ("id", held.message_id),
        ("queue", held.queue.value),
        ("dead since", told["dead_since"]),
        ("origin", letter.origin),
        ("certificate", letter.certificate_id or "none"),
        ("step", "none" if letter.step is None else str(letter.step)),
        ("reason", letter.reason),
        ("message", letter.message),
        ("event", held.body if letter.event is None else json.dumps(letter.event)),
        ("what to do", letter_advice(held)),
        ("more", section(held)),
    )
    emit_lines(lines, width=_WIDTH)
