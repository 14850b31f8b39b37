"""Device certificates in AWS IoT's registry.

Three calls are limited to 10 to 15 a second for a whole account and Region: DescribeCertificate and UpdateCertificate
here, AttachPolicy beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from jitr.aws.failures import aws_call
from jitr.errors import Reason, Undecided

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot.literals import CertificateStatusType

_LARGEST_PAGE = 250  # the most that AWS lists at once


class CertificateStatus(StrEnum):
    """The states of a device certificate that matter here; AWS IoT API reference, CertificateStatus."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    REVOKED = "REVOKED"
    PENDING_ACTIVATION = "PENDING_ACTIVATION"
    PENDING_TRANSFER = "PENDING_TRANSFER"
    REGISTER_INACTIVE = "REGISTER_INACTIVE"


@dataclass(frozen=True, kw_only=True)
class RegisteredCertificate:
    """A device certificate as AWS IoT holds it; registered when it first connected, or by hand before."""

    certificate_id: str
    arn: str
    ca_certificate_id: str | None
    owner: str
    status: CertificateStatus
    pem: str
    registered_at: datetime | None = None


@dataclass(frozen=True)
class ListedCertificate:
    """A certificate as a list names it; a list that only has ids knows neither status nor time of registration."""

    certificate_id: str
    status: CertificateStatus | None = None
    registered_at: datetime | None = None


@dataclass(frozen=True)
class CertificatePage:
    """A part of a list, and where the next one begins; None after the last."""

    certificates: tuple[ListedCertificate, ...]
    next_marker: str | None


@dataclass(frozen=True)
class DeviceCertificates:
    """The device certificates of one account and Region."""

    client: IoTClient

    def describe_certificate(self, certificate_id: str) -> RegisteredCertificate:
        """Read a device certificate; raises Undecided (`certificate_not_found` and what every call may raise)."""
        with aws_call("DescribeCertificate"):
            try:
                answer = self.client.describe_certificate(certificateId=certificate_id)
            except self.client.exceptions.ResourceNotFoundException as error:
                raise Undecided(Reason.CERTIFICATE_NOT_FOUND, "AWS IoT knows no such certificate") from error
        description = answer["certificateDescription"]
        return RegisteredCertificate(
            certificate_id=description["certificateId"],
            arn=description["certificateArn"],
            ca_certificate_id=description.get("caCertificateId"),
            owner=description["ownedBy"],
            status=CertificateStatus(description["status"]),
            pem=description["certificatePem"],
            registered_at=description.get("creationDate"),
        )

    def update_certificate(self, certificate_id: str, status: CertificateStatus) -> None:
        """Set a device certificate's status; setting it to what it is already is no error on AWS."""
        new_status: CertificateStatusType = status.value
        with aws_call("UpdateCertificate"):
            self.client.update_certificate(certificateId=certificate_id, newStatus=new_status)

    def switch_off(self, certificate_id: str, status: CertificateStatus) -> None:
        """Set REVOKED or INACTIVE; a certificate that is gone, or REVOKED for good, is off already."""
        new_status: CertificateStatusType = status.value
        with aws_call("UpdateCertificate"):
            try:
                self.client.update_certificate(certificateId=certificate_id, newStatus=new_status)
            except (
                self.client.exceptions.ResourceNotFoundException,
                self.client.exceptions.CertificateStateException,
            ):
                return

    def certificates_of(self, ca_certificate_id: str, *, newest_first: bool) -> Iterator[tuple[str, str]]:
        """Yield id and status of a CA's certificates, page by page, by the date of their registration.

        Not among them: certificates that were registered without their CA (RegisterCertificateWithoutCA).
        """
        with aws_call("ListCertificatesByCA"):
            pages = self.client.get_paginator("list_certificates_by_ca").paginate(
                caCertificateId=ca_certificate_id, ascendingOrder=not newest_first, PaginationConfig={"PageSize": 100}
            )
            for page in pages:
                for each in page["certificates"]:
                    yield each["certificateId"], each["status"]

    def certificate_page(self, ca_certificate_id: str, marker: str | None) -> CertificatePage:
        """Read one page of a CA's certificates, the oldest first; `marker` is what the page before ended with."""
        more: dict[str, str] = {} if marker is None else {"marker": marker}
        with aws_call("ListCertificatesByCA"):
            answer = self.client.list_certificates_by_ca(
                caCertificateId=ca_certificate_id, ascendingOrder=True, pageSize=_LARGEST_PAGE, **more
            )
        listed = tuple(
            ListedCertificate(each["certificateId"], CertificateStatus(each["status"]), each["creationDate"])
            for each in answer["certificates"]
        )
        return CertificatePage(listed, answer.get("nextMarker"))


def is_active(certificates: DeviceCertificates, certificate_id: str) -> bool:
    """Return whether AWS IoT says that a certificate is ACTIVE; one that is gone is not.

    Raises Undecided for whatever else DescribeCertificate may raise.
    """
    try:
        return certificates.describe_certificate(certificate_id).status is CertificateStatus.ACTIVE
    except Undecided as error:
        if error.reason is not Reason.CERTIFICATE_NOT_FOUND:
            raise
        return False
