"""`jitr ca devices`: the devices that AWS IoT has registered with a CA."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator

import click

from jitr.aws.iot import CertificateStatus
from jitr_cli.authorities.registry import CaRegistry, ListedDevice
from jitr_cli.console.aws import Aws, aws_options, json_option
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.files import zulu
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import emit_json, emit_table, progress, say

COLUMNS = ("certificate_id", "status", "registered_at")


@click.command("devices")
@ca_option
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in CertificateStatus]),
    metavar="STATUS",
    help="only devices in this status (ACTIVE, PENDING_ACTIVATION, …); repeatable",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="how they are printed; csv prints while it reads",
)
@json_option
@aws_options
def command(*, aws: Aws, ca_certificate_id: str, statuses: tuple[str, ...], output: str, as_json: bool) -> ExitCode:
    """List the devices that are registered with a CA, the oldest first.

    Not among them: certificates that somebody registered without naming their CA.
    """
    registry = CaRegistry(aws.client("iot"))
    registry.describe(ca_certificate_id)
    say(f"account {aws.account()} · Region {aws.region}")
    found = _listed(registry, ca_certificate_id, frozenset(statuses))
    if as_json or output == "json":
        emit_json({"devices": [dict(zip(COLUMNS, _row(each), strict=True)) for each in found]})
    elif output == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(_row, found))
    else:
        rows = [_row(each) for each in found]
        if rows:
            emit_table(COLUMNS, [tuple(cell or "" for cell in row) for row in rows])
        say(f"{len(rows):,} devices")
    return ExitCode.DONE


def _listed(registry: CaRegistry, ca_certificate_id: str, statuses: frozenset[str]) -> Iterator[ListedDevice]:
    with progress("listing devices", total=None) as bar:
        for device in registry.devices(ca_certificate_id):
            bar(1)
            if not statuses or device.status in statuses:
                yield device


def _row(device: ListedDevice) -> tuple[str, str, str | None]:
    return device.certificate_id, device.status, zulu(device.created_at)
