"""CRLs that the command line makes: the CA they are made for, the CRL before them, and the file they end up in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from jitr.certificates import Certificate
from jitr.revocation import CrlRefused, Options, VerifiedCrl
from jitr.revocation.entries import HOLD
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import (
    existing_file,
    load_issuer,
    openssl_serial,
    read_file,
    write_whole,
    zulu,
)
from jitr_cli.console.options import SerialNumber, gathered, passphrase_file_option
from jitr_cli.console.output import json_number, progress, say
from jitr_cli.signing.key import load_ca_key
from jitr_fleet.issuing.crls import (
    Entries,
    Revocation,
    SigningCa,
    encode_entries,
    listed_entries,
    next_number,
    sign_crl,
    verify_may_sign,
    verify_previous,
)
from jitr_fleet.issuing.signers import NotIssued

_LONGEST_DAYS = 3650
_SHOWN = 10
_MANY = 100_000  # entries from which on signing takes a noticeable time


@dataclass(frozen=True, kw_only=True)
class Signing:
    """What a command that signs was told; the key is not read before everything else is known to be right."""

    issuer: Path
    key: Path
    passphrase_file: Path | None
    days: int
    pem: bool
    out: Path

    def load_ca(self) -> Certificate:
        """Return the CA certificate if it may sign CRLs; raises CommandFailed."""
        ca = load_issuer(self.issuer)
        try:
            verify_may_sign(ca)
        except NotIssued as error:
            raise CommandFailed(f"{self.issuer}: {error}") from error
        if ca.ends is None:
            say("warning: until when the CA certificate is valid cannot be read")
        elif ca.ends < datetime.now(UTC):
            say(f"warning: the CA certificate expired at {zulu(ca.ends)}")
        return ca

    def verify_out(self, *inputs: Path | None) -> None:
        """Check that the CRL would not be written over a key, certificate or list; raises CommandFailed."""
        for each in (self.issuer, self.key, self.passphrase_file, *inputs):
            if each is not None and self.out.exists() and self.out.samefile(each):
                raise CommandFailed(f"--out {self.out} would overwrite {each}")
        if not self.out.resolve().parent.is_dir():
            raise CommandFailed(f"--out: there is no folder {self.out.resolve().parent}")

    def sign(
        self,
        ca: Certificate,
        entries: Entries,
        *,
        previous: VerifiedCrl | None,
        number: int | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Sign, verify and write the CRL (in a dry run, all but the latter), and say so; raises CommandFailed."""
        at = datetime.now(UTC).replace(microsecond=0)
        try:
            chosen = next_number(previous, wanted=number, at=datetime.now(UTC))
            signing_ca = SigningCa.of(ca, load_ca_key(self.key, passphrase_file=self.passphrase_file))
            with progress("signing", total=None) if len(entries) >= _MANY else contextlib.nullcontext():
                crl = sign_crl(
                    signing_ca,
                    entries,
                    number=chosen,
                    this_update=at,
                    next_update=at + timedelta(days=self.days),
                    point=previous.point.der if previous and previous.point else None,
                )
        except NotIssued as error:
            raise CommandFailed(str(error)) from error
        if not dry_run:
            write_whole(self.out, _as_pem(crl.der) if self.pem else crl.der)
        what = f"CRL number {crl.number}, {len(entries):,} entries, valid until {zulu(crl.next_update)}"
        say(f"would write {self.out}: {what}" if dry_run else f"{self.out}: {what}")
        return self.as_data(crl, len(entries), written=not dry_run)

    def as_data(self, crl: VerifiedCrl, entries: int, *, written: bool) -> dict[str, Any]:
        """Return what became of a CRL, as JSON holds it."""
        return {
            "file": str(self.out),
            "written": written,
            "number": json_number(crl.number),
            "this_update": zulu(crl.this_update),
            "next_update": zulu(crl.next_update),
            "entries": entries,
        }


signing_options = gathered(
    "signing",
    Signing,
    click.option("--issuer", required=True, type=existing_file(), help="the CA certificate"),
    click.option("--key", required=True, type=existing_file(), help="the CA's private key, PEM"),
    passphrase_file_option,
    click.option(
        "--days", type=click.IntRange(1, _LONGEST_DAYS), default=7, show_default=True, help="days until nextUpdate"
    ),
    click.option("--pem", is_flag=True, help="write PEM instead of DER"),
    click.option(
        "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="where the CRL is written"
    ),
)
allow_drop_option = click.option(
    "--allow-drop",
    "allow_drop",
    multiple=True,
    type=SerialNumber(),
    help="a serial number that may vanish from the CRL; repeatable",
)


def load_previous(path: Path, ca: Certificate) -> VerifiedCrl:
    """Return a CRL that the CA signed, fresh or not; raises CommandFailed."""
    try:
        return verify_previous(read_file(path, maximum=Options().max_size), ca)
    except CrlRefused as refusal:
        raise CommandFailed(f"{path} is no CRL of this CA: {refusal.reason}: {refusal.message}") from refusal


def shown(serials: list[int]) -> str:
    """Return some serial numbers as text, and how many there are beyond them."""
    more = f" and {len(serials) - _SHOWN:,} more" if len(serials) > _SHOWN else ""
    return ", ".join(f"{openssl_serial(serial)}" for serial in serials[:_SHOWN]) + more


def _as_pem(crl: bytes) -> bytes:
    return x509.load_der_x509_crl(crl).public_bytes(Encoding.PEM)


def put_on_crl(
    signing: Signing,
    ca: Certificate,
    current: VerifiedCrl,
    wanted: dict[int, None],
    reason: str | None,
    *,
    dry_run: bool = False,
) -> dict[str, Any] | None:
    """Sign and write a CRL that lists `wanted` too, and return it as data; None, with nothing written, if it does.

    Raises CommandFailed.
    """
    new = list(_new(wanted, current, reason))
    if not new:
        return None
    at = datetime.now(UTC).replace(microsecond=0)
    entries = listed_entries(current)
    entries |= encode_entries(dict.fromkeys(new, Revocation(revoked_at=at, reason=reason)), at=at, known={})
    return signing.sign(ca, entries, previous=current, dry_run=dry_run)


def _new(wanted: dict[int, None], current: VerifiedCrl, reason: str | None) -> Iterator[int]:
    """Yield the serial numbers that the CRL has to say something new about, and say of each what happens to it."""
    for serial in wanted:
        entry = current.find(serial)
        if entry is None:
            say(f"revoke {openssl_serial(serial)}: {reason or 'no reason given'}")
            yield serial
        elif entry.is_hold and reason not in (None, HOLD):
            say(f"revoke {openssl_serial(serial)}: {reason}; it was on hold since {zulu(entry.revoked_at)}")
            yield serial
        else:
            known = f"{entry.reason or 'no reason'}, since {zulu(entry.revoked_at)}"
            say(f"{openssl_serial(serial)} is listed already: {known}")
