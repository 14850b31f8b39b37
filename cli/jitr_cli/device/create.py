"""`jitr device create`: keys, requests, certificates and chains for devices, of a local CA or an AWS Private CA.

Exit codes: 0 all are there, 1 answered no, 64 something given is not right and nothing was made, 69 AWS refused, 130
interrupted (a second run goes on).
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from cryptography import x509

from jitr.certificates import fingerprint
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import existing_file, zulu
from jitr_cli.console.options import SerialNumber, passphrase_file_option
from jitr_cli.console.output import emit_table, progress, say
from jitr_cli.device.folders import CHAIN, KEY, DeviceFolders
from jitr_cli.device.requests import read_request
from jitr_cli.device.signers import Order, Signer, local_signer, private_signer
from jitr_cli.devices.lists import NewDevice, read_new_devices
from jitr_cli.signing.private_ca import PrivateCaArn
from jitr_fleet.issuing.cas import new_private_key
from jitr_fleet.issuing.devices import (
    DEVICE_KEY_KINDS,
    device_files,
    request_for,
    verify_activatable,
    verify_common_name,
    verify_serial,
)
from jitr_fleet.issuing.signers import NotIssued

_LONGEST_DAYS = 36500


def _uri(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and (urlsplit(value).scheme not in ("http", "https") or not value.isascii()):
        raise click.BadParameter("an http(s) URL, as the CA publishes it")
    return value


@writing_command("create", deployment=None)
@click.option("--cn", metavar="NAME", help="the device's common name, which becomes the name of its Thing")
@click.option(
    "--csv", "csv_file", type=existing_file(), help="many devices: a CSV with the column `cn` and, if need be, `serial`"
)
@click.option("--csr", type=existing_file(), help="a request that the device made itself; its key stays there")
@click.option("--ca-certificate", type=existing_file(), help="a local CA's certificate")
@click.option("--ca-key", type=existing_file(), help="its private key, PEM")
@passphrase_file_option
@click.option("--private-ca", type=PrivateCaArn(), help="an AWS Private CA, in place of a local one")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("devices"),
    show_default=True,
    metavar="DIR",
    help="a folder for each device is made in here",
)
@click.option(
    "--key-type",
    type=click.Choice(DEVICE_KEY_KINDS),
    default=DEVICE_KEY_KINDS[0],
    show_default=True,
    help="the kind of key",
)
@click.option("--days", type=click.IntRange(1, _LONGEST_DAYS), default=365, show_default=True, help="days of validity")
@click.option("--serial", type=SerialNumber(), help="a serial number, hex; default: 159 random bits")
@click.option(
    "--crl-url", callback=_uri, metavar="URL", help="where the CA publishes its CRL (distribution point); local CA only"
)
def command(  # noqa: PLR0913 - one parameter for each option
    call: Call,
    *,
    cn: str | None,
    csv_file: Path | None,
    csr: Path | None,
    ca_certificate: Path | None,
    ca_key: Path | None,
    passphrase_file: Path | None,
    private_ca: str | None,
    out: Path,
    key_type: str,
    days: int,
    serial: int | None,
    crl_url: str | None,
) -> ExitCode:
    """Make key, request, certificate and chain of one device, or of every device in a CSV; or sign a request.

    Names are checked as the activation function checks them. Nothing is overwritten; with --csv, devices that are
    finished are skipped, so an interrupted run is started again. A local CA needs no network; an AWS Private CA asks
    first, because each certificate costs money.
    """
    request, cn = _requested(csr, cn, csv_file)
    order = Order(
        wanted=_wanted(cn, csv_file, serial),
        request=request,
        key_type=key_type,
        lifetime=timedelta(days=days),
        distribution_point=crl_url,
        folders=DeviceFolders(out),
    )
    if private_ca is None:
        signer = local_signer(order, ca_certificate, ca_key, passphrase_file)
    else:
        if ca_certificate or ca_key or passphrase_file:
            raise CommandFailed("give --private-ca, or --ca-certificate and --ca-key, not both")
        signer = private_signer(call, order, private_ca)
    missing = order.missing(signer.ca)
    if csv_file is None and not missing:
        raise CommandFailed(
            f"{order.folders.folder(order.wanted[0].common_name)} exists already and is not overwritten"
        )
    say(f"{len(missing)} to make, {len(order.wanted) - len(missing)} are there already, in {out}")
    paid = private_ca is not None
    if call.dry_run or (
        paid
        and missing
        and not call.confirm(f"Have AWS Private CA issue {len(missing)} certificates? AWS charges for each.")
    ):
        return call.finish({"created": 0, "skipped": len(order.wanted) - len(missing), "devices": []})
    with order.folders.reserved(), _shown_progress(len(missing), lines=paid) as bar:
        for each in order.missing(signer.ca):
            _make(order, signer, each)
            bar(1)
    return _finish(call, order, signer.ca, {each.common_name for each in missing})


def _requested(
    csr: Path | None, cn: str | None, csv_file: Path | None
) -> tuple[x509.CertificateSigningRequest | None, str | None]:
    """Return the request that is given, and the name of the device that made it; else the name as it is."""
    if csr is None:
        return None, cn
    if cn is not None or csv_file is not None:
        raise CommandFailed("give --csr, --cn or --csv, one of them: a request has its name in it")
    return read_request(csr)


def _wanted(cn: str | None, csv_file: Path | None, serial: int | None) -> list[NewDevice]:
    if (cn is None) == (csv_file is None):
        raise CommandFailed("give --cn, --csv or --csr")
    if csv_file is not None:
        if serial is not None:
            raise CommandFailed("--serial is for one device; a CSV has a column for it")
        return read_new_devices(csv_file)
    try:
        verify_common_name(cn or "")
        if serial is not None:
            verify_serial(serial)
    except NotIssued as refusal:
        raise CommandFailed(str(refusal)) from refusal
    return [NewDevice(common_name=cn or "", serial=serial)]


@contextlib.contextmanager
def _shown_progress(total: int, *, lines: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar, or a line for each device where waiting for one has a bar of its own."""
    if not lines:
        with progress("making", total=total) as bar:
            yield bar
        return
    done = itertools.count(1)
    yield lambda _: say(f"{next(done)} of {total} issued")


