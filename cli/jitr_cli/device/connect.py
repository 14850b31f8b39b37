"""`jitr device connect`: the reference device on the command line, against AWS IoT Core or the local stack."""

from __future__ import annotations

import dataclasses
import ipaddress
from datetime import UTC, datetime
from pathlib import Path

import click

from jitr_cli.console.call import Call, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import zulu
from jitr_cli.console.output import say
from jitr_local.device.back_off import BackOff
from jitr_local.device.device_identity import DeviceIdentity, UnusableFileError
from jitr_local.device.mqtt_attempt import Message, WrongServerError
from jitr_local.device.reference_device import Attempt, DeviceReport, Endpoint, ReferenceDevice, RunResult

_SECONDS = click.FloatRange(min=0, min_open=True)
_FILE = click.Path(path_type=Path)
_FLOOR = BackOff().floor


@local_command("connect")
@click.option(
    "--certificate", required=True, type=_FILE, metavar="F", help="device certificate, or the chain with it first; PEM"
)
@click.option("--key", required=True, type=_FILE, metavar="F", help="its private key, PEM, not encrypted")
@click.option("--ca-certificate", type=_FILE, metavar="F", help="the CA's certificate, unless the chain holds it")
@click.option("--server-ca", required=True, type=_FILE, metavar="F", help="CAs that the server is verified against")
@click.option(
    "--host", required=True, envvar="JITR_MQTT_HOST", help="the server's name, sent as SNI [env: JITR_MQTT_HOST]"
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8883,
    show_default=True,
    envvar="JITR_MQTT_PORT",
    help="[env: JITR_MQTT_PORT]",
)
@click.option("--client-id", metavar="ID", help="default: the certificate's common name")
@click.option("--topic", metavar="T", help="publish here once admitted, with QoS 1")
@click.option("--message", metavar="M", help="what to publish")
@click.option("--timeout", type=_SECONDS, default=120.0, show_default=True, metavar="S", help="give up after that long")
@click.option("--base", type=_SECONDS, default=2.0, show_default=True, metavar="S", help="first wait is at most this")
@click.option("--cap", type=_SECONDS, default=60.0, show_default=True, metavar="S", help="no wait is longer than this")
@click.option(
    "--floor",
    type=click.FloatRange(min=0),
    metavar="S",
    help="no wait is shorter  [default: 10, at most half of --cap]",
)
def command(  # noqa: PLR0913 - one parameter for each option
    call: Call,
    *,
    certificate: Path,
    key: Path,
    ca_certificate: Path | None,
    server_ca: Path,
    host: str,
    port: int,
    client_id: str | None,
    topic: str | None,
    message: str | None,
    timeout: float,
    base: float,
    cap: float,
    floor: float | None,
) -> ExitCode:
    """Connect as a device: leaf and CA certificate, SNI, and again with back-off until admitted.

    The first connect of an unknown certificate is closed by AWS IoT while it registers; that is expected. Exit code 0
    once admitted (and the message acknowledged), 1 if that never happens within the time-out.
    """
    if (topic is None) != (message is None):
        raise CommandFailed("--topic and --message belong together")
    if _is_address(host):
        raise CommandFailed(
            f"--host {host} is an address: none is sent as SNI (RFC 6066 section 3), and AWS IoT tells accounts and "
            "CAs apart by it; give the endpoint's name"
        )
    try:
        identity = DeviceIdentity.load(certificate, key, ca_certificate)
        device = ReferenceDevice(
            identity=identity,
            endpoint=Endpoint(host=host, port=port, server_ca=server_ca),
            client_id=_client_id(identity, client_id),
            back_off=BackOff(base=base, cap=cap, floor=min(_FLOOR, cap / 2) if floor is None else floor),
        )
        if identity.chain[0].not_valid_after_utc < datetime.now(UTC):
            say(f"warning: the certificate expired at {zulu(identity.chain[0].not_valid_after_utc)}")
        if not identity.sends_issuer(server_ca):
            say(
                "warning: the certificate of the CA that signed the device's is not sent; AWS IoT registers an unknown "
                "device only with it (one that is registered connects without)"
            )
        to_send = Message(topic=topic, payload=message.encode()) if topic is not None and message is not None else None
        report = device.run(to_send, timeout=timeout, observe=say_attempt)
    except (UnusableFileError, WrongServerError, ValueError) as error:
        raise CommandFailed(str(error)) from error
    ending = call.finish(dataclasses.asdict(report), exit_code(report), words=lambda: click.echo(summary(report)))
    if report.result is RunResult.NOT_ADMITTED:
        say(f"whether it waits for its activation or was refused: jitr device explain {certificate}")
    return ending


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _client_id(identity: DeviceIdentity, wanted: str | None) -> str:
    name = wanted or identity.common_name
    if not name:
        raise CommandFailed("the certificate has no common name: give --client-id")
    return name


def say_attempt(attempt: Attempt) -> None:
    """Say what one connect saw, and how long the device waits before the next."""
    then = "" if attempt.wait is None else f"; again in {attempt.wait:.1f} s"
    say(f"{attempt.started:7.1f} s  connect {attempt.number}: {attempt.ending}, {attempt.detail}{then}")


def summary(report: DeviceReport) -> str:
    """Return one line on how the run ended."""
    connects = f"{len(report.attempts)} connect{'' if len(report.attempts) == 1 else 's'}"
    return f"{report.client_id}: {report.result} after {connects} in {report.seconds:.1f} s"


def exit_code(report: DeviceReport) -> ExitCode:
    """Return 0 for admitted, 69 when no connect ever reached the server, otherwise 1."""
    if report.done:
        return ExitCode.DONE
    return ExitCode.AWS if report.result is RunResult.UNREACHABLE else ExitCode.NO
