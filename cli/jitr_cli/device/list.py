"""`jitr device list`: the devices of a deployment, with what people know them by.

Exit codes: 0; 69 AWS unreachable or refused. Common name, serial number and Thing cost AWS calls for each device, so
the list is bounded, and says where it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click

from jitr.aws.iot import CertificateStatus
from jitr.certificates import common_name, load_certificate
from jitr.certificates.der import DerError
from jitr.errors import Reason, Rejected, Undecided
from jitr_cli.authorities.management import DeployedCas
from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.files import openssl_serial, zulu
from jitr_cli.console.options import CA_HELP, CaCertificateId
from jitr_cli.console.output import emit_table, progress, say
from jitr_cli.devices.services import DeviceServices

_COLUMNS = ("certificate_id", "common_name", "thing", "serial", "status", "ca")


@reading_command("list")
@click.option("--ca-certificate-id", type=CaCertificateId(), help=f"only devices of this CA: {CA_HELP}")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in CertificateStatus]),
    metavar="STATUS",
    help="only devices in this status (ACTIVE, PENDING_ACTIVATION, …); repeatable",
)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="list so many, the newest")
def command(call: Call, *, ca_certificate_id: str | None, statuses: tuple[str, ...], limit: int) -> ExitCode:
    """List devices with common name, Thing, serial number and status, the newest first of each CA.

    Two AWS IoT calls for each device, ten a second: `jitr ca devices` lists ids and status of a whole CA at once. With
    --json: `{"devices": [...], "more": whether there are others}`.
    """
    services = DeviceServices.of(call.aws, call.stack)
    call.announce()
    wanted = frozenset(statuses)
    with progress("reading devices", total=None) as bar:
        listed = list(islice(_ids(call, services, ca_certificate_id, wanted), limit + 1))
        found = []
        for name, identifier in listed[:limit]:
            if (device := _described(services, name, identifier)) is not None:
                found.append(device)
            bar(1)
    more = len(listed) > limit
    data = {"devices": found, "more": more}
    return call.finish(data, words=lambda: _print(found, more=more, limit=limit))


def _ids(call: Call, services: DeviceServices, only: str | None, statuses: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield each certificate's id with the name of its CA; a CA that nobody manages here can be named too."""
    cas = {ca.ca_certificate_id: ca.name for ca in services.authorities.all(at=datetime.now(UTC))}
    if only is not None:
        if only not in cas:
            deployed = DeployedCas.read(call.aws, call.stack)
            say(f"note: deployment {deployed.stack.deployment} does not manage CA {only}")
        cas = {only: cas.get(only, only[:12])}
    for identifier, name in cas.items():
        for certificate_id, status in services.registry.certificates_of(identifier, newest_first=True):
            if not statuses or status in statuses:
                yield name, certificate_id


def _described(services: DeviceServices, ca: str, certificate_id: str) -> dict[str, Any] | None:
    """Return what people know a device by; None where it was deleted since it was listed."""
    try:
        registered = services.registry.describe_certificate(certificate_id)
    except Undecided as gone:
        if gone.reason is Reason.CERTIFICATE_NOT_FOUND:
            return None
        raise
    things = services.registry.things_of(registered.arn)
    device = {"certificate_id": certificate_id, "common_name": None, "thing": next(iter(things), None), "serial": None}
    device |= {"status": registered.status.value, "ca": ca, "not_after": None}
    try:
        certificate = load_certificate(registered.pem)
        device |= {
            "serial": openssl_serial(certificate.serial_number),
            "not_after": zulu(certificate.not_valid_after_utc),
        }
        device["common_name"] = common_name(certificate)
    except (DerError, Rejected, Undecided):
        # A certificate that cannot be read, or has no common name, is listed with what is known of it.
        pass
    return device


def _print(found: list[dict[str, Any]], *, more: bool, limit: int) -> None:
    if found:
        emit_table(_COLUMNS, [tuple(str(device[key] or "") for key in _COLUMNS) for device in found])
    say(
        f"{len(found):,} devices"
        + (f", and more than {limit:,}: raise --limit, or name a CA or status" if more else "")
    )
