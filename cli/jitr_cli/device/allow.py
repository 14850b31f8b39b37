"""`jitr device allow import|list|remove`: the serial numbers that may become ACTIVE, where a CA has an allow-list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jitr.aws.state_table import StateTable
from jitr.registry.allow_list import AllowList, allowed_key
from jitr_cli.authorities.management import DeployedCas, Management, Owner, describe_managers
from jitr_cli.console.call import Call, reading_command, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import existing_file, read_file
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import progress, say
from jitr_fleet.issuing.revocation_lists import ListMistake, read_serial_list

if TYPE_CHECKING:
    from boto3.dynamodb.table import BatchWriter
    from mypy_boto3_dynamodb.service_resource import Table

# A million serial numbers of 20 octets with room for comments.
_MAXIMUM_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class ListChange:
    """A change of one CA's list: the serial numbers it is about, each once."""

    call: Call
    deployed: DeployedCas
    ca_certificate_id: str
    serials: list[int]

    @classmethod
    def read(cls, call: Call, file: Path, ca_certificate_id: str) -> ListChange:
        """Read the file and the deployment, and say which one that is; raises CommandFailed."""
        serials = _serials(file)
        deployed = DeployedCas.read(call.aws, call.stack)
        call.announce()
        return cls(call=call, deployed=deployed, ca_certificate_id=ca_certificate_id, serials=serials)

    @property
    def management(self) -> Management | None:
        """How the deployment manages the CA."""
        return self.deployed.management(self.ca_certificate_id)

    def unread(self) -> str | None:
        """Return why no function reads the CA's list, None where one does or where that is unknown."""
        management = self.management
        if management is None:
            if self.deployed.configuration is None:
                return None
            managers = describe_managers(self.call.aws, self.deployed, self.ca_certificate_id)
            return f"{managers}, so nothing reads its list"
        if management.allow_list:
            return None
        if management.owner is Owner.ADOPTED:
            return "the CA is adopted, and an adopted CA has no allow-list: put it into the fleet file with one"
        return f"CA {management.name} has no allow-list: say allow_list = true in the fleet file and deploy"

    def write(self, question: str, label: str, change: Callable[[BatchWriter, dict[str, str]], object]) -> bool:
        """Ask, and change an item for each serial number; returns whether that was done."""
        if not self.call.confirm(question):
            return False
        aws, name = self.call.aws, self.deployed.stack.state_table
        table: Table = aws.session.resource("dynamodb", endpoint_url=aws.endpoint_url).Table(name)
        with progress(label, total=len(self.serials)) as bar, table.batch_writer() as batch:
            for serial in self.serials:
                change(batch, _plain(self.ca_certificate_id, serial))
                bar(1)
        return True

    def finish(self) -> ExitCode:
        """End the command with what was written."""
        return self.call.finish(
            {
                "ca_certificate_id": self.ca_certificate_id,
                "deployment": self.deployed.stack.deployment,
                "serials": len(self.serials),
                "written": not self.call.dry_run,
            }
        )


@click.group("allow")
def command() -> None:
    """Say which serial numbers may become ACTIVE, for CAs with `allow_list = true` in the fleet file.

    FILE holds serial numbers in hex, one a line; `#` begins a comment.
    """


@writing_command("import")
@click.argument("file", type=existing_file())
@ca_option
@click.option(
    "--in-advance", is_flag=True, help="although nothing reads the list yet, for a deploy with `allow_list = true`"
)
def import_command(call: Call, *, file: Path, ca_certificate_id: str, in_advance: bool) -> ExitCode:
    """Add serial numbers to a CA's list; those that are on it already stay.

    Refused where the deployment reads no list of the CA: it does not manage it, adopted it, or has no `allow_list` for
    it in the fleet file.
    """
    change = ListChange.read(call, file, ca_certificate_id)
    if (unread := change.unread()) is not None:
        if not in_advance:
            raise CommandFailed(f"{unread}; to fill it before the deploy that turns it on: --in-advance")
        say(f"warning: {unread}")
    say(f"add {len(change.serials)} serial numbers to the allow-list of CA {ca_certificate_id}")
    if change.write("Let these in?", "adding", lambda batch, key: batch.put_item(Item=key)):
        read = unread is None and change.management is not None
        say("added; devices that wait are activated at their next connect" if read else "added")
    return change.finish()


@writing_command("remove")
@click.argument("file", type=existing_file())
@ca_option
def remove_command(call: Call, *, file: Path, ca_certificate_id: str) -> ExitCode:
    """Take serial numbers off a CA's list. Devices that are ACTIVE stay so: `jitr device revoke` ends them."""
    change = ListChange.read(call, file, ca_certificate_id)
    if (unread := change.unread()) is not None:
        say(f"warning: {unread}")
    say(f"take {len(change.serials)} serial numbers off the allow-list of CA {ca_certificate_id}")
    if change.write("Take these off?", "removing", lambda batch, key: batch.delete_item(Key=key)):
        say("removed")
    return change.finish()


@reading_command("list")
@ca_option
def list_command(call: Call, *, ca_certificate_id: str) -> ExitCode:
    """Print the serial numbers that a CA's list names, in hex."""
    allowed = AllowList(StateTable(call.aws.client("dynamodb"), call.stack.state_table))
    texts = (f"{serial:x}" for serial in allowed.serials(ca_certificate_id))
    if call.as_json:
        return call.finish({"ca_certificate_id": ca_certificate_id, "serials": list(texts)})
    for text in texts:
        click.echo(text)
    return ExitCode.DONE


for each in (import_command, list_command, remove_command):
    command.add_command(each)


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
