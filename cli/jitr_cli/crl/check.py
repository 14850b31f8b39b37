"""`jitr crl check`: decide whether a certificate is good, revoked or undetermined.

Exit codes: 0 good, 1 revoked (also on hold), 2 undetermined, 64 a file that is not there or not readable. A CRL whose
content is unusable is skipped and named; a certificate or issuer whose content is unusable is undetermined.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from jitr.certificates import Certificate, verify_issued_by
from jitr.certificates.names import same_name
from jitr.errors import Reason, Rejected
from jitr.revocation import Options, RevocationStatus, RevocationVerdict, decide
from jitr.revocation.entries import HOLD
from jitr_cli.console.call import Call, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.files import (
    MAXIMUM_CERTIFICATE_BYTES,
    IsoTime,
    existing_file,
    expiry_words,
    parse_certificates,
    read_file,
    zulu,
)
from jitr_cli.console.output import json_number, say

EXIT_CODES = {
    RevocationStatus.GOOD: ExitCode.DONE,
    RevocationStatus.REVOKED: ExitCode.NO,
    RevocationStatus.UNDETERMINED: ExitCode.UNDETERMINED,
}


@local_command("check")
@click.option("--certificate", required=True, type=existing_file(), help="the device certificate")
@click.option("--issuer", required=True, type=existing_file(), help="the CA certificate")
@click.option("--crl", "crls", multiple=True, type=existing_file(), help="a CRL of that CA; repeatable")
@click.option("--at", type=IsoTime(), metavar="TIME", help="decide for this ISO 8601 time instead of now")
@click.option(
    "--distribution-point",
    "distribution_points",
    multiple=True,
    metavar="URL",
    help="a URL this CA's CRL is published at, for certificates that name none; repeatable",
)
def command(
    call: Call,
    *,
    certificate: Path,
    issuer: Path,
    crls: tuple[Path, ...],
    at: datetime | None,
    distribution_points: tuple[str, ...],
) -> ExitCode:
    """Decide whether CERTIFICATE is good, revoked or undetermined by the CRLs of its issuer.

    All files are PEM or DER. Exit code: 0 good, 1 revoked, 2 undetermined.
    """
    options = Options(distribution_points=distribution_points)
    at = at or datetime.now(UTC)
    verdict = _verdict(certificate, issuer, crls, at=at, options=options)
    if (expired := _expiry(certificate, at)) is not None:
        say(f"warning: {expired}")
    data = _as_data(verdict, crls)
    data["warnings"] = [*filter(None, [expired]), *verdict.warnings]
    return call.finish(data, EXIT_CODES[verdict.status], words=lambda: _print(verdict, crls))


def _expiry(path: Path, at: datetime) -> str | None:
    """Say first what a good CRL does not mend; of a chain only where every certificate has expired."""
    try:
        found = [
            expiry_words(each, at=at) for each in parse_certificates(read_file(path, maximum=MAXIMUM_CERTIFICATE_BYTES))
        ]
    except ValueError:
        return None
    return found[0] if all(found) else None


def _verdict(
    certificate: Path, issuer: Path, crls: tuple[Path, ...], *, at: datetime, options: Options
) -> RevocationVerdict:
    crl_contents = [read_file(path, maximum=options.max_size) for path in crls]
    found = []
    for path in (certificate, issuer):
        try:
            found.append(parse_certificates(read_file(path, maximum=MAXIMUM_CERTIFICATE_BYTES)))
        except ValueError as error:
            return _undetermined(Reason.MALFORMED, f"{path} holds no readable certificate: {error}")
    certificates, ca = found[0], found[1][0]
    if len(certificates) > 1:
        certificates = [each for each in certificates if each != ca and _is_issued_by(each, ca)]
        if not certificates:
            return _undetermined(
                Reason.ISSUER_MISMATCH,
                f"none of the {len(found[0])} certificates in {certificate} is seen to be signed by the issuer",
            )
    if len(certificates) > 1:
        return _undetermined(
            Reason.MALFORMED,
            f"{certificate} holds {len(certificates)} certificates that the issuer signed; which one is meant?",
        )
    return decide(certificates[0], ca, crl_contents, at=at, options=options)


def _is_issued_by(certificate: Certificate, ca: Certificate) -> bool:
    """Return whether the CA signed a certificate; one whose signature is too weak to say counts by its name."""
    try:
        verify_issued_by(certificate, ca)
    except Rejected as refusal:
        return refusal.reason is Reason.WEAK_SIGNATURE and same_name(certificate.issuer, ca.subject)
    return True


def _undetermined(reason: Reason, message: str) -> RevocationVerdict:
    return RevocationVerdict(status=RevocationStatus.UNDETERMINED, reason=reason, message=message)


def _as_data(verdict: RevocationVerdict, crls: tuple[Path, ...]) -> dict[str, Any]:
    crl = verdict.crl
    return {
        "verdict": verdict.status.value,
        "reason": verdict.reason.value if verdict.reason else None,
        "revocation_reason": verdict.revocation_reason,
        "revoked_at": zulu(verdict.revoked_at),
        "crl": None
        if crl is None
        else {
            "number": json_number(crl.number),
            "this_update": zulu(crl.this_update),
            "next_update": zulu(crl.next_update),
        },
        "skipped": [{"file": str(crls[each.index]), "reason": each.reason.value} for each in verdict.skipped],
        "warnings": list(verdict.warnings),
    }


def _print(verdict: RevocationVerdict, crls: tuple[Path, ...]) -> None:
    click.echo(_headline(verdict))
    if verdict.crl is not None:
        number = "without a number" if verdict.crl.number is None else f"number {verdict.crl.number}"
        click.echo(f"CRL {number}, issued {zulu(verdict.crl.this_update)}, next {zulu(verdict.crl.next_update)}")
    for each in verdict.skipped:
        say(f"not used: {crls[each.index]}: {each.reason}: {each.message}")
    for warning in verdict.warnings:
        say(f"warning: {warning}")


def _headline(verdict: RevocationVerdict) -> str:
    match verdict.status:
        case RevocationStatus.GOOD:
            return "good: the CRL does not list the certificate"
        case RevocationStatus.REVOKED:
            reason = verdict.revocation_reason
            word = "on hold" if reason == HOLD else f"reason {reason or 'not given'}"
            return f"revoked: {word}, since {zulu(verdict.revoked_at) or 'an unreadable date'}"
        case _:
            return f"undetermined: {verdict.reason}: {verdict.message}"
