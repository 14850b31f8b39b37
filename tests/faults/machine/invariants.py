"""One checker for I1 to I7: what an account must never have done, and how it must look once everything has settled.

Each rule looks at AWS's side alone (statuses, what was published, table items), with CRLs read by `cryptography` and
certificates by OpenSSL's command line, so it shares no code with what it judges.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from jitr_local import pki
from tests.faults.machine.cloud import Account, StatusChange


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the checker knows of a scenario: the CA, where its CRL is, and what its devices have to have.

    `with_thing`: ACTIVE needs one. `operators_word`: an operator's own command may switch on, and revoke what the CRL
    does not list; `revoked_before`: an earlier CRL listed it.
    """

    ca: pki.CertificateAuthority
    crl: str | None
    with_thing: bool = True
    operators_word: bool = False
    revoked_before: bool = False


def lists(data: bytes | None, ca: x509.Certificate, serial: int, at: datetime) -> str:
    """Return `good`, `hold`, `revoked` or `unknown`, as a CRL says it about a serial number at a time."""
    crl = None if data is None else _verified(data, ca)
    if crl is None or (crl.next_update_utc is not None and at > crl.next_update_utc):
        return "unknown"
    entry = crl.get_revoked_certificate_by_serial_number(serial)
    if entry is None:
        return "good"
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return "revoked"
    return "hold" if reason is x509.ReasonFlags.certificate_hold else "revoked"


def _verified(data: bytes, ca: x509.Certificate) -> x509.CertificateRevocationList | None:
    try:
        crl = x509.load_der_x509_crl(data)
        return crl if crl.is_signature_valid(ca.public_key()) else None  # type: ignore[arg-type]
    except (ValueError, UnsupportedAlgorithm):
        return None


def wrong_changes(account: Account, watched: Watched) -> Iterator[str]:
    """Yield what no status change may have been, at the moment it was made."""
    for change in account.changes:
        verdict = _verdict(account, watched, change)
        if change.after == "ACTIVE" and change.before != "ACTIVE":
            yield from _wrongly_activated(account, change, watched, verdict)
        elif change.after == "REVOKED" and not _may_be_revoked(watched, verdict):
            yield f"I4: REVOKED while the CRL said {verdict}"


def _may_be_revoked(watched: Watched, verdict: str | None) -> bool:
    return verdict in ("revoked", None) or watched.operators_word or watched.revoked_before


def _wrongly_activated(account: Account, change: StatusChange, watched: Watched, verdict: str | None) -> Iterator[str]:
    if change.before != "PENDING_ACTIVATION" and not watched.operators_word:
        yield f"I3: switched on from {change.before}"
    if not change.policies:
        yield "I2: ACTIVE without a policy"
    if watched.with_thing and not change.things and not watched.operators_word:
        yield "I2: ACTIVE without its Thing"
    if verdict in ("revoked", "hold") and not watched.operators_word:
        yield "I1: ACTIVE although the CRL lists it"
    if verdict == "unknown" and not watched.operators_word:
        yield "I4: ACTIVE although nobody could know"
    if not is_signed_by(account.iot.certificates[change.certificate_id].pem, pki.pem(watched.ca.certificate)):
        yield "I4: ACTIVE although OpenSSL does not take it for its CA's"


def _verdict(account: Account, watched: Watched, change: StatusChange) -> str | None:
    pem = account.iot.certificates[change.certificate_id].pem
    if watched.crl is None or not pem:
        return None
    return lists(change.published.get(watched.crl), watched.ca.certificate, serial_number(pem), change.at)


@cache
def serial_number(pem: str) -> int:
    """Return a certificate's serial number as `openssl x509` reads it."""
    command = ["openssl", "x509", "-noout", "-serial"]
    answer = subprocess.run(command, input=pem, capture_output=True, text=True, check=True).stdout
    return int(answer.partition("=")[2], 16)


@cache
def is_signed_by(pem: str, ca_pem: str) -> bool:
    """Return OpenSSL's verdict on names and signature; validity is not looked at."""
    with tempfile.TemporaryDirectory() as folder:
        ca, device = Path(folder, "ca.pem"), Path(folder, "device.pem")
        ca.write_text(ca_pem)
        device.write_text(pem)
        # OpenSSL does not know noRevAvail, which may be marked critical.
        command = ["openssl", "verify", "-partial_chain", "-no_check_time", "-ignore_critical"]
        files = ["-CAfile", str(ca), str(device)]
        return subprocess.run([*command, *files], capture_output=True, check=False).returncode == 0


def unsettled(account: Account) -> Iterator[str]:
    """Yield what must not be left once all deliveries are over: open leases, half-done rows, broken policies."""
    now = account.clock().timestamp()
    for (pk, sk), item in account.dynamodb.table.items.items():
        if sk == "certificate":
            yield from _unsettled_row(account, item, now)
        if pk == "crl" and int(item.get("sweep_until", {"N": "0"})["N"]) > now:
            yield "I5: a sweep's lease is open"
    for name, policy in account.iot.policies.items():
        if policy.default not in policy.versions:
            yield f"policy {name} has no default version"


def _unsettled_row(account: Account, item: Any, now: float) -> Iterator[str]:
    state = item["state"]["S"]
    if state == "REVOKE_WANTED":
        yield "I1: a revocation is wanted and not done"
    if int(item.get("lease_until", {"N": "0"})["N"]) > now:
        yield "I5: a row's lease is open"
    for each in item.get("certificate_ids", {}).get("SS", ()):
        certificate = account.iot.certificates.get(each)
        if certificate is not None and certificate.status == "ACTIVE" and state != "ACTIVE":
            yield f"I5: ACTIVE in AWS IoT, {state} in the registry"
        if certificate is not None and not certificate.policies and certificate.status == "ACTIVE":
            yield "I2: ACTIVE without a policy at the end"


def everything_wrong(account: Account, watched: Watched) -> list[str]:
    """Return all that the rules find, in the end."""
    return [*wrong_changes(account, watched), *unsettled(account)]


def certificate_row(account: Account, serial: int) -> Any:
    """Return the registry row of a serial number, None where there is none."""
    for (pk, sk), item in account.dynamodb.table.items.items():
        if sk == "certificate" and pk.endswith(f"#{serial:x}"):
            return item
    return None
