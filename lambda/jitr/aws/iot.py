"""AWS IoT's registry: certificates, CA certificates, Things and policies, as the use cases need them.

The only module that calls AWS IoT. Every failure leaves it as Undecided with a reason code, except the few answers
that a caller acts on, which come back as values. Three calls are limited to 10 to 15 a second for a whole account and
Region: DescribeCertificate, AttachPolicy and UpdateCertificate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from jitr.aws.failures import aws_call, error_code
from jitr.errors import Reason, Undecided
from jitr.settings import CERTIFICATE_ATTRIBUTE

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot.literals import CertificateStatusType

NOTHING_MORE: Mapping[str, str] = MappingProxyType({})
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

    def registration_code(self) -> str:
        """Return the account's and Region's registration code, the same until somebody deletes it."""
        with aws_call("GetRegistrationCode"):
            return self.client.get_registration_code()["registrationCode"]

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

    def create_policy(self, policy_name: str, document: str) -> bool:
        """Create a policy; returns False for one that exists already, made by whoever was faster, and leaves it."""
        with aws_call("CreatePolicy"), _refusals_of(policy_name):
            try:
                self.client.create_policy(policyName=policy_name, policyDocument=document)
            except self.client.exceptions.ResourceAlreadyExistsException:
                return False
        return True

    def policy_document(self, policy_name: str) -> str | None:
        """Return a policy's default version, the one that counts; None when there is no such policy."""
        with aws_call("GetPolicy"):
            try:
                return self.client.get_policy(policyName=policy_name)["policyDocument"]
            except self.client.exceptions.ResourceNotFoundException:
                return None

    def create_policy_version(self, policy_name: str, document: str) -> bool:
        """Make a document a policy's new default version; returns False when it has all versions that AWS allows."""
        with aws_call("CreatePolicyVersion"), _refusals_of(policy_name):
            try:
                self.client.create_policy_version(policyName=policy_name, policyDocument=document, setAsDefault=True)
            except self.client.exceptions.VersionsLimitExceededException:
                return False
        return True

    def oldest_spare_policy_version(self, policy_name: str) -> str | None:
        """Return the id of the oldest version that is not the default, None when the default is all there is."""
        with aws_call("ListPolicyVersions"):
            listed = self.client.list_policy_versions(policyName=policy_name)["policyVersions"]
        # Ids are numbers that only grow (API reference, PolicyVersion).
        return min((each["versionId"] for each in listed if not each["isDefaultVersion"]), key=int, default=None)

    def delete_policy_version(self, policy_name: str, version_id: str) -> None:
        """Delete a version that is not the default; one that somebody else deletes meanwhile is gone too."""
        with aws_call("DeletePolicyVersion"):
            try:
                self.client.delete_policy_version(policyName=policy_name, policyVersionId=version_id)
            except self.client.exceptions.ResourceNotFoundException:
                return

    def create_thing(
        self,
        thing_name: str,
        certificate_id: str,
        *,
        thing_type: str | None = None,
        attributes: Mapping[str, str] = NOTHING_MORE,
    ) -> bool:
        """Claim a Thing for a certificate; returns False when one of that name exists with other content.

        On AWS the same name with the same content succeeds, so a repeated claim does too (API reference, CreateThing).
        """
        kind = {} if thing_type is None else {"thingTypeName": thing_type}
        with aws_call("CreateThing"):
            try:
                self.client.create_thing(
                    thingName=thing_name,
                    attributePayload={"attributes": {**attributes, CERTIFICATE_ATTRIBUTE: certificate_id}},
                    **kind,
                )
            except self.client.exceptions.ResourceAlreadyExistsException:
                return False
        return True

    def add_to_group(self, thing_name: str, group: str) -> None:
        """Add a Thing to a static group; one that is in it already stays in it."""
        with aws_call("AddThingToThingGroup"):
            self.client.add_thing_to_thing_group(thingName=thing_name, thingGroupName=group)

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

    def detach_thing(self, thing_name: str, certificate_arn: str) -> None:
        """Detach a certificate from a Thing; one that is not attached, or a Thing that is gone, is no error."""
        with aws_call("DetachThingPrincipal"):
            try:
                self.client.detach_thing_principal(thingName=thing_name, principal=certificate_arn)
            except self.client.exceptions.ResourceNotFoundException:
                return

    def find_thing(self, thing_name: str) -> Thing | None:
        """Read whom a Thing belongs to; None where there is no such Thing."""
        try:
            return self.describe_thing(thing_name)
        except Undecided as error:
            if isinstance(error.__cause__, self.client.exceptions.ResourceNotFoundException):
                return None
            raise

    def principals_of(self, thing_name: str) -> tuple[str, ...]:
        """Return the ARNs of what is attached to a Thing."""
        with aws_call("ListThingPrincipals"):
            pages = self.client.get_paginator("list_thing_principals").paginate(thingName=thing_name)
            return tuple(arn for page in pages for arn in page["principals"])

    def things_of(self, certificate_arn: str) -> tuple[str, ...]:
        """Return the names of the Things that a certificate is attached to."""
        with aws_call("ListPrincipalThings"):
            pages = self.client.get_paginator("list_principal_things").paginate(principal=certificate_arn)
            return tuple(name for page in pages for name in page["things"])

    def policies_of(self, certificate_arn: str) -> tuple[str, ...]:
        """Return the names of the policies that are attached to a certificate itself."""
        with aws_call("ListAttachedPolicies"):
            pages = self.client.get_paginator("list_attached_policies").paginate(target=certificate_arn)
            return tuple(each["policyName"] for page in pages for each in page["policies"])

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

    def detach_policy(self, policy_name: str, certificate_arn: str) -> None:
        """Detach a policy from a certificate; one that is not attached, or not there at all, is no error."""
        with aws_call("DetachPolicy"):
            try:
                self.client.detach_policy(policyName=policy_name, target=certificate_arn)
            except self.client.exceptions.ResourceNotFoundException:
                return


# What AWS IoT answers to a document, and to a name or a document, that it does not take.
_REFUSALS = {"MalformedPolicyException": Reason.POLICY_UNUSABLE, "InvalidRequestException": Reason.AWS_REFUSED}


@contextmanager
def _refusals_of(policy_name: str) -> Iterator[None]:
    """Turn AWS IoT's refusal of a policy into Undecided that repeats why: it is about our own template."""
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if code not in _REFUSALS:
            raise
        said = error.response.get("Error", {}).get("Message", "")
        raise Undecided(_REFUSALS[code], f"AWS IoT refuses policy {policy_name}: {code}: {said}") from error
