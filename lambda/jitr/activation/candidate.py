"""A certificate on its way to ACTIVE: what the first four steps of an activation established about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from jitr import certificates
from jitr.aws.iot import RegisteredCertificate
from jitr.certificates import Certificate
from jitr.errors import ActivationError
from jitr.policies.connecting import ConnectingDevice
from jitr.registry.facts import facts_of
from jitr.registry.row import row_key
from jitr.settings import ManagedCa


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What is known of one certificate; `row` is its key in the registry, `facts` what is kept there.

    `replaces` is the certificate whose Thing an earlier delivery took over. `client_id`: event.py.
    """

    registered: RegisteredCertificate
    described_at: datetime
    certificate: Certificate
    ca: ManagedCa
    ca_certificate: Certificate
    thing_name: str | None = None
    replaces: str | None = None
    client_id: str | None = None

    @property
    def certificate_id(self) -> str:
        """Return the certificate's id in AWS IoT."""
        return self.registered.certificate_id

    @cached_property
    def row(self) -> str:
        """Return the key of its row in the registry."""
        return row_key(certificates.issuer_key(self.ca_certificate), self.certificate.serial_number)

    @property
    def connecting(self) -> ConnectingDevice:
        """Return what the client ids of its policy may name of it."""
        try:
            common_name: str | None = certificates.common_name(self.certificate)
        except ActivationError:
            common_name = None
        return ConnectingDevice(
            certificate_id=self.certificate_id,
            thing_name=self.thing_name,
            common_name=common_name,
            serial=self.certificate.serial_number,
        )

    @property
    def facts(self) -> dict[str, Any]:
        """Return what its row keeps for enforcement."""
        connects = {"client_id": self.client_id, "thing_name": self.thing_name}
        known = {name: value for name, value in connects.items() if value is not None}
        return {**facts_of(self.certificate, self.ca.ca_certificate_id, certificate_id=self.certificate_id), **known}
