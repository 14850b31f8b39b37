"""`jitr device allow import|list|remove`: the serial numbers that may become ACTIVE, where a CA has an allow-list."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jitr.allow_list import AllowList, allowed_key
from jitr.state_table import StateTable
from jitr_cli.aws import Aws, ask, aws_options, deployment_option, dry_run_option, json_option, yes_option
from jitr_cli.certificate_files import existing_file, read_file
from jitr_cli.commands.ca_release import ca_option
from jitr_cli.failures import CommandFailed
from jitr_cli.output import emit_json, progress, say
from jitr_fleet.revocation_lists import ListMistake, read_serial_list

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# A million serial numbers of 20 octets with room for comments.
_MAXIMUM_BYTES = 64 * 1024 * 1024

list_argument = click.argument("file", type=existing_file())


@click.group("allow")
def command() -> None:
    """Say which serial numbers may become ACTIVE, for CAs with `allow_list = true` in the fleet file.

    FILE holds serial numbers in hex, one a line; `#` begins a comment.
    """


@command.command("import")
@list_argument
@ca_option
@deployment_option
@dry_run_option
@yes_option
@aws_options
def import_command(
    *, aws: Aws, file: Path, ca_certificate_id: str, deployment: str | None, dry_run: bool, yes: bool
) -> None:
    """Add serial numbers to a CA's list; those that are on it already stay."""
    serials = _serials(file)
    table = _table(aws, deployment)
    say(f"add {len(serials)} serial numbers to the allow-list of CA {ca_certificate_id}")
    if dry_run:
        return
    ask("Let these in?", yes=yes)
    with progress("adding", total=len(serials)) as bar, table.batch_writer() as batch:
        for serial in serials:
            batch.put_item(Item=_plain(ca_certificate_id, serial))
            bar(1)
    say("added; devices that wait are activated at their next connect")


@command.command("remove")
@list_argument
@ca_option
@deployment_option
@dry_run_option
@yes_option
@aws_options
def remove_command(
    *, aws: Aws, file: Path, ca_certificate_id: str, deployment: str | None, dry_run: bool, yes: bool
) -> None:
    """Take serial numbers off a CA's list. Devices that are ACTIVE stay so: `jitr device revoke` ends them."""
    serials = _serials(file)
    table = _table(aws, deployment)
    say(f"take {len(serials)} serial numbers off the allow-list of CA {ca_certificate_id}")
    if dry_run:
        return
    ask("Take these off?", yes=yes)
    with progress("removing", total=len(serials)) as bar, table.batch_writer() as batch:
        for serial in serials:
            batch.delete_item(Key=_plain(ca_certificate_id, serial))
            bar(1)
    say("removed")


@command.command("list")
@ca_option
@deployment_option
@json_option
@aws_options
def list_command(*, aws: Aws, ca_certificate_id: str, deployment: str | None, as_json: bool) -> None:
    """Print the serial numbers that a CA's list names, in hex."""
    stack = aws.deployment(deployment)
    listed = AllowList(StateTable(aws.client("dynamodb"), stack.state_table)).serials(ca_certificate_id)
    texts: Iterable[str] = (f"{serial:x}" for serial in listed)
    if as_json:
        emit_json({"ca_certificate_id": ca_certificate_id, "serials": list(texts)})
        return
    for text in texts:
        click.echo(text)


def _serials(file: Path) -> list[int]:
    """Return the serial numbers of a file, each once; raises CommandFailed naming the line."""
    content = read_file(file, maximum=_MAXIMUM_BYTES)
    if len(content) > _MAXIMUM_BYTES:
        raise CommandFailed(f"{file} has more than {_MAXIMUM_BYTES} bytes")
    try:
        found = read_serial_list(content)
    except ListMistake as mistake:
        raise CommandFailed(f"{file}: {mistake}") from mistake
    if not found.revoked:
        raise CommandFailed(f"{file} names no serial number")
    return sorted(found.revoked)


def _table(aws: Aws, deployment: str | None) -> Table:
    """Return the state table, after saying where it is."""
    stack = aws.deployment(deployment)
    aws.announce(stack)
    table: Table = aws.session.resource("dynamodb", endpoint_url=aws.endpoint_url).Table(stack.state_table)
    return table


def _plain(ca_certificate_id: str, serial: int) -> dict[str, str]:
    """Return an item's key as boto3's tables take it."""
    return {name: value["S"] for name, value in allowed_key(ca_certificate_id, serial).items()}
