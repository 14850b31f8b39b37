"""AWS IoT's registry: certificates, CA certificates, Things and policies, as the use cases need them.

The only module that calls AWS IoT. Every failure leaves it as Undecided with a reason code, except the few answers
that a caller acts on, which come back as values. Three calls are limited to 10 to 15 a second for a whole account and
Region: DescribeCertificate, AttachPolicy and UpdateCertificate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from jitr.aws_failures import aws_call
from jitr.errors import Reason, Undecided

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot.literals import CertificateStatusType

# The attribute by which a Thing belongs to one certificate; CreateThing with it is the claim.
CERTIFICATE_ATTRIBUTE = "certificate_id"


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
    """A device certificate as AWS IoT holds it."""

    certificate_id: str
    arn: str
    ca_certificate_id: str | None
    owner: str
    status: CertificateStatus
    pem: str


@dataclass(frozen=True, kw_only=True)
class RegisteredCa:
    """A CA certificate as AWS IoT holds it; `provisions_itself` when a provisioning template is set (JITP)."""

    ca_certificate_id: str
    active: bool
    pem: str
    provisions_itself: bool


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A Thing's claim: the certificate it belongs to, and the version to change it by."""

    certificate_id: str | None
    version: int


@dataclass(frozen=True)
class IotRegistry:
    """AWS IoT's control plane in one account and Region."""

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

    def describe_ca(self, ca_certificate_id: str) -> RegisteredCa:
        """Read a CA certificate; raises Undecided (`ca_not_found` and what every call may raise)."""
        with aws_call("DescribeCACertificate"):
            try:
                answer = self.client.describe_ca_certificate(certificateId=ca_certificate_id)
            except self.client.exceptions.ResourceNotFoundException as error:
                raise Undecided(Reason.CA_NOT_FOUND, "AWS IoT knows no such CA certificate") from error
        description = answer["certificateDescription"]
        registration = answer.get("registrationConfig") or {}
        return RegisteredCa(
            ca_certificate_id=description["certificateId"],
            active=description["status"] == "ACTIVE",
            pem=description["certificatePem"],
            provisions_itself=bool(registration.get("templateBody") or registration.get("templateName")),
        )

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

    def attach_policy(self, policy_name: str, certificate_arn: str) -> bool:
        """Attach a policy to a certificate, once or twice alike; returns False when the policy does not exist."""
        with aws_call("AttachPolicy"):
            try:
                self.client.attach_policy(policyName=policy_name, target=certificate_arn)
            except self.client.exceptions.ResourceNotFoundException:
                return False
        return True

    def create_policy(self, policy_name: str, document: str) -> None:
        """Create a policy; one that exists already, made by whoever was faster, is left as it is."""
        with aws_call("CreatePolicy"):
            try:
                self.client.create_policy(policyName=policy_name, policyDocument=document)
            except self.client.exceptions.ResourceAlreadyExistsException:
                return

    def create_thing(self, thing_name: str, certificate_id: str) -> bool:
        """Claim a Thing for a certificate; returns False when one of that name exists with other content.

        On AWS the same name with the same content succeeds, so a repeated claim does too (API reference, CreateThing).
        """
        with aws_call("CreateThing"):
            try:
                self.client.create_thing(
                    thingName=thing_name, attributePayload={"attributes": {CERTIFICATE_ATTRIBUTE: certificate_id}}
                )
            except self.client.exceptions.ResourceAlreadyExistsException:
                return False
        return True

    def describe_thing(self, thing_name: str) -> Thing:
        """Read whom a Thing belongs to."""
        with aws_call("DescribeThing"):
            answer = self.client.describe_thing(thingName=thing_name)
        return Thing(certificate_id=answer["attributes"].get(CERTIFICATE_ATTRIBUTE), version=answer["version"])

    def hand_over_thing(self, thing_name: str, *, to: str, version: int) -> None:
        """Make a Thing belong to another certificate, if nobody changed it since `version` was read."""
        with aws_call("UpdateThing"):
            self.client.update_thing(
                thingName=thing_name,
                attributePayload={"attributes": {CERTIFICATE_ATTRIBUTE: to}, "merge": True},
                expectedVersion=version,
            )

    def attach_thing(self, thing_name: str, certificate_arn: str) -> None:
        """Attach the certificate to its Thing, and to that one only; doing it twice is no error."""
        with aws_call("AttachThingPrincipal"):
            self.client.attach_thing_principal(
                thingName=thing_name, principal=certificate_arn, thingPrincipalType="EXCLUSIVE_THING"
            )
