"""docs/cli.md says what the commands say of themselves."""

from __future__ import annotations

from pathlib import Path

from jitr_cli.reference import reference
from tests.cli.worlds.commands import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_what_the_commands_make_of_it() -> None:
    """Edited by hand, or a help text changed since: `make docs` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_every_command_has_its_part() -> None:
    """Also those of a group inside a group."""
    page = reference()
    assert [name for name in COMMANDS if f" jitr {name}\n" not in page] == []
