"""`jitr dlq drop`: remove dead letters that are not needed any more, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import click

from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import printable, progress, say
from jitr_cli.dlq.queue import DeadLetterQueue, Held, QueueName
from jitr_cli.dlq.selection import LetterSelection, counted, dead_since, queue_option, selection_options

_SHOWN = 20


@writing_command("drop")
@queue_option(default=QueueName.ACTIVATION, about="whose dead letters")
@selection_options
@click.option("--unreadable", is_flag=True, help="only letters whose event cannot be read back")
@click.option("--all", "everything", is_flag=True, help="all letters of the queue that are there now")
def command(
    call: Call, *, queue: QueueName, selection: LetterSelection, unreadable: bool, everything: bool
) -> ExitCode:
    """Remove dead letters for good: those with --reason, --certificate-id, --id, --unreadable, or --all.

    Says what is lost, and asks. The devices behind activation's letters stay as they are until they connect again.
    Letters that arrive after the question, and all that do not meet what was given, stay. With --json: dropped.
    """
    selection = replace(selection, unreadable=unreadable)
    if selection.is_everything != everything:
        raise CommandFailed("say which: --reason, --certificate-id, --id, --unreadable; or --all, and nothing else")
    letters = DeadLetterQueue.of(call.aws, call.stack, queue)
    call.announce()
    with progress("looking", total=None) as bar, letters.holding() as held:
        meant = [each for each in _seen(held.letters(), bar) if each in selection]
    selection.verify_unique(each.message_id for each in meant)
    say(f"{queue}: {len(meant)} letters to drop ({counted(meant)})")
    for each in meant[:_SHOWN]:
        say(f"  {each.message_id} of {dead_since(each)}: {_about(each)}: {printable(each.letter.message)}")
    if len(meant) > _SHOWN:
        say(f"  and {len(meant) - _SHOWN} more")
    dropped = 0
    if meant and call.confirm("Remove them? They cannot be brought back."):
        dropped = _drop(letters, {each.message_id for each in meant})
        say(f"{dropped} dropped")
    return call.finish({"dropped": dropped, "would_be": len(meant)})


def _seen(letters: Iterable[Held], bar: Callable[[int], None]) -> Iterator[Held]:
    for each in letters:
        bar(1)
        yield each


def _about(held: Held) -> str:
    return f"certificate {held.letter.certificate_id or 'none'}, {printable(held.letter.reason)}"


def _drop(letters: DeadLetterQueue, wanted: set[str]) -> int:
    """Read again, because a question may take longer than letters are held, and remove what was shown."""
    dropped = 0
    with progress("dropping", total=len(wanted)) as bar, letters.holding() as held:
        for each in held.letters():
            if each.message_id in wanted:
                held.remove(each)
                dropped += 1
                bar(1)
            if dropped == len(wanted):
                break
    return dropped
