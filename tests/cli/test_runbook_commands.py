"""Commands in the runbook are what somebody types at 3 a.m.: each exists, with the options it is shown with."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from jitr_cli.tree import root

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("runbook.md", "runbook/alarms.md", "runbook/reasons.md")
RUNBOOK = "\n".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)
FENCED = re.findall(r"^```sh\n(.*?)^```", RUNBOOK, re.MULTILINE | re.DOTALL)
SPANS = re.findall(r"`(jitr [^`/]+)`", re.sub(r"^```sh\n.*?^```", "", RUNBOOK, flags=re.MULTILINE | re.DOTALL))
LINES = [line.split("#")[0] for block in FENCED for line in block.splitlines() if line.startswith("jitr ")]
COMMANDS = sorted({" ".join(each.split()) for each in (*SPANS, *LINES)})


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_exists_with_its_options(line: str) -> None:
    """Groups down to the command, then its options."""
    words = line.split()[1:]
    command: click.Command = root
    while words and isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"no command {words[0]}"
        command, words = found, words[1:]
    assert not isinstance(command, click.Group), "a group, not a command"
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options


def test_there_are_commands() -> None:
    """Or the test above would pass with nothing."""
    assert len(COMMANDS) > 30
