"""`jitr crl show`: what a CRL says about itself, whether jitr would use it, and (with --issuer) who signed it.

Exit codes: 0 when it is readable, and with --issuer also signed by that CA; 2 otherwise; 64 a file that is not there;
69 an address that does not give one.
Age changes nothing about the exit code: an old CRL is shown as old.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from jitr.certificates import Certificate
from jitr.certificates.der import DerError
from jitr.certificates.extensions import Extension
from jitr.certificates.names import name_text
from jitr.certificates.signature import SignatureRefused, signature_algorithm
from jitr.errors import Reason
from jitr.revocation import CrlRefused, Options
from jitr.revocation.crl import verify_issuer
from jitr.revocation.crl_fields import CrlFields, read_crl
from jitr.revocation.crl_profile import CrlProfile, check_profile, crl_number
from jitr.revocation.entries import Entry
from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import (
    MAXIMUM_CERTIFICATE_BYTES,
    IsoTime,
    existing_file,
    openssl_serial,
    parse_certificate,
    read_file,
    zulu,
)
from jitr_cli.console.options import RevocationReason, SerialNumber
from jitr_cli.console.output import emit_csv, emit_lines, json_number
from jitr_cli.crl.places import read_crl_bytes

_LISTED = ("serial", "revoked_at", "reason")
_UNSPECIFIED = "unspecified"
_NAMES = {
    "551d12": "issuerAltName",
    "551d14": "cRLNumber",
    "551d1b": "deltaCRLIndicator",
    "551d1c": "issuingDistributionPoint",
    "551d23": "authorityKeyIdentifier",
    "551d2e": "freshestCRL",
    "2b06010505070101": "authorityInfoAccess",
}


@dataclass(frozen=True, kw_only=True)
class _Refusal:
    """Why something cannot be used; None of it means that it can."""

    reason: Reason
    message: str

    @classmethod
    def of(cls, error: CrlRefused | DerError) -> _Refusal:
        if isinstance(error, CrlRefused):
            return cls(reason=error.reason, message=error.message)
        return cls(reason=Reason.MALFORMED, message=str(error))


@reading_command("show", deployment=None)
@click.argument("file", metavar="FILE|-|S3://…|HTTPS://…")
@click.option("--issuer", type=existing_file(), help="the CA certificate, to verify the signature")
@click.option("--entries", is_flag=True, help="print what it lists: serial number, date and reason")
@click.option("--serial", "serials", type=SerialNumber(), multiple=True, help="only this entry, hex; repeatable")
@click.option("--reason", type=RevocationReason(), help="only entries with this reason; unspecified: those without one")
@click.option("--since", type=IsoTime(), metavar="TIME", help="only entries revoked at this ISO 8601 time or later")
def command(
    call: Call,
    *,
    file: str,
    issuer: Path | None,
    entries: bool,
    serials: tuple[int, ...],
    reason: str | None,
    since: datetime | None,
) -> ExitCode:
    """Print what a CRL (PEM or DER) says about itself, and with --entries, or a filter of them, what it lists.

    With --json the entries are in `listed`: serial, revoked_at, reason. AWS is asked for an s3:// address only.
    Exit code: 0 readable (and signed by --issuer, where given), 2 not.
    """
    options = Options()
    ca = _issuer(issuer) if issuer else None
    data = read_crl_bytes(call, file, maximum=options.max_size)
    only = Filter(serials=frozenset(serials), reason=reason, since=since)
    try:
        fields = read_crl(data, options)
    except CrlRefused as refusal:
        raise CommandFailed(f"{file}: {refusal.reason}: {refusal.message}", ExitCode.UNDETERMINED) from refusal
    profile, unusable = _profile(fields)
    unsigned = _signature_refusal(fields, ca) if ca else None
    shown = _as_data(fields, profile)
    shown["unusable"] = unusable.reason.value if unusable else None
    shown["signature"] = None if ca is None else (unsigned.reason.value if unsigned else "verified")
    ending = ExitCode.UNDETERMINED if unsigned else ExitCode.DONE
    if entries or only != Filter():
        return _listed(call, shown, profile, only, ending)
    return call.finish(shown, ending, words=lambda: _print(shown, fields, unusable, unsigned))


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which entries are meant; without anything, all."""

    serials: frozenset[int] = frozenset()
    reason: str | None = None
    since: datetime | None = None

    def __contains__(self, entry: Entry) -> bool:
        """Return whether an entry is meant; one whose date cannot be read is not left out because of it."""
        return (
            (not self.serials or entry.serial in self.serials)
            and self.reason in (None, entry.reason or _UNSPECIFIED)
            and (self.since is None or entry.revoked_at is None or entry.revoked_at >= self.since)
        )


