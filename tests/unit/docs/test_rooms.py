"""The code keeps its rooms: small packages that say what lives in them, no cycles, short files and functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from jitr_cli.tree import COMMANDS, CommandGroup
from tools.layout.layout import MOST_MODULES, ROOTS, Layout, read_layout

CHECKOUT = Path(__file__).parents[3]
LONGEST_FILE = 300
LONGEST_BODY = 45
# Longer ones that are still to be cut, and how long they are; nothing is added here.
LONG_FILES = {"lambda/jitr/registry/rows.py": 302}
LONG_BODIES: dict[str, int] = {}
# This one looks at what the groups ca, crl, device and dlq do, so it has a room above them.
ROOM_OF_ITS_OWN = {("device", "explain"): "jitr_cli.explain"}
FILES = [
    file.relative_to(CHECKOUT)
    for root, source in ROOTS.items()
    for file in sorted((CHECKOUT / source / root).rglob("*.py"))
]


@pytest.fixture(scope="module")
def layout() -> Layout:
    """How this checkout is cut."""
    return read_layout(CHECKOUT)


def test_a_package_has_at_most_twelve_modules(layout: Layout) -> None:
    """More than that needs prefixes to be found in, which are folders that nobody made."""
    sizes = {name: len(modules) for root in ROOTS for name, modules in layout.packages(root).items()}
    assert {name: size for name, size in sizes.items() if size > MOST_MODULES} == {}
    assert len(sizes) > len(ROOTS)


def test_no_arrow_leads_up_and_none_in_a_circle(layout: Layout) -> None:
    """Neither between the roots, nor between packages of one root."""
    assert layout.upward() == []
    assert layout.cycle() == []
    assert len(layout.floors()) == len(layout.arrows)


@pytest.mark.parametrize("file", [file for file in FILES if file.name == "__init__.py"], ids=str)
def test_each_package_says_in_a_sentence_what_lives_there(file: Path) -> None:
    """One line, so that a list of the packages is a map."""
    words = ast.get_docstring(ast.parse((CHECKOUT / file).read_text(encoding="utf-8"))) or ""
    sentence = words.split("\n\n")[0]
    assert sentence.endswith("."), sentence
    assert "\n" not in sentence
    assert len(sentence.split()) > 2


@pytest.mark.parametrize(("group", "command"), [(group, name) for group, names in COMMANDS.items() for name in names])
def test_each_command_lives_in_the_folder_of_its_group(group: str, command: str) -> None:
    """Whoever looks for `jitr ca hold` opens jitr_cli/ca."""
    found = CommandGroup(group).get_command(click.Context(click.Group()), command)
    while isinstance(found, click.Group):
        found = next(iter(found.commands.values()))
    assert found is not None
    assert found.callback is not None
    room = ROOM_OF_ITS_OWN.get((group, command), f"jitr_cli.{group}")
    assert found.callback.__module__.startswith(f"{room}.")


def test_no_file_is_longer_than_can_be_read_at_once() -> None:
    """At most 300 lines."""
    lengths = {str(file): len((CHECKOUT / file).read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert {file: length for file, length in lengths.items() if length > LONG_FILES.get(file, LONGEST_FILE)} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    """At most 45 lines of body, docstring not counted."""
    lengths = {f"{file}:{name}": length for file in FILES for name, length in _bodies(CHECKOUT / file)}
    assert {name: length for name, length in lengths.items() if length > LONG_BODIES.get(name, LONGEST_BODY)} == {}
    assert len(lengths) > len(FILES)


def _bodies(file: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            if body:
                yield node.name, (body[-1].end_lineno or 0) - body[0].lineno + 1
