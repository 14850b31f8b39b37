"""AWS IoT's registry, one noun a module: certificates, CA certificates, Things and policies.

The only package that calls AWS IoT. Every failure leaves it as Undecided with a reason code, except the few answers
that a caller acts on, which come back as values.
"""

from __future__ import annotations

from jitr.aws.iot.cas import CaCertificates, RegisteredCa
from jitr.aws.iot.certificates import (
    CertificatePage,
    CertificateStatus,
    DeviceCertificates,
    ListedCertificate,
    RegisteredCertificate,
    is_active,
)
from jitr.aws.iot.policies import Policies
from jitr.aws.iot.registry import IotRegistry
from jitr.aws.iot.things import NOTHING_MORE, Thing, Things

__all__ = [
    "NOTHING_MORE",
    "CaCertificates",
    "CertificatePage",
    "CertificateStatus",
    "DeviceCertificates",
    "IotRegistry",
    "ListedCertificate",
    "Policies",
    "RegisteredCa",
    "RegisteredCertificate",
    "Thing",
    "Things",
    "is_active",
]
