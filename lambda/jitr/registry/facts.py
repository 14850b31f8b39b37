"""What a registry row keeps of its certificate besides ids and state, for enforcement."""

from __future__ import annotations

from typing import Any

from jitr.certificates import Certificate


def facts_of(certificate: Certificate, ca_certificate_id: str) -> dict[str, Any]:
    """Return a row's attributes that say what kind of certificate it is about: its CA, and when it ends (epoch)."""
    return {
        "ca_certificate_id": ca_certificate_id,
        "not_after": int(certificate.not_valid_after_utc.timestamp()),
    }