def _listed(call: Call, shown: dict[str, Any], profile: CrlProfile | None, only: Filter, ending: ExitCode) -> ExitCode:
    """Print entries: as CSV, which grows as it is read, or in the JSON object."""
    if profile is None:
        raise CommandFailed(f"its entries cannot be read: {shown['unusable']}", ExitCode.UNDETERMINED)
    found = (each for each in profile.entries.entries() if each in only)
    rows = ((openssl_serial(each.serial), zulu(each.revoked_at), _reason(each)) for each in found)
    if call.as_json:
        return call.finish({**shown, "listed": [dict(zip(_LISTED, row, strict=True)) for row in rows]}, ending)
    emit_csv(_LISTED, rows)
    return ending


def _reason(entry: Entry) -> str | None:
    return "unreadable" if entry.unreadable else entry.reason


def _issuer(path: Path) -> Certificate:
    try:
        return parse_certificate(read_file(path, maximum=MAXIMUM_CERTIFICATE_BYTES))
    except ValueError as error:
        raise CommandFailed(f"{path} holds no readable certificate: {error}", ExitCode.UNDETERMINED) from error


def _profile(fields: CrlFields) -> tuple[CrlProfile | None, _Refusal | None]:
    try:
        return check_profile(fields), None
    except (CrlRefused, DerError) as error:
        return None, _Refusal.of(error)


def _signature_refusal(fields: CrlFields, ca: Certificate) -> _Refusal | None:
    try:
        verify_issuer(fields, ca)
    except (CrlRefused, DerError) as error:
        return _Refusal.of(error)
    return None


def _as_data(fields: CrlFields, profile: CrlProfile | None) -> dict[str, Any]:
    return {
        "issuer": name_text(fields.issuer),
        "version": fields.version,
        "number": json_number(_number(fields)),
        "this_update": zulu(fields.this_update),
        "next_update": zulu(fields.next_update),
        "entries": profile.entries.count() if profile else None,
        "signature_algorithm": _algorithm(fields),
        "extensions": [
            {"name": _NAMES.get(name.hex(), name.hex()), "critical": extension.critical}
            for name, extension in fields.extensions.items()
        ],
        "distribution_points": list(profile.point.uris) if profile and profile.point else [],
        "scope": _scope(profile) if profile else None,
        "size": len(fields.der),
        "sha256": hashlib.sha256(fields.der).hexdigest(),
        "warnings": list(profile.warnings) if profile else [],
    }


def _number(fields: CrlFields) -> int | None:
    try:
        return crl_number(fields)
    except DerError:
        return None


def _algorithm(fields: CrlFields) -> str | None:
    try:
        return str(signature_algorithm(fields.framed.algorithm))
    except (SignatureRefused, DerError):
        return None


def _scope(profile: CrlProfile) -> str:
    if profile.point is None:
        return "all certificates of the issuer"
    kind = "CA certificates" if profile.point.only_cas else "certificates"
    kind = "end-entity certificates" if profile.point.only_users else kind
    return f"{kind} of its distribution point" if profile.point.names is not None else kind


def _print(shown: dict[str, Any], fields: CrlFields, unusable: _Refusal | None, unsigned: _Refusal | None) -> None:
    now = datetime.now(UTC)
    lines = [
        ("issuer", shown["issuer"]),
        ("number", "none" if shown["number"] is None else str(shown["number"])),
        ("this update", f"{shown['this_update']} ({_distance(fields.this_update, now)})"),
        ("next update", _next_update(fields.next_update, now)),
        ("entries", "unread" if shown["entries"] is None else f"{shown['entries']:,}"),
        ("signed with", shown["signature_algorithm"] or "an algorithm that is not accepted"),
        ("signature", _answer(shown["signature"], unsigned)),
        ("extensions", ", ".join(_extension_text(name, each) for name, each in fields.extensions.items()) or "none"),
        ("scope", shown["scope"] or "unread"),
        *(("at", url) for url in shown["distribution_points"]),
        ("size", f"{shown['size']:,} bytes"),
        ("sha256", shown["sha256"]),
        ("usable", "yes" if unusable is None else f"no: {unusable.reason}: {unusable.message}"),
        *(("warning", warning) for warning in shown["warnings"]),
    ]
    emit_lines(lines, width=12)


def _answer(signature: str | None, unsigned: _Refusal | None) -> str:
    if unsigned is not None:
        return f"not verified: {unsigned.reason}: {unsigned.message}"
    return "not checked (give --issuer)" if signature is None else signature


def _extension_text(name: bytes, extension: Extension) -> str:
    return _NAMES.get(name.hex(), name.hex()) + (" (critical)" if extension.critical else "")


def _next_update(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "none: usable only with a maximum age"
    return f"{zulu(moment)} ({_distance(moment, now)}{', expired' if now > moment else ''})"


def _distance(moment: datetime, now: datetime) -> str:
    """Return how long ago or ahead a moment is, in the largest unit that says something."""
    seconds = abs(moment - now)
    for unit, length in (("days", timedelta(days=1)), ("hours", timedelta(hours=1)), ("minutes", timedelta(minutes=1))):
        if seconds >= 2 * length:
            amount = f"{seconds // length} {unit}"
            break
    else:
        amount = f"{seconds // timedelta(seconds=1)} seconds"
    return f"in {amount}" if moment > now else f"{amount} ago"
