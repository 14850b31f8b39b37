"""Policies in AWS IoT, their versions, and what they are attached to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from jitr.aws.failures import aws_call, error_code
from jitr.errors import Reason, Undecided

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient


@dataclass(frozen=True)
class Policies:
    """The policies of one account and Region."""

    client: IoTClient

    def attach_policy(self, policy_name: str, certificate_arn: str) -> bool:
        """Attach a policy to a certificate, once or twice alike; returns False when the policy does not exist."""
        with aws_call("AttachPolicy"):
            try:
                self.client.attach_policy(policyName=policy_name, target=certificate_arn)
            except self.client.exceptions.ResourceNotFoundException:
                return False
        return True

    def detach_policy(self, policy_name: str, certificate_arn: str) -> None:
        """Detach a policy from a certificate; one that is not attached, or not there at all, is no error."""
        with aws_call("DetachPolicy"):
            try:
                self.client.detach_policy(policyName=policy_name, target=certificate_arn)
            except self.client.exceptions.ResourceNotFoundException:
                return

    def policies_of(self, certificate_arn: str) -> tuple[str, ...]:
        """Return the names of the policies that are attached to a certificate itself."""
        with aws_call("ListAttachedPolicies"):
            pages = self.client.get_paginator("list_attached_policies").paginate(target=certificate_arn)
            return tuple(each["policyName"] for page in pages for each in page["policies"])

    def create_policy(self, policy_name: str, document: str) -> bool:
        """Create a policy; returns False for one that exists already, and leaves it."""
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
        """Delete a version that is not the default; one that was deleted meanwhile is no error."""
        with aws_call("DeletePolicyVersion"):
            try:
                self.client.delete_policy_version(policyName=policy_name, policyVersionId=version_id)
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
