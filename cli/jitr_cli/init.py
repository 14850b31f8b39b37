"""`jitr init`: a deployment repository of one's own, with no clone of ours in it.

Exit codes: 0 done, 1 answered no, 64 something is missing or wrong. Nothing is asked of AWS, and no file written over.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from jitr_cli.console.call import Call, dry_run_option, local_command, region_option, yes_option
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import say
from jitr_fleet.files.extras import add, missing
from jitr_fleet.fleet_file.starting import Start, starting_files, write_missing

_QUESTIONS = {
    "name": "name of the deployment, as prod-eu",
    "account": "AWS account id, 12 digits",
    "region": "AWS Region, as eu-west-1",
}


@local_command("init", region_option, dry_run_option, yes_option)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".", metavar="[DIR]")
@click.option("--name", metavar="NAME", help="name of the deployment; becomes the stack's name")
@click.option("--account", metavar="ID", help="AWS account id, 12 digits")
def command(call: Call, *, folder: Path, name: str | None, account: str | None) -> ExitCode:
    """Make a deployment repository in DIR, this folder unless given: fleet file, policies, CDK app, CI workflows.

    Asks for what no option says, unless a fleet.toml does. Files that are there already stay as they are, so it may run
    again in the same folder.
    """
    start = Start.of_file(folder / "fleet.toml")
    if start is None:
        given = {"name": name, "account": account, "region": call.region}
        start = Start(**{key: value or _answer(key, asks=not call.yes) for key, value in given.items()})
        if mistakes := start.mistakes():
            words = (f"--{key} {getattr(start, key)!r}: {problem}" for key, problem in mistakes.items())
            raise CommandFailed("; ".join(words))
    files = starting_files(start, folder.resolve())
    kept = [path for path in files if (folder / path).exists()]
    written = [path for path in files if path not in kept]
    call.announce_folder(folder)
    if written and call.confirm(f"write {len(written)} files?"):
        write_missing(files, folder)
    data = {"folder": str(folder), "written": written, "kept": kept, "dry_run": call.dry_run}
    return call.finish(data, words=lambda: _tell(call, folder, written, kept))


def _answer(key: str, *, asks: bool) -> str:
    """Return what a person answers; raises CommandFailed where nobody is asked, or there to answer."""
    if asks:
        try:
            return str(click.prompt(_QUESTIONS[key], err=True))
        except click.Abort as ended:
            if not isinstance(ended.__context__, EOFError):
                raise
    raise CommandFailed(f"--{key} is missing: {_QUESTIONS[key]}")


def _tell(call: Call, folder: Path, written: list[str], kept: list[str]) -> None:
    for path in written:
        click.echo(path)
    for path in kept:
        say(f"{path} is there already, and stays as it is")
    if call.dry_run:
        say("nothing was written")
        return
    say(f"next, in {folder}: jitr fleet check; npm install; npx cdk bootstrap; npx cdk deploy")
    if missing("cdk"):
        say(f"cdk needs jitr's extra cdk beside {sys.executable}: {add('cdk')}")
