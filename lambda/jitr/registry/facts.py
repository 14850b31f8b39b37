"""What a registry row keeps of its certificate besides ids and state, for enforcement."""

from __future__ import annotations

import hashlib
from typing import Any

from jitr.certificates import AnyCertificate, Certificate, Unreadable, distribution_points, issuer_key
from jitr.certificates import extensions as ext
from jitr.certificates.der import DerError
from jitr.registry.row import id_key, row_key
from jitr.revocation.refusal import DEFAULT_OPTIONS
from jitr.revocation.scope import PointName, certificate_point_names

# What a row says instead of names; no URI looks like these.
NO_POINTS = "none named"
UNREADABLE_POINTS = "cannot be read"


def key_of_row(certificate: Certificate | Unreadable, ca: AnyCertificate | None, *, certificate_id: str) -> str:
    """Return the key of a certificate's row: by its serial number, or by its id where that or its CA is not known."""
    serial = certificate.serial_number
    if ca is None or serial is None:
        return id_key(certificate_id)
    return row_key(issuer_key(ca), serial)


def facts_of(certificate: Certificate | Unreadable, ca_certificate_id: str, *, certificate_id: str) -> dict[str, Any]:
    """Return a row's attributes that say what certificate it is about: its CA, its end (epoch), where its CRL is.

    What cannot be read is left out; of a certificate that cannot be read as a whole its id is kept as such.
    """
    if isinstance(certificate, Unreadable):
        return {"ca_certificate_id": ca_certificate_id, "unreadable_ids": (certificate_id,)}
    facts: dict[str, Any] = {
        "ca_certificate_id": ca_certificate_id,
        "distribution_points": points_of(certificate),
    }
    if certificate.ends is not None:
        facts["not_after"] = int(certificate.ends.timestamp())
    return facts


def points_of(certificate: AnyCertificate) -> tuple[str, ...]:
    """Return the names of a certificate's distribution points as a row keeps them, at least one.

    A URI is itself, a directory name a hash of what it is compared by. Where something in them cannot be read, those
    URIs that can be count. Never raises.
    """
    try:
        fields = Certificate.of(certificate)
        if fields.extension(ext.CRL_DISTRIBUTION_POINTS) is None:
            return (NO_POINTS,)
        names = {point_text(name) for name in certificate_point_names(fields, options=DEFAULT_OPTIONS)}
    except DerError:
        names = set(distribution_points(certificate))
    except Exception:  # noqa: BLE001 - certificates break their readers in undocumented ways; the row says so
        return (UNREADABLE_POINTS,)
    return tuple(sorted(names - {""})) or (UNREADABLE_POINTS,)


def point_text(name: PointName) -> str:
    """Return a distribution point's name as rows keep it."""
    value = name[1]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return f"directory {hashlib.sha256(repr(value).encode()).hexdigest()}"