def _make(order: Order, signer: Signer, device: NewDevice) -> None:
    """Make one device, check it as the function would, and write it."""
    key = None if order.request is not None else new_private_key(order.key_type)
    try:
        request = order.request if key is None else request_for(device.common_name, key)
        if request is None:
            raise TypeError("neither a request nor a key")
        certificate = signer.issue(request, device)
        verify_activatable(certificate, signer.ca, at=datetime.now(UTC))
        files = device_files(key, request, certificate, signer.ca)
    except NotIssued as refusal:
        raise CommandFailed(f"{device.common_name}: {refusal}") from refusal
    order.folders.write(device.common_name, files)


def _finish(call: Call, order: Order, ca: x509.Certificate, made: set[str]) -> ExitCode:
    devices = [_shown(order, ca, each, made=each.common_name in made) for each in order.wanted]
    data = {"created": len(made), "skipped": len(devices) - len(made), "devices": devices}
    return call.finish(data, words=lambda: _print(devices))


def _print(devices: list[dict[str, Any]]) -> None:
    emit_table(tuple(devices[0]), [tuple(map(str, device.values())) for device in devices])
    say(f"a device sends {CHAIN} and proves itself with {KEY}")


def _shown(order: Order, ca: x509.Certificate, device: NewDevice, *, made: bool) -> dict[str, Any]:
    certificate = order.folders.finished(device.common_name, ca, keyless=order.request is not None)
    if certificate is None:
        raise CommandFailed(f"{order.folders.folder(device.common_name)} is gone")
    return {
        "cn": device.common_name,
        "certificate_id": fingerprint(certificate),
        "serial": f"{certificate.serial_number:x}",
        "not_after": zulu(certificate.not_valid_after_utc),
        "folder": str(order.folders.folder(device.common_name)),
        "created": made,
    }
