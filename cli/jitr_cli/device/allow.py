"""`jitr device allow import|list|remove`: the serial numbers that may become ACTIVE, where a CA has an allow-list."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jitr.authorities.allow_list import AllowList, allowed_key
from jitr.aws.state_table import StateTable
from jitr_cli.authorities.management import DeployedCas, Management, Owner, describe_managers
from jitr_cli.console.call import Call, reading_command, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import existing_file, openssl_serial
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import progress, say
from jitr_cli.device.shipped import Form, Shipment

if TYPE_CHECKING:
    from boto3.dynamodb.table import BatchWriter
    from mypy_boto3_dynamodb.service_resource import Table


@dataclass(frozen=True, kw_only=True)
class ListChange:
    """A change of one CA's list: the serial numbers it is about, each once."""

    call: Call
    deployed: DeployedCas
    ca_certificate_id: str
    serials: Sequence[int]

    @classmethod
    def read(cls, call: Call, serials: Sequence[int], ca_certificate_id: str) -> ListChange:
        """Read the deployment, and say which one that is; raises CommandFailed."""
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


def delivery_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what says in which form FILE is, and hand it on as `delivery: Delivery`."""

    @click.option(
        "--format",
        "form",
        type=click.Choice([each.value for each in Form]),
        default=Form.SERIALS.value,
        show_default=True,
        help="serials: hex, one a line; pem: a bundle or a folder; csv; microchip: a Trust Platform manifest",
    )
    @click.option("--column", metavar="NAME", help="the CSV's column that holds serial numbers")
    @click.option("--decimal", is_flag=True, help="the CSV's serial numbers are decimal")
    @click.option("--signer", type=existing_file(), metavar="F", help="certificate of whoever signed the manifest")
    @functools.wraps(function)
    def with_delivery(
        *arguments: object, form: str, column: str | None, decimal: bool, signer: Path | None, **options: object
    ) -> object:
        delivery = Shipment(form=Form(form), column=column, decimal=decimal, signer=signer)
        return function(*arguments, delivery=delivery, **options)

    return with_delivery


@click.group("allow")
def command() -> None:
    """Say which serial numbers may become ACTIVE, for CAs with `allow_list = true` in the fleet file.

    FILE holds serial numbers in hex, one a line; `#` begins a comment. `import` reads what factories deliver too.
    """


@writing_command("import")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@ca_option
@delivery_options
@click.option(
    "--in-advance", is_flag=True, help="although nothing reads the list yet, for a deploy with `allow_list = true`"
)
def import_command(call: Call, *, file: Path, ca_certificate_id: str, delivery: Shipment, in_advance: bool) -> ExitCode:
    """Add serial numbers to a CA's list; those that are on it already stay.

    Refused where the deployment reads no list of the CA: it does not manage it, adopted it, or has no `allow_list` for
    it in the fleet file.
    """
    change = ListChange.read(call, delivery.read(file).serials, ca_certificate_id)
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
    change = ListChange.read(call, Shipment().read(file).serials, ca_certificate_id)
    if (unread := change.unread()) is not None:
        say(f"warning: {unread}")
    say(f"take {len(change.serials)} serial numbers off the allow-list of CA {ca_certificate_id}")
    if change.write("Take these off?", "removing", lambda batch, key: batch.delete_item(Key=key)):
        say("removed")
    return change.finish()


@reading_command("list")
@ca_option
def list_command(call: Call, *, ca_certificate_id: str) -> ExitCode:
    """Print the serial numbers that a CA's list names, as openssl does."""
    allowed = AllowList(StateTable(call.aws.client("dynamodb"), call.stack.state_table))
    serials = allowed.serials(ca_certificate_id)
    if call.as_json:
        found = [f"{serial:x}" for serial in serials]
        return call.finish({"ca_certificate_id": ca_certificate_id, "serials": found})
    for serial in serials:
        click.echo(openssl_serial(serial))
    return ExitCode.DONE


for each in (import_command, list_command, remove_command):
    command.add_command(each)


def _plain(ca_certificate_id: str, serial: int) -> dict[str, str]:
    """Return an item's key as boto3's tables take it."""
    return {name: value["S"] for name, value in allowed_key(ca_certificate_id, serial).items()}
