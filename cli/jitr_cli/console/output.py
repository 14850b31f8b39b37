"""Where things are printed: data on stdout, words on stderr."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from jitr_fleet.deployments.stack_outputs import StackOutputs
from jitr_fleet.deployments.versions import own_version, version_difference

_LARGEST_EXACT = 2**53 - 1


def say(words: str) -> None:
    """Print words for a human to stderr."""
    click.echo(words, err=True)


def say_versions(stacks: Iterable[StackOutputs]) -> None:
    """Say of each deployment that another version of jitr made it, where that is so."""
    for stack in stacks:
        if difference := version_difference(stack.version, own_version()):
            say(f"deployment {stack.deployment} was {difference}")


def emit_json(data: Any) -> None:  # noqa: ANN401 - whatever json can hold
    """Print data as one JSON document of one line to stdout."""
    click.echo(json.dumps(data))


def json_number(number: int | None) -> int | str | None:
    """Return a number as JSON holds it: beyond 53 bits as text, because many readers would round it (RFC 8259, 6)."""
    return number if number is None or abs(number) <= _LARGEST_EXACT else str(number)


def printable(text: str) -> str:
    """Return text of foreign origin without the characters that a terminal would obey, or cannot be encoded."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def emit_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows as a table to stdout, as wide as they need when stdout is no terminal."""
    from rich import box  # noqa: PLC0415 - rich costs more to import than most commands to run
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Column, Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    # What does not fit is folded, never cut: ids and commands are there to be copied.
    table = Table(*(Column(each, overflow="fold") for each in columns), box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(soft_wrap=False)
    if not console.is_terminal:
        console = Console(width=10_000)
    console.print(table)


def emit_csv(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    """Print rows as CSV to stdout, each as soon as it is there."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


def emit_lines(lines: Iterable[tuple[str, str]], *, width: int) -> None:
    """Print what is known of one thing to stdout: a line for each label, its text beside it."""
    for label, text in lines:
        click.echo(f"{label:<{width}} {printable(text)}")


@contextmanager
def progress(label: str, *, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show on stderr how far a long command is, with the time that is left where the total is known."""
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(label, total=total)
        yield lambda done: shown.advance(task, done)
