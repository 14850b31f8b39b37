"""A certificate on its way to ACTIVE: what the first four steps of an activation established about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from jitr import certificates
from jitr.aws.iot import RegisteredCertificate
from jitr.certificates import Certificate
from jitr.registry.facts import facts_of
from jitr.registry.row import row_key
from jitr.settings import ManagedCa


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What is known of one certificate; `row` is its key in the registry, `facts` what is kept there.

    `replaces` is the certificate whose Thing an earlier delivery took over.
    """

    registered: RegisteredCertificate
    described_at: datetime
    certificate: Certificate
    ca: ManagedCa
    ca_certificate: Certificate
    thing_name: str | None = None
    replaces: str | None = None

    @property
    def certificate_id(self) -> str:
        """Return the certificate's id in AWS IoT."""
        return self.registered.certificate_id

    @cached_property
    def row(self) -> str:
        """Return the key of its row in the registry."""
        return row_key(certificates.issuer_key(self.ca_certificate), self.certificate.serial_number)

    @property
    def facts(self) -> dict[str, Any]:
        """Return what its row keeps for enforcement."""
        return facts_of(self.certificate, self.ca.ca_certificate_id)
