"""`jitr crl create`: sign a CRL from an openssl `index.txt` or a list of serial numbers with a local CA key.

Exit codes: 0 written, 64 something given is not right and nothing was written.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from jitr.certificates import Certificate
from jitr.revocation import VerifiedCrl
from jitr_cli.console.call import Call, dry_run_option, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import existing_file, read_file, zulu
from jitr_cli.console.output import say
from jitr_cli.crl.files import Signing, allow_drop_option, load_previous, shown, signing_options
from jitr_fleet.issuing.crls import Entries, dropped, encode_entries, listed_entries
from jitr_fleet.issuing.revocation_lists import (
    ListMistake,
    RevocationList,
    read_openssl_index,
    read_serial_list,
)

# An index line is longer than an entry: the subject is in it.
_MAXIMUM_LIST_BYTES = 1024 * 1024 * 1024


@local_command("create", dry_run_option)
@signing_options
@click.option("--index", type=existing_file(), help="index.txt of `openssl ca`")
@click.option(
    "--serials",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE|-",
    help="serial numbers in hex, one a line, each with an optional reason and ISO 8601 date",
)
@click.option(
    "--previous", type=existing_file(), help="the CRL before this one; default: what --out holds, if it exists"
)
@click.option("--number", type=int, help="CRL number; default: one more than the previous, else milliseconds of time")
@allow_drop_option
def command(
    call: Call,
    *,
    signing: Signing,
    index: Path | None,
    serials: Path | None,
    previous: Path | None,
    number: int | None,
    allow_drop: tuple[int, ...],
) -> ExitCode:
    """Sign a CRL with a CA key on this computer and write it to --out.

    It lists what --index or --serials says; without either, what the previous CRL lists. Its number is higher than the
    previous one's, and entries of unexpired certificates must not vanish. An encrypted key's passphrase is asked for.
    """
    if index is not None and serials is not None:
        raise CommandFailed("give --index or --serials, not both")
    ca = signing.load_ca()
    signing.verify_out(index, serials if serials != Path("-") else None)
    before = _previous(previous, signing, ca)
    known = listed_entries(before) if before else {}
    entries = known
    if index is not None or serials is not None:
        listed = _read_list(index, serials)
        for warning in listed.warnings:
            say(f"warning: {warning}")
        entries = _entries(listed, known, frozenset(allow_drop))
    elif before is None:
        say("note: neither --index nor --serials nor a previous CRL: the CRL lists nothing")
    return call.finish(signing.sign(ca, entries, previous=before, number=number, dry_run=call.dry_run))


def _previous(given: Path | None, signing: Signing, ca: Certificate) -> VerifiedCrl | None:
    path = given or (signing.out if signing.out.exists() else None)
    if path is None:
        return None
    crl = load_previous(path, ca)
    say(f"previous: {path}, number {crl.number}, issued {zulu(crl.this_update)}")
    return crl


def _read_list(index: Path | None, serials: Path | None) -> RevocationList:
    path = index or serials
    if path is None:
        raise CommandFailed("give --index or --serials")
    try:
        if path == Path("-"):
            return read_serial_list(sys.stdin.buffer.read(_MAXIMUM_LIST_BYTES))
        data = read_file(path, maximum=_MAXIMUM_LIST_BYTES)
        return read_openssl_index(data) if index is not None else read_serial_list(data)
    except ListMistake as mistake:
        raise CommandFailed(f"{path}: {mistake}") from mistake


def _entries(listed: RevocationList, known: Entries, allowed: frozenset[int]) -> Entries:
    at = datetime.now(UTC).replace(microsecond=0)
    entries = encode_entries(listed.revoked, at=at, known=known)
    if missing := dropped(known, entries, expires=listed.expires, allowed=allowed, at=at):
        raise CommandFailed(
            f"the previous CRL lists {len(missing):,} certificates that are not revoked here and not known to have "
            f"expired: {shown(missing)}; each that may vanish needs --allow-drop"
        )
    return entries
