"""`jitr device allow import|list|remove`: the serial numbers that may become ACTIVE, where a CA has an allow-list."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jitr.aws.state_table import StateTable
from jitr.registry.allow_list import AllowList, allowed_key
from jitr_cli.authorities.management import DeployedCas, Management, Owner, describe_managers
from jitr_cli.console.aws import (
    Aws,
    ask,
    aws_options,
    deployment_option,
    dry_run_option,
    json_option,
    yes_option,
)
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import existing_file, read_file
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import emit_json, progress, say
from jitr_fleet.issuing.revocation_lists import ListMistake, read_serial_list

if TYPE_CHECKING:
    from boto3.dynamodb.table import BatchWriter
    from mypy_boto3_dynamodb.service_resource import Table

# A million serial numbers of 20 octets with room for comments.
_MAXIMUM_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A change of one CA's list: its serial numbers, each once, and the deployment that is asked for it."""

    aws: Aws
    deployed: DeployedCas
    ca_certificate_id: str
    serials: list[int]
    dry_run: bool
    yes: bool
    as_json: bool

    @property
    def management(self) -> Management | None:
        """How the deployment manages the CA."""
        return self.deployed.management(self.ca_certificate_id)

    def write(self, question: str, label: str, change: Callable[[BatchWriter, dict[str, str]], object]) -> bool:
        """Ask, and change an item for each serial number; returns False, with nothing written, in a dry run."""
        if not self.dry_run:
            ask(question, yes=self.yes)
            aws, name = self.aws, self.deployed.stack.state_table
            table: Table = aws.session.resource("dynamodb", endpoint_url=aws.endpoint_url).Table(name)
            with progress(label, total=len(self.serials)) as bar, table.batch_writer() as batch:
                for serial in self.serials:
                    change(batch, _plain(self.ca_certificate_id, serial))
                    bar(1)
        if self.as_json:
            emit_json(
                {
                    "ca_certificate_id": self.ca_certificate_id,
                    "deployment": self.deployed.stack.deployment,
                    "serials": len(self.serials),
                    "written": not self.dry_run,
                }
            )
        return not self.dry_run


def edit_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add FILE and what else every change of a list takes, and hand the command `edit: Edit`."""

    @click.argument("file", type=existing_file())
    @ca_option
    @deployment_option
    @dry_run_option
    @yes_option
    @json_option
    @aws_options
    @functools.wraps(function)
    def with_edit(
        *,
        aws: Aws,
        file: Path,
        ca_certificate_id: str,
        deployment: str | None,
        dry_run: bool,
        yes: bool,
        as_json: bool,
        **options: object,
    ) -> object:
        serials = _serials(file)
        deployed = DeployedCas.read(aws, aws.deployment(deployment))
        aws.announce(deployed.stack)
        edit = Edit(
            aws=aws,
            deployed=deployed,
            ca_certificate_id=ca_certificate_id,
            serials=serials,
            dry_run=dry_run,
            yes=yes,
            as_json=as_json,
        )
        return function(edit=edit, **options)

    return with_edit


@click.group("allow")
def command() -> None:
    """Say which serial numbers may become ACTIVE, for CAs with `allow_list = true` in the fleet file.

    FILE holds serial numbers in hex, one a line; `#` begins a comment.
    """


@command.command("import")
@edit_options
@click.option(
    "--in-advance", is_flag=True, help="although nothing reads the list yet, for a deploy with `allow_list = true`"
)
def import_command(*, edit: Edit, in_advance: bool) -> None:
    """Add serial numbers to a CA's list; those that are on it already stay.

    Refused where the deployment reads no list of the CA: it does not manage it, adopted it, or has no `allow_list` for
    it in the fleet file.
    """
    if (unread := _unread(edit)) is not None:
        if not in_advance:
            raise CommandFailed(f"{unread}; to fill it before the deploy that turns it on: --in-advance")
        say(f"warning: {unread}")
    say(f"add {len(edit.serials)} serial numbers to the allow-list of CA {edit.ca_certificate_id}")
    if edit.write("Let these in?", "adding", lambda batch, key: batch.put_item(Item=key)):
        read = unread is None and edit.management is not None
        say("added; devices that wait are activated at their next connect" if read else "added")


@command.command("remove")
@edit_options
def remove_command(*, edit: Edit) -> None:
    """Take serial numbers off a CA's list. Devices that are ACTIVE stay so: `jitr device revoke` ends them."""
    if (unread := _unread(edit)) is not None:
        say(f"warning: {unread}")
    say(f"take {len(edit.serials)} serial numbers off the allow-list of CA {edit.ca_certificate_id}")
    if edit.write("Take these off?", "removing", lambda batch, key: batch.delete_item(Key=key)):
        say("removed")


def _unread(edit: Edit) -> str | None:
    """Return why no function reads the CA's list, None where one does or where that is unknown."""
    management = edit.management
    if management is None:
        if edit.deployed.configuration is None:
            return None
        return f"{describe_managers(edit.aws, edit.deployed, edit.ca_certificate_id)}, so nothing reads its list"
    if management.allow_list:
        return None
    if management.owner is Owner.ADOPTED:
        return "the CA is adopted, and an adopted CA has no allow-list: put it into the fleet file with one"
    return f"CA {management.name} has no allow-list: say allow_list = true in the fleet file and deploy"


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


def _plain(ca_certificate_id: str, serial: int) -> dict[str, str]:
    """Return an item's key as boto3's tables take it."""
    return {name: value["S"] for name, value in allowed_key(ca_certificate_id, serial).items()}
