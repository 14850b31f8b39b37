"""One reader of certificates for everybody, and the rules about one certificate. Pure: no network, no clock, no AWS.

Tolerant for off, strict for on: `Certificate` reads what decides, field by field; `verify_one_reading` says whether a
certificate is clear enough to be activated.
"""

from jitr.certificates.agreement import verify_one_reading
from jitr.certificates.certificate import AnyCertificate, Certificate
from jitr.certificates.points import distribution_points, unreadable_point
from jitr.certificates.reading import (
    Unreadable,
    certificate_blocks,
    ends_of_chain,
    load_certificate,
    load_registered,
    read_certificate,
    read_pem,
)
from jitr.certificates.rules import (
    MINIMUM_RSA_BITS,
    common_name,
    fingerprint,
    issuer_key,
    thing_name,
    verify_issued_by,
    verify_strength,
    verify_validity,
)

__all__ = [
    "MINIMUM_RSA_BITS",
    "AnyCertificate",
    "Certificate",
    "Unreadable",
    "certificate_blocks",
    "common_name",
    "distribution_points",
    "ends_of_chain",
    "fingerprint",
    "issuer_key",
    "load_certificate",
    "load_registered",
    "read_certificate",
    "read_pem",
    "thing_name",
    "unreadable_point",
    "verify_issued_by",
    "verify_one_reading",
    "verify_strength",
    "verify_validity",
]
