"""What every command promises by its kind: which options it has, that they are the same ones, and what they do."""

from __future__ import annotations

import ast
import importlib
import io
import pkgutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

import jitr_cli
from jitr_cli.console.call import Call, CallCommand, Kind, NobodyAnswers
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from tests.cli.worlds.commands import COMMANDS

CONNECTION = {"--profile", "--region", "--endpoint-url"}
# What a kind of command has at least; the second set it must not have.
OPTIONS = {
    Kind.LOCAL: ({"--json"}, CONNECTION | {"--yes"}),
    Kind.READING: ({"--json"} | CONNECTION, {"--dry-run", "--yes"}),
    Kind.WRITING: ({"--json", "--dry-run", "--yes"} | CONNECTION, set()),
}
# It writes on this computer, and writes a Region down.
ASKING_AT_HOME = {"init": {"--yes", "--region"}}
# They ask AWS about an account and a Region, whatever is deployed there.
WITHOUT_DEPLOYMENT = {"ca create", "ca csr", "ca devices", "crl show", "device create"}


def options_of(command: click.Command) -> dict[str, click.Option]:
    """A command's options, by their long names."""
    found = [each for each in command.params if isinstance(each, click.Option)]
    return {name: each for each in found for name in each.opts if name.startswith("--")}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_on_a_call_and_has_the_options_of_its_kind(name: str) -> None:
    """And none that would mean nothing there."""
    command = COMMANDS[name]
    assert isinstance(command, CallCommand)
    wanted, forbidden = OPTIONS[command.kind]
    options = set(options_of(command))
    assert wanted <= options
    assert not (forbidden - ASKING_AT_HOME.get(name, set())) & options
    if command.kind is not Kind.LOCAL:
        assert ("--deployment" in options) is (name not in WITHOUT_DEPLOYMENT)


@pytest.mark.parametrize("option", sorted(CONNECTION | {"--json", "--dry-run", "--yes", "--fleet"}))
def test_an_option_is_the_same_wherever_it_is(option: str) -> None:
    """Same short form, same variable, same words in the help."""
    seen = {
        (tuple(each.opts), str(each.envvar), each.help, each.metavar, each.is_flag)
        for command in COMMANDS.values()
        for name, each in options_of(command).items()
        if name == option
    }
    assert len(seen) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    """In the help, and so in docs/cli.md."""
    assert [each for each, option in options_of(COMMANDS[name]).items() if not option.help] == []
    assert COMMANDS[name].help


def test_some_commands_are_of_each_kind() -> None:
    """Or the tests above would pass with nothing."""
    kinds = [command.kind for command in COMMANDS.values() if isinstance(command, CallCommand)]
    assert {kind: kinds.count(kind) > 10 for kind in Kind} == dict.fromkeys(Kind, True)


def written(name: str) -> tuple[str, ast.FunctionDef]:
    """The module of a command, and the command itself as it is written there."""
    callback: Any = COMMANDS[name].callback
    module = importlib.import_module(callback.__module__)
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    found = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == callback.__name__]
    assert len(found) == 1
    return callback.__module__, found[0]


def test_no_command_imports_another() -> None:
    """What two commands share has a place of its own."""
    modules = {written(name)[0] for name in COMMANDS}
    for module in pkgutil.walk_packages(jitr_cli.__path__, "jitr_cli."):
        source = importlib.import_module(module.name).__file__ if module.name != "jitr_cli.__main__" else None
        if source is None or module.name == "jitr_cli.tree":
            continue
        tree = ast.parse(Path(source).read_text(encoding="utf-8"))
        imported = {each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
        assert not imported & modules, module.name


class Aws:
    """An account without AWS."""

    region = "eu-west-1"

    def account(self) -> str:
        return "111122223333"


def call(monkeypatch: pytest.MonkeyPatch, *, answers: str = "", **options: Any) -> Call:
    """A call in that account, and what is typed at its questions."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
    made = Call(**options)
    made.__dict__ |= {"aws": Aws(), "stack": SimpleNamespace(deployment="prod")}
    return made


def test_a_question_comes_only_after_it_was_said_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """To forget that is a bug, whatever --yes says."""
    with pytest.raises(RuntimeError, match="before it was said where"):
        call(monkeypatch, yes=True).confirm("Do it?")


@pytest.mark.parametrize(("answers", "expected"), [("y\n", True), ("maybe\nyes\n", True)])
def test_a_yes_lets_it_write(monkeypatch: pytest.MonkeyPatch, answers: str, expected: bool) -> None:
    """Typed, after account, Region and deployment were said."""
    asked = call(monkeypatch, answers=answers)
    asked.announce()
    assert asked.confirm("Do it?") is expected


def test_a_no_is_a_no(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1; and what was said first is where."""
    asked = call(monkeypatch, answers="n\n")
    asked.announce()
    with pytest.raises(CommandFailed) as refused:
        asked.confirm("Do it?")
    assert refused.value.exit_code is ExitCode.NO
    captured = capsys.readouterr()
    assert (captured.out, captured.err.splitlines()[0]) == (
        "",
        "account 111122223333 · Region eu-west-1 · deployment prod",
    )


def test_nobody_there_to_answer_is_told_the_option_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a script or a build, where nobody interrupted anything."""
    asked = call(monkeypatch)
    asked.announce()
    with pytest.raises(NobodyAnswers, match="give --yes"):
        asked.confirm("Do it?")
    with pytest.raises(NobodyAnswers, match="give --unmanaged"):
        asked.confirm("Do it?", yes=False, option="--unmanaged")


def test_a_person_who_interrupts_is_not_told_to_give_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at the question."""

    def interrupt(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    asked = call(monkeypatch)
    asked.announce()
    monkeypatch.setattr("click.termui.visible_prompt_func", interrupt)
    with pytest.raises(click.Abort) as ended:
        asked.confirm("Do it?")
    assert not isinstance(ended.value, NobodyAnswers)


def test_a_dry_run_neither_asks_nor_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even with --yes."""
    assert call(monkeypatch, dry_run=True, yes=True).confirm("Do it?") is False


@pytest.mark.parametrize("as_json", [True, False])
def test_the_answer_is_json_or_words_and_never_both(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    """One line of JSON on stdout with --json."""
    ending = call(monkeypatch, as_json=as_json).finish({"a": 1}, ExitCode.NO, words=lambda: click.echo("words"))
    assert (ending, capsys.readouterr().out) == (ExitCode.NO, '{"a": 1}\n' if as_json else "words\n")
