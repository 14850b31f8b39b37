"""One CA as people and scripts see it: AWS IoT's side, who manages it, holds, and what is known of its CRLs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from jitr.authorities.records import CaRecord
from jitr.certificates import AnyCertificate, Certificate, Unreadable, issuer_key
from jitr.certificates.signature import SignatureRefused
from jitr.crls.versions import ScopeState
from jitr_cli.authorities.management import DeployedCas, Management
from jitr_cli.authorities.obstacles import obstacles
from jitr_cli.authorities.registry import DescribedCa
from jitr_cli.console.files import zulu
from jitr_cli.console.output import json_number


def describe_ca(known: DescribedCa, deployments: Iterable[DeployedCas], *, at: datetime) -> dict[str, Any]:
    """Return all that is known of a CA, as JSON holds it; `obstacles` are sentences for people.

    What cannot be read of its certificate is null, and `obstacles` say why.
    """
    deployments = list(deployments)
    found = known.read
    certificate = None if isinstance(found, Unreadable) else found
    return {
        "ca_certificate_id": known.ca_certificate_id,
        "subject": None if certificate is None else certificate.subject_text,
        "mode": known.mode.value,
        "status": known.status,
        "auto_registration": known.auto_registration,
        "provisioning_template": known.provisions_itself,
        "registered_at": zulu(known.created_at),
        "not_before": None if certificate is None else zulu(certificate.begins),
        "not_after": None if certificate is None else zulu(certificate.ends),
        "key": None if certificate is None else key_kind(certificate),
        "deployments": [each for each in (_in(deployed, known, certificate) for deployed in deployments) if each],
        "obstacles": obstacles(known, deployments, at=at),
    }


def key_kind(certificate: AnyCertificate) -> str:
    """Return the kind of a certificate's key in a word: EC P-256, RSA-2048; `unknown` for one that no library takes."""
    try:
        key = certificate.public_key()
    except (SignatureRefused, ValueError):
        return "unknown"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC P-{key.key_size}"
    return type(key).__name__


def _in(deployed: DeployedCas, known: DescribedCa, certificate: Certificate | None) -> dict[str, Any] | None:
    """Return what one deployment knows of the CA; None where that is nothing."""
    record = deployed.records.record(known.ca_certificate_id)
    management = deployed.management_of(known.ca_certificate_id, record)
    crls = [] if certificate is None else _crls(deployed, certificate)
    if management is None and record is None and not crls:
        return None
    return {
        "deployment": deployed.stack.deployment,
        **_managed(management),
        "on_hold": record is not None and record.on_hold,
        "held_by": record.held_by if record else None,
        "devices_activated": record.devices if record else 0,
        "crl_locations": _locations(record),
        "crls": crls,
    }


def _managed(management: Management | None) -> dict[str, Any]:
    return {
        "managed": management.owner.value if management else None,
        "name": management.name if management else None,
        "status": management.status.value if management else None,
        "crl": management.crl if management else None,
        "policy": management.policy if management else None,
    }


def _locations(record: CaRecord | None) -> list[str]:
    return list(record.locations) if record else []


def _crls(deployed: DeployedCas, certificate: Certificate) -> list[dict[str, Any]]:
    """Return the CRLs of this CA's subject and key; several CA certificates may share them."""
    prefix = f"{issuer_key(certificate)}#"
    return [_crl(state, prefix) for state in deployed.scopes if state.scope.startswith(prefix)]


def _crl(state: ScopeState, prefix: str) -> dict[str, Any]:
    accepted = state.accepted
    return {
        "address": state.scope.removeprefix(prefix),
        "accepted_number": json_number(accepted.number) if accepted else None,
        "this_update": zulu(accepted.this_update) if accepted else None,
        "enforced": accepted is not None and state.enforced == accepted.sha256,
        "brake": _brake(state),
    }


def _brake(state: ScopeState) -> str | None:
    """Return where a braked CRL stands: waiting for an operator's decision, confirmed, rejected; None without one."""
    if state.braked is None:
        return None
    if state.rejected == state.braked:
        return "rejected"
    return "confirmed" if state.confirmed else "waiting"


def crl_in_a_word(crl: dict[str, Any]) -> str:
    """Return the state of one CRL for people."""
    if crl["this_update"] is None:
        return "none accepted"
    number = "no number" if crl["accepted_number"] is None else f"number {crl['accepted_number']}"
    brake = f", brake: {crl['brake']}" if crl["brake"] else ""
    return f"{number} of {crl['this_update']}, {'enforced' if crl['enforced'] else 'not enforced yet'}{brake}"
