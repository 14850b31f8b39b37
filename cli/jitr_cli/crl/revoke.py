"""`jitr crl revoke`: put certificates on an existing CRL, with a higher number.

Exit codes: 0 written, or nothing to change; 64 something given is not right and nothing was written.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from jitr.certificates import Certificate, verify_issued_by
from jitr.errors import Rejected
from jitr_cli.console.call import Call, dry_run_option, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import (
    MAXIMUM_CERTIFICATE_BYTES,
    existing_file,
    parse_certificates,
    read_file,
    unreadable_certificate,
    zulu,
)
from jitr_cli.console.options import RevocationReason, SerialNumber
from jitr_cli.console.output import say
from jitr_cli.crl.files import Signing, load_previous, put_on_crl, signing_options
from jitr_fleet.issuing.crls import REASON_CODES, listed_entries


@local_command("revoke", dry_run_option)
@click.option("--crl", required=True, type=existing_file(), help="the CA's current CRL")
@signing_options
@click.option(
    "--certificate",
    "certificates",
    multiple=True,
    type=existing_file(),
    help="a certificate to revoke, issued by the CA; repeatable",
)
@click.option(
    "--serial", "serials", multiple=True, type=SerialNumber(), help="a serial number to revoke, hex; repeatable"
)
@click.option(
    "--reason",
    type=RevocationReason(),
    help=f"why, one of {', '.join(REASON_CODES)}; certificateHold can be lifted later",
)
def command(
    call: Call,
    *,
    crl: Path,
    signing: Signing,
    certificates: tuple[Path, ...],
    serials: tuple[int, ...],
    reason: str | None,
) -> ExitCode:
    """Put certificates on the CA's current CRL and write the result, with a higher number, to --out.

    A certificate that is listed already stays as it is; only a hold becomes final where --reason is another. Where
    nothing changes, nothing is written.
    """
    if not certificates and not serials:
        raise CommandFailed("give --certificate or --serial")
    ca = signing.load_ca()
    signing.verify_out(*certificates)
    current = load_previous(crl, ca)
    if current.next_update is not None and current.next_update < datetime.now(UTC):
        say(f"warning: {crl} expired at {zulu(current.next_update)}; is it the newest?")
    wanted = dict.fromkeys([*serials, *(_issued_serial(path, ca) for path in certificates)])
    written = put_on_crl(signing, ca, current, wanted, reason, dry_run=call.dry_run)
    if written is None:
        say(f"no change: {crl} lists all of them already; nothing was written")
    return call.finish(written or signing.as_data(current, len(listed_entries(current)), written=False))


def _issued_serial(path: Path, ca: Certificate) -> int:
    """Return the serial number of the one certificate in a file that the CA issued; raises CommandFailed.

    Files with a chain are accepted; with several certificates of this CA it would not be clear which one is meant.
    """
    data = read_file(path, maximum=MAXIMUM_CERTIFICATE_BYTES)
    try:
        found = parse_certificates(data)
    except ValueError as error:
        raise CommandFailed(f"{path} holds no readable certificate: {error}{_instead(data)}") from error
    issued = [each for each in found if each != ca and _is_issued_by(each, ca)]
    if len(issued) != 1:
        raise CommandFailed(
            f"{path} holds {len(issued)} certificates that this CA is seen to have issued; exactly one is expected "
            "(for one whose signature cannot be verified, give --serial)"
        )
    return issued[0].serial_number


def _instead(data: bytes) -> str:
    """Return what to give for a certificate that cannot be read as a whole, if its serial number can be."""
    unreadable = unreadable_certificate(data)
    if unreadable is None or unreadable.serial_number is None:
        return ""
    return f"; if it is the right file: --serial {unreadable.serial_number:x}"


def _is_issued_by(certificate: Certificate, ca: Certificate) -> bool:
    """Return whether name and signature are the CA's; signatures with MD5 or SHA-1 are not verified."""
    try:
        verify_issued_by(certificate, ca)
    except Rejected:
        return False
    return True
