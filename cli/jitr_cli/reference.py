"""docs/cli.md, made of the commands themselves: `python -m jitr_cli.reference` prints it, `make docs` writes it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from jitr_cli.console.call import CallCommand, Kind
from jitr_cli.tree import COMMANDS, GROUP_HELP, SINGLE, root

_HEAD = """# The command line

Every command of `jitr`, made of the commands themselves by `make docs`: edit their help, not this page.

Data goes to stdout and words to stderr. Each command is of one of three kinds, which decides what it has in common with
the others:

| kind | what it does to AWS | options of the kind |
|---|---|---|
| local | asks nothing of AWS | `--json` |
| reading | asks AWS, writes nothing | the same, `--profile`, `--region`, `--endpoint-url` |
| writing | writes to AWS: says account, Region and deployment first, then asks | the same, `--dry-run`, `--yes` |

- `--json` prints one JSON document in one line, also together with `--dry-run`.
- `--dry-run` says what would be done, and does nothing.
- `--yes` answers the question beforehand. Where nobody is there to answer it, nothing is done.
- `--deployment` names the deployment where the Region holds several.
- `--profile`, `--region` and `--endpoint-url` come before the variables `AWS_PROFILE`, `AWS_REGION` (or
  `AWS_DEFAULT_REGION`) and `AWS_ENDPOINT_URL`.

What exit codes say is told once, for all commands: [exit codes](exit-codes.md).
"""


# Told once, at the top of the page.
_COMMON = {"as_json", "profile", "region", "endpoint_url", "yes"}


def reference() -> str:
    """Return the page in Markdown."""
    parts = [_HEAD]
    for group, about in GROUP_HELP.items():
        parts += [f"## jitr {group}\n\n{_sentence(about)}\n", *_commands(group)]
    for name in SINGLE:
        parts += _command(f"jitr {name}", _found(root, name), level=2)
    return "\n".join(parts)


def _commands(group: str) -> Iterator[str]:
    members = _found(root, group)
    for name in COMMANDS[group]:
        yield from _command(f"jitr {group} {name}", _found(members, name), level=3)


def _found(group: click.Command, name: str) -> click.Command:
    if isinstance(group, click.Group) and (command := group.get_command(click.Context(group), name)) is not None:
        return command
    raise LookupError(name)


def _command(name: str, command: click.Command, *, level: int) -> Iterator[str]:
    """Yield a command's part of the page, and of a group its members' parts below it."""
    yield f"{'#' * level} {name}\n\n{inspect.cleandoc(command.help or '')}\n"
    if isinstance(command, click.Group):
        for each in command.list_commands(click.Context(command)):
            yield from _command(f"{name} {each}", _found(command, each), level=level + 1)
        return
    context = click.Context(command, info_name=name, **root.context_settings)
    pieces = " ".join(command.collect_usage_pieces(context))
    kind = command.kind if isinstance(command, CallCommand) else Kind.LOCAL
    yield f"    {name} {pieces}\n\nKind: {kind}.\n"
    if options := _options(command, context):
        yield f"| option | |\n|---|---|\n{options}\n"


def _options(command: click.Command, context: click.Context) -> str:
    own = (each for each in command.params if isinstance(each, click.Option) and each.name not in _COMMON)
    records = filter(None, (each.get_help_record(context) for each in own))
    return "\n".join(f"| `{_cell(names)}` | {_cell(about)} |" for names, about in records)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    click.echo(reference(), nl=False)
