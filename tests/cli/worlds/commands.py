"""All commands, by their whole names."""

from __future__ import annotations

from collections.abc import Iterator

import click

from jitr_cli.tree import root


def walk(group: click.Group, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command below a group, by its whole name."""
    context = click.Context(group)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        assert command is not None
        whole = f"{name} {each}".strip()
        if isinstance(command, click.Group):
            yield from walk(command, whole)
        else:
            yield whole, command


COMMANDS = dict(walk(root))
