"""CA certificates in AWS IoT as operators handle them: registered, listed, switched on and off, deleted.

The functions' view of AWS IoT is jitr.aws.iot. What AWS refuses with words worth reading comes through as
botocore's error; what a command can explain better comes as CommandFailed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from jitr.authorities.obstacles import CaFacts
from jitr.aws.pacing import Pace
from jitr.certificates import Certificate, Unreadable, load_certificate, read_pem
from jitr.errors import Reason, Undecided
from jitr_cli.console.output import progress

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

_PAGE = 250  # the most that AWS returns at once
DESCRIBED_PER_SECOND = 5.0  # half of the default quota for DescribeCACertificate; the functions need the other


class CertificateMode(StrEnum):
    """How a CA is registered, which only deleting and registering it again changes (API reference, CertificateMode)."""

    SNI_ONLY = "SNI_ONLY"
    DEFAULT = "DEFAULT"


@dataclass(frozen=True, kw_only=True)
class DescribedCa:
    """A CA certificate as AWS IoT holds it; `provisions_itself` when a provisioning template is set (JITP)."""

    ca_certificate_id: str
    pem: str
    active: bool
    auto_registration: bool
    mode: CertificateMode
    created_at: datetime | None
    provisions_itself: bool

    @property
    def certificate(self) -> Certificate:
        """Read the certificate; raises Undecided (`malformed_certificate`)."""
        return load_certificate(self.pem)

    @property
    def read(self) -> Certificate | Unreadable:
        """Return the certificate, or why it cannot be read: for what is only shown, or one of many."""
        return read_pem(self.pem)

    @property
    def subject_text(self) -> str:
        """Return the subject for people, or that it cannot be read."""
        found = self.read
        return "a subject that cannot be read" if isinstance(found, Unreadable) else found.subject_text

    @property
    def facts(self) -> CaFacts:
        """Return what AWS IoT says that decides whether its new devices get in; not its certificate's validity."""
        return CaFacts(
            active=self.active,
            auto_registration=self.auto_registration,
            provisions_itself=self.provisions_itself,
        )

    @property
    def status(self) -> str:
        """Return the status in AWS IoT's word."""
        return "ACTIVE" if self.active else "INACTIVE"


@dataclass(frozen=True, kw_only=True)
class ListedDevice:
    """A device certificate as the list of its CA shows it."""

    certificate_id: str
    status: str
    created_at: datetime | None


@dataclass(frozen=True)
class CaRegistry:
    """The CA certificates of one account and Region."""

    client: IoTClient

    def registration_code(self) -> str:
        """Return the account's and Region's registration code; AWS makes one if there is none. It is no secret."""
        return self.client.get_registration_code()["registrationCode"]

    def find(self, ca_certificate_id: str) -> DescribedCa | None:
        """Return a registered CA, or None."""
        try:
            answer = self.client.describe_ca_certificate(certificateId=ca_certificate_id)
        except self.client.exceptions.ResourceNotFoundException:
            return None
        description, template = answer["certificateDescription"], answer.get("registrationConfig") or {}
        return DescribedCa(
            ca_certificate_id=description["certificateId"],
            pem=description["certificatePem"],
            active=description["status"] == "ACTIVE",
            auto_registration=description.get("autoRegistrationStatus") == "ENABLE",
            mode=CertificateMode(description.get("certificateMode", "DEFAULT")),
            created_at=description.get("creationDate"),
            provisions_itself=bool(template.get("templateBody") or template.get("templateName")),
        )

    def describe(self, ca_certificate_id: str) -> DescribedCa:
        """Return a registered CA; raises Undecided (`ca_not_found`)."""
        found = self.find(ca_certificate_id)
        if found is None:
            raise Undecided(Reason.CA_NOT_FOUND, "AWS IoT knows no such CA certificate in this account and Region")
        return found

    def ids(self) -> Iterator[str]:
        """Yield the ids of all registered CAs, the oldest first."""
        pages = self.client.get_paginator("list_ca_certificates").paginate(
            ascendingOrder=True, PaginationConfig={"PageSize": _PAGE}
        )
        for page in pages:
            yield from (each["certificateId"] for each in page["certificates"])

    def register(
        self, pem: str, *, mode: CertificateMode, verification: str | None, active: bool, auto_registration: bool
    ) -> str:
        """Register a CA and return its id; `verification` is a PEM in DEFAULT mode and None in SNI_ONLY."""
        request: dict[str, Any] = {
            "caCertificate": pem,
            "certificateMode": mode.value,
            "setAsActive": active,
            "allowAutoRegistration": auto_registration,
        }
        if verification is not None:
            request["verificationCertificate"] = verification
        return self.client.register_ca_certificate(**request)["certificateId"]

    def set_status(self, ca_certificate_id: str, *, active: bool) -> None:
        """Make a CA ACTIVE or INACTIVE; setting what is set already is no error."""
        self.client.update_ca_certificate(certificateId=ca_certificate_id, newStatus="ACTIVE" if active else "INACTIVE")

    def set_auto_registration(self, ca_certificate_id: str, *, on: bool) -> None:
        """Let unknown certificates of a CA be registered at their first connect, or not."""
        self.client.update_ca_certificate(
            certificateId=ca_certificate_id, newAutoRegistrationStatus="ENABLE" if on else "DISABLE"
        )

    def described(self, *, per_second: float, label: str) -> Iterator[DescribedCa]:
        """Yield all registered CAs, the oldest first and at a pace, and show how far it is."""
        pace = Pace(per_second, now=time.monotonic, sleep=time.sleep)
        with progress(label, total=None) as bar:
            for identifier in self.ids():
                pace()
                known = self.find(identifier)
                bar(1)
                if known is not None:  # deleted meanwhile
                    yield known

    def count_devices(self, ca_certificate_id: str) -> Counter[str]:
        """Count a CA's devices by status, and show how far it is."""
        found: Counter[str] = Counter()
        with progress("counting its devices", total=None) as bar:
            for device in self.devices(ca_certificate_id):
                found[device.status] += 1
                bar(1)
        return found

    def delete(self, ca_certificate_id: str) -> None:
        """Delete a CA; AWS refuses while it is ACTIVE. Its devices stay as they are."""
        self.client.delete_ca_certificate(certificateId=ca_certificate_id)

    def devices(self, ca_certificate_id: str) -> Iterator[ListedDevice]:
        """Yield a CA's device certificates, the oldest first.

        Not among them: certificates that were registered without their CA (RegisterCertificateWithoutCA).
        """
        pages = self.client.get_paginator("list_certificates_by_ca").paginate(
            caCertificateId=ca_certificate_id, ascendingOrder=True, PaginationConfig={"PageSize": _PAGE}
        )
        for page in pages:
            for each in page["certificates"]:
                yield ListedDevice(
                    certificate_id=each["certificateId"],
                    status=each["status"],
                    created_at=each.get("creationDate"),
                )
