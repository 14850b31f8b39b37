"""`jitr policy diff`: what the templates of this checkout change, beside what is deployed or beside other files.

The cases beside a template are asked of both documents: which answers change is shown too.
Exit codes: 0 no difference; 1 differences, also where only the wording differs; 2 it is not known what a template
changes: it or its cases cannot be read, or a case does not say what its answer depends on; 64 a name or file that is
not there; 69 AWS unreachable or refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jitr.policies.template import render_policy, uses_device_values
from jitr.policies.values import PolicyError
from jitr_cli.console.aws import Aws
from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import read_file
from jitr_cli.console.fleet import deployment_values, fleet_deployment_option, fleet_option, read_deployment
from jitr_cli.console.output import emit_table, printable, say
from jitr_fleet.deployments.configuration import configuration_of
from jitr_fleet.deployments.deployment import Deployment
from jitr_fleet.policies.authoring.acknowledging import exceptions_of
from jitr_fleet.policies.authoring.answers import changed_answers
from jitr_fleet.policies.authoring.diff import DiffStatus, PolicyDiff, Side, diff_policies
from jitr_fleet.policies.authoring.diff_report import (
    ANSWER_COLUMNS,
    COLUMNS,
    acknowledged,
    answer_rows,
    as_data,
    markdown,
    open_questions,
    rows,
    summary,
)
from jitr_fleet.policies.cases.file import cases_of, read_cases
from jitr_fleet.policies.cases.suite import own_values
from jitr_fleet.policies.source import MAXIMUM_BYTES

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@reading_command("diff", deployment=fleet_deployment_option)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--against",
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="compare with a template or a folder of templates instead of AWS",
)
@fleet_option
@click.option("--markdown", "as_markdown", is_flag=True, help="print Markdown, for a pull request")
def command(call: Call, *, names: tuple[str, ...], against: Path | None, fleet: Path, as_markdown: bool) -> ExitCode:
    """Show which rights the templates NAME (all of them unless named) give and take.

    Compares with what is deployed; with --against, the templates beside the fleet file (with --deployment, those of its
    folder) with other files, without AWS. The cases beside a template are asked of both sides.
    Exit code: 0 no difference, 1 differences, 2 undetermined: a template or its cases cannot be read, or a case does
    not say what its answer depends on.
    """
    if as_markdown and call.as_json:
        raise CommandFailed("--markdown and --json are two ways to print one thing: choose one")
    if against is None:
        target = read_deployment(fleet, call.deployment)
        diffs = tuple(_with_deployed(call.aws, target, _chosen(names, target.policies)))
        title = f"Policies of {target.name}: what a deploy changes"
    else:
        named = read_deployment(fleet, call.deployment) if call.deployment else None
        folder = named.policies_folder if named else fleet.parent / "policies"
        diffs = tuple(_with_files(folder, against, names))
        title = "Policies: what this changes"
    words = (
        (lambda: click.echo(markdown(diffs, title=title, today=_today())))
        if as_markdown
        else (lambda: _print_all(diffs))
    )
    return call.finish({"policies": [as_data(each) for each in diffs]}, _exit_code(diffs), words=words)


def _exit_code(diffs: Sequence[PolicyDiff]) -> ExitCode:
    if any(each.undetermined for each in diffs):
        return ExitCode.UNDETERMINED
    return ExitCode.NO if any(each.differs for each in diffs) else ExitCode.DONE


def _chosen(names: Sequence[str], known: Mapping[str, object]) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise CommandFailed(f"there is no template {name!r}; there are: {', '.join(sorted(known)) or 'none'}")
    return tuple(names) or tuple(sorted(known))


def _with_deployed(aws: Aws, target: Deployment, names: Sequence[str]) -> Iterator[PolicyDiff]:
    """Compare each template with the default version of its policy in AWS IoT, rendered for the deployment."""
    aws = replace(aws, default_region=target.region)
    _verify_place(aws, target)
    configuration = configuration_of(target)
    client: IoTClient = aws.client("iot")
    for name in names:
        document = _rendered(target, name)
        if document is None:
            say(f"{name}: one policy for each device, made at its activation; an edit reaches only devices to come")
            continue
        after = Side(label=str(_file_of(target, name)), text=document)
        before = _deployed(client, configuration.policy_name(name))
        yield _compared(name, before, after, template=_file_of(target, name), values=deployment_values(target))


def _rendered(target: Deployment, name: str) -> str | None:
    """Return what AWS IoT would get, or None for a template of which each device gets its own."""
    template = target.policies[name]
    try:
        return None if uses_device_values(template) else render_policy(template, deployment_values(target))
    except PolicyError as error:
        place = f"{_file_of(target, name)}" + (f": line {error.line}" if error.line else "")
        raise CommandFailed(f"{place}: {error}") from error


def _file_of(target: Deployment, name: str) -> Path:
    return target.policies_folder / f"{name}.json"


def _verify_place(aws: Aws, target: Deployment) -> None:
    """Check that AWS is asked where the deployment is: anywhere else its policies would seem to be missing."""
    if aws.region != target.region:
        raise CommandFailed(f"deployment {target.name} is in {target.region}, not in {aws.region}")
    if (account := aws.account()) != target.account:
        raise CommandFailed(f"deployment {target.name} is in account {target.account}; the credentials are {account}'s")


def _deployed(client: IoTClient, policy: str) -> Side:
    try:
        found = client.get_policy(policyName=policy)
    except client.exceptions.ResourceNotFoundException:
        return Side(label=f"{policy} (not deployed yet)", text=None)
    return Side(label=f"{policy} (version {found['defaultVersionId']})", text=found["policyDocument"])


def _with_files(folder: Path, against: Path, names: Sequence[str]) -> Iterator[PolicyDiff]:
    """Compare templates as they are written: neither side is rendered, so no deployment is needed."""
    after = _templates(folder)
    if against.is_dir():
        before = _templates(against)
        chosen = _chosen(names, {**before, **after})
    elif len(names) > 1:
        raise CommandFailed("--against names one file: give one NAME, or a folder")
    else:
        chosen = _chosen(names or (against.stem,), after)
        before = {chosen[0]: against}
    for name in chosen:
        yield _compared(name, _file(before.get(name)), _file(after.get(name)), template=after.get(name))


def _compared(
    name: str, before: Side, after: Side, *, template: Path | None, values: Mapping[str, str] | None = None
) -> PolicyDiff:
    """Compare two documents, with what was acknowledged for the later one and the answers that its cases get.

    `values` are the deployment's; without, each document's own ARNs say them, or examples do.
    """
    compared = diff_policies(name, before, after)
    if template is None:
        return compared
    compared = replace(compared, exceptions=exceptions_of(template))
    file = cases_of(template)
    if not file.is_file() or compared.status in {DiffStatus.SAME, DiffStatus.UNREADABLE}:
        return compared
    cases, mistakes = read_cases(file)
    if mistakes:
        return replace(compared, unread_cases=str(mistakes[0]))
    sides = before.text, after.text
    first, second = (values or own_values(None if text is None else json.loads(text)) for text in sides)
    return replace(compared, answers=tuple(changed_answers(cases, *sides, (first, second))))


def _templates(folder: Path) -> dict[str, Path]:
    return {file.stem: file for file in sorted(folder.glob("*.json"))}


def _file(path: Path | None) -> Side:
    if path is None:
        return Side(label="nothing", text=None)
    # A character that is no UTF-8 makes the text unlike any other; the lint names the place.
    return Side(label=str(path), text=read_file(path, maximum=MAXIMUM_BYTES).decode("utf-8", errors="replace"))


def _today() -> date:
    return date.today()  # noqa: DTZ011 - the day of whoever reviews, as the lint takes it


def _print_all(diffs: Sequence[PolicyDiff]) -> None:
    for each in diffs:
        _print(each)


def _print(diff: PolicyDiff) -> None:
    click.echo(f"{diff.name}: {printable(summary(diff))}")
    for each in acknowledged(diff, today=_today()):
        click.echo(f"  {printable(each)}")
    if diff.changes:
        emit_table(COLUMNS, rows(diff))
    if diff.answers:
        click.echo("  cases whose answer changes or is undetermined:")
        emit_table(ANSWER_COLUMNS, answer_rows(diff))
    for told in open_questions(diff):
        say(printable(told))
    for line in diff.text:
        click.secho(printable(line), fg=_COLOURS.get(line[:1]))
    if diff.text:
        click.echo()
