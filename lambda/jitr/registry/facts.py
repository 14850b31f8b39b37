"""What a registry row keeps of its certificate besides ids and state, for enforcement."""

from __future__ import annotations

import hashlib
from typing import Any

from jitr.certificates import AnyCertificate, Certificate
from jitr.certificates import extensions as ext
from jitr.revocation.refusal import DEFAULT_OPTIONS
from jitr.revocation.scope import PointName, certificate_point_names

# What a row says instead of names; no URI looks like these.
NO_POINTS = "none named"
UNREADABLE_POINTS = "cannot be read"


def facts_of(certificate: Certificate, ca_certificate_id: str) -> dict[str, Any]:
    """Return a row's attributes that say what certificate it is about: its CA, its end (epoch), where its CRL is."""
    return {
        "ca_certificate_id": ca_certificate_id,
        "not_after": int(certificate.not_valid_after_utc.timestamp()),
        "distribution_points": points_of(certificate),
    }


def points_of(certificate: AnyCertificate) -> tuple[str, ...]:
    """Return the names of a certificate's distribution points as a row keeps them, at least one.

    A URI is itself, a directory name a hash of what it is compared by. Never raises.
    """
    try:
        fields = Certificate.of(certificate)
        if ext.CRL_DISTRIBUTION_POINTS not in fields.extensions:
            return (NO_POINTS,)
        names = {point_text(name) for name in certificate_point_names(fields, options=DEFAULT_OPTIONS)}
    except Exception:  # noqa: BLE001 - certificates break their readers in undocumented ways; the row says so
        return (UNREADABLE_POINTS,)
    return tuple(sorted(names - {""})) or (UNREADABLE_POINTS,)


def point_text(name: PointName) -> str:
    """Return a distribution point's name as rows keep it."""
    value = name[1]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return f"directory {hashlib.sha256(repr(value).encode()).hexdigest()}"
