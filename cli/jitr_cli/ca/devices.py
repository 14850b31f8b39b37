"""`jitr ca devices`: the devices that AWS IoT has registered with a CA."""

from __future__ import annotations

from collections.abc import Iterator

import click

from jitr.aws.iot import CertificateStatus
from jitr_cli.authorities.registry import CaRegistry, ListedDevice
from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.files import zulu
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import emit_csv, emit_json, emit_table, progress, say

COLUMNS = ("certificate_id", "status", "registered_at")


@reading_command("devices", deployment=None)
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
def command(call: Call, *, ca_certificate_id: str, statuses: tuple[str, ...], output: str) -> ExitCode:
    """List the devices that are registered with a CA, the oldest first.

    Not among them: certificates that were registered without naming their CA.
    """
    registry = CaRegistry(call.aws.client("iot"))
    registry.describe(ca_certificate_id)
    call.announce_account()
    found = map(_row, _listed(registry, ca_certificate_id, frozenset(statuses)))
    if call.as_json or output == "json":
        emit_json({"devices": [dict(zip(COLUMNS, row, strict=True)) for row in found]})
    elif output == "csv":
        emit_csv(COLUMNS, found)
    else:
        rows = list(found)
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
