"""`jitr fleet check`: every mistake in a fleet file and in what it names, each with its line and what is right.

Exit codes: 0 no mistake, 1 mistakes, 64 a file that is not there or cannot be read. Nothing is asked of AWS.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from jitr_cli.console.call import Call, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import printable, say
from jitr_fleet.deployments.deployment import Fleet
from jitr_fleet.files.mistakes import FleetFileError, Mistake
from jitr_fleet.fleet_file.reader import read_fleet
from jitr_fleet.fleet_file.warnings import notes_of, warnings_of


@local_command("check")
@click.argument(
    "file", type=click.Path(dir_okay=False, path_type=Path), default="fleet.toml", envvar="JITR_FLEET", metavar="[FILE]"
)
def command(call: Call, *, file: Path) -> ExitCode:
    """Check a fleet file, fleet.toml unless FILE or JITR_FLEET names another, as `cdk synth` does before it begins.

    Names each mistake with its key and line, what was found and what is right: keys, certificates, templates and their
    lint and cases, and CAs that two deployments claim. Exit code: 0 without mistakes, 1 with, 64 for no such file.
    """
    _verify_readable(file)
    try:
        fleet = read_fleet(file)
    except FleetFileError as error:
        mistakes = error.mistakes
        data = {"mistakes": [_as_data(mistake, file) for mistake in mistakes]}
        return call.finish(data, ExitCode.NO, words=lambda: _print(mistakes, file))
    _remark(fleet)
    cas = sum(len(deployment.cas) for deployment in fleet.deployments)
    say(f"{file}: {_count(len(fleet.deployments), 'deployment')}, {_count(cas, 'CA')}, no mistakes")
    return call.finish({"mistakes": []})


def _print(mistakes: Sequence[Mistake], file: Path) -> None:
    for mistake in mistakes:
        click.echo(printable(str(mistake)))
    say(f"{file}: {_count(len(mistakes), 'mistake')}")


def _verify_readable(file: Path) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        hint = "name the fleet file, or make one with `jitr init`"
        raise CommandFailed(f"{file} cannot be read: {error.strerror}; {hint}") from error


def _as_data(mistake: Mistake, file: Path) -> dict[str, Any]:
    """Return a mistake as data; `line` is the fleet file's, so of another file the message says name and line."""
    here = mistake.file == file
    place = str(mistake.file) if mistake.line is None else f"{mistake.file}:{mistake.line}"
    return {
        "key": mistake.key,
        "line": mistake.line if here else None,
        "message": mistake.found if here else f"{place}: {mistake.found}",
        "fix": mistake.allowed,
    }


def _remark(fleet: Fleet) -> None:
    """Say what is allowed, but worth a word at each synth."""
    for deployment in fleet.deployments:
        for words in (*notes_of(deployment), *warnings_of(deployment, at=datetime.now(UTC))):
            say(f"warning: {words}")


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
