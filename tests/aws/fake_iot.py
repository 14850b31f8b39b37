"""AWS IoT's control plane for tests, as strict as AWS: it answers a real boto3 client in place of the network.

Parameters are validated and errors raised by botocore itself. Refused here as on AWS, and not by the usual mocks:
leaving REVOKED, setting PENDING_ACTIVATION, CreateThing over other attributes or another type, types and groups that
are not there, policy documents that are malformed or too long, a sixth version of a policy, deleting its default
version, an eleventh policy on a certificate, detail that depends on the CA, a CA without the proof that its mode wants,
deleting an ACTIVE CA. `quota` makes calls beyond it throttle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import botocore
from botocore.config import Config

from jitr_local.pki import CertificateAuthority, Device, pem
from tests.aws.fake_iot_attachments import FakeAttachments
from tests.aws.fake_iot_cas import FakeCa, FakeCas
from tests.aws.fake_iot_groups import FakeGroups
from tests.aws.fake_iot_policies import FakePolicies, Refused

ACCOUNT = "000000000000"
REGION = "us-east-1"
QUOTA_LIMITED = frozenset(
    {"DescribeCertificate", "AttachPolicy", "UpdateCertificate", "DescribeCACertificate", "CreatePolicy", "GetPolicy"}
    | {"CreatePolicyVersion", "ListPolicyVersions", "DeletePolicyVersion"}
)
_STATUS_CODES = {
    "ResourceNotFoundException": 404,
    "ResourceAlreadyExistsException": 409,
    "VersionConflictException": 409,
    "VersionsLimitExceededException": 409,
    "DeleteConflictException": 409,
    "CertificateStateException": 406,
    "CertificateValidationException": 400,
    "RegistrationCodeValidationException": 400,
    "LimitExceededException": 410,
    "ThrottlingException": 400,
    "InvalidRequestException": 400,
    "MalformedPolicyException": 400,
    "AccessDeniedException": 403,
    "InternalFailureException": 500,
    "ServiceUnavailableException": 503,
}


REGISTERED = datetime(2026, 2, 1, tzinfo=UTC)


@dataclass
class _Certificate:
    pem: str
    ca_certificate_id: str | None
    status: str
    policies: list[str] = field(default_factory=list)
    things: list[str] = field(default_factory=list)
    registered_at: datetime = REGISTERED
    ever_active_without_policy: bool = False


@dataclass
class _Thing:
    attributes: dict[str, str]
    kind: str | None = None
    version: int = 1


@dataclass
class FakeIot(FakePolicies, FakeCas, FakeAttachments, FakeGroups):
    """One account and Region; `calls` lists the operations in order."""

    certificates: dict[str, _Certificate] = field(default_factory=dict)
    things: dict[str, _Thing] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    history: list[tuple[str, str]] = field(default_factory=list)
    quota: Callable[[str], bool] = lambda operation: True

    # The world outside the API

    def register_ca(self, ca: CertificateAuthority, *, status: str = "ACTIVE") -> str:
        """Register a CA as an operator would have done."""
        self.cas[ca.ca_certificate_id] = FakeCa(pem(ca.certificate), status)
        return ca.ca_certificate_id

    def connect(self, device: Device, ca: CertificateAuthority) -> dict[str, Any]:
        """Let a device knock, and return the event that AWS publishes: null timestamp first, a string later."""
        known = device.certificate_id in self.certificates
        if not known:
            self.certificates[device.certificate_id] = _Certificate(
                pem(device.certificate), ca.ca_certificate_id, "PENDING_ACTIVATION"
            )
        registered_at = self.certificates[device.certificate_id].registered_at
        return {
            "certificateId": device.certificate_id,
            "caCertificateId": ca.ca_certificate_id,
            "timestamp": 1623724243659,
            "certificateStatus": "PENDING_ACTIVATION",
            "awsAccountId": ACCOUNT,
            "certificateRegistrationTimestamp": str(int(registered_at.timestamp() * 1000)) if known else None,
            "sourceIp": "192.0.2.7",
        }

    def add_active(self, certificate_id: str, ca_certificate_id: str) -> None:
        """Add a certificate that somebody activated long ago."""
        self.certificates[certificate_id] = _Certificate("", ca_certificate_id, "ACTIVE", ["some-policy"])

    def status(self, device: Device) -> str:
        """Return a device certificate's status."""
        return self.certificates[device.certificate_id].status

    @property
    def quota_limited_calls(self) -> list[str]:
        """Return the calls that count against the quotas of 10 to 15 a second."""
        return [call for call in self.calls if call in QUOTA_LIMITED]

    def client(self) -> Any:
        """Return a boto3 client that talks to this account."""
        client = boto3.client(
            "iot",
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0}),
        )
        client.meta.events.register("provide-client-params.iot", _keep_parameters)
        client.meta.events.register("before-call.iot", self._answer)  # type: ignore[arg-type]
        return client

    def _answer(self, *, model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        operation = model.name
        self.calls.append(operation)
        handler = getattr(self, "_" + botocore.xform_name(operation))
        try:
            if not self.quota(operation):
                raise Refused("ThrottlingException", "Rate exceeded")
            return SimpleNamespace(status_code=200), {**handler(context["parameters"]), "ResponseMetadata": {}}
        except Refused as refusal:
            status = _STATUS_CODES[refusal.code]
            error = {"Error": {"Code": refusal.code, "Message": str(refusal)}}
            return SimpleNamespace(status_code=status), {**error, "ResponseMetadata": {"HTTPStatusCode": status}}

    # The API

    def _describe_certificate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        certificate = self._certificate(given["certificateId"])
        return {
            "certificateDescription": {
                "certificateId": given["certificateId"],
                "certificateArn": _certificate_arn(given["certificateId"]),
                "caCertificateId": certificate.ca_certificate_id,
                "ownedBy": ACCOUNT,
                "status": certificate.status,
                "certificatePem": certificate.pem,
                "certificateMode": "SNI_ONLY",
                "creationDate": certificate.registered_at,
            }
        }

    def _update_certificate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        certificate, status = self._certificate(given["certificateId"]), given["newStatus"]
        if status not in ("ACTIVE", "INACTIVE", "REVOKED"):
            raise Refused("InvalidRequestException", f"{status} cannot be set")
        if certificate.status == "REVOKED" and status != "REVOKED":
            raise Refused("CertificateStateException", "a revoked certificate stays revoked")
        if status == "ACTIVE" and not certificate.policies:
            certificate.ever_active_without_policy = True
        certificate.status = status
        self.history.append((given["certificateId"], status))
        return {}

    def _list_certificates_by_ca(self, given: Mapping[str, Any]) -> dict[str, Any]:
        found = [(i, c) for i, c in self.certificates.items() if c.ca_certificate_id == given["caCertificateId"]]
        if not given.get("ascendingOrder"):
            found.reverse()
        marker, size = given.get("marker", "0"), given.get("pageSize", 25)
        if not 1 <= size <= 250:
            raise Refused("InvalidRequestException", "pageSize")
        if not marker.isdecimal():
            raise Refused("InvalidRequestException", "marker")
        start = int(marker)
        page = [
            {
                "certificateId": each,
                "certificateArn": _certificate_arn(each),
                "status": certificate.status,
                "creationDate": certificate.registered_at,
            }
            for each, certificate in found[start : start + size]
        ]
        more = start + size < len(found)
        return {"certificates": page} | ({"nextMarker": str(start + size)} if more else {})

    def _attach_policy(self, given: Mapping[str, Any]) -> dict[str, Any]:
        certificate = self._certificate(_id_of(given["target"]))
        if given["policyName"] not in self.policies:
            raise Refused("ResourceNotFoundException")
        if given["policyName"] not in certificate.policies:
            if len(certificate.policies) >= 10:
                raise Refused("LimitExceededException")
            certificate.policies.append(given["policyName"])
        return {}

    def _detach_policy(self, given: Mapping[str, Any]) -> dict[str, Any]:
        certificate = self.certificates.get(_id_of(given["target"]))
        if certificate is not None and given["policyName"] in certificate.policies:
            certificate.policies.remove(given["policyName"])
        return {}

    def _create_thing(self, given: Mapping[str, Any]) -> dict[str, Any]:
        name, attributes = given["thingName"], given["attributePayload"]["attributes"]
        if not re.fullmatch(r"[a-zA-Z0-9:_-]{1,128}", name):
            raise Refused("InvalidRequestException", "thing name")
        kind = given.get("thingTypeName")
        self._refuse_content(kind, attributes)
        if name in self.things and (self.things[name].attributes, self.things[name].kind) != (attributes, kind):
            raise Refused("ResourceAlreadyExistsException")
        self.things.setdefault(name, _Thing(dict(attributes), kind))
        return {"thingName": name}

    def _describe_thing(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if given["thingName"] not in self.things:
            raise Refused("ResourceNotFoundException")
        thing = self.things[given["thingName"]]
        return {"thingName": given["thingName"], "attributes": dict(thing.attributes), "version": thing.version}

    def _update_thing(self, given: Mapping[str, Any]) -> dict[str, Any]:
        thing = self.things[given["thingName"]]
        if given.get("expectedVersion", thing.version) != thing.version:
            raise Refused("VersionConflictException")
        thing.attributes.update(given["attributePayload"]["attributes"])
        thing.version += 1
        return {}

    def _attach_thing_principal(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if given["thingName"] not in self.things:
            raise Refused("ResourceNotFoundException")
        certificate = self._certificate(_id_of(given["principal"]))
        exclusive = given.get("thingPrincipalType") == "EXCLUSIVE_THING"
        if exclusive and certificate.things not in ([], [given["thingName"]]):
            raise Refused("InvalidRequestException", "attached to another thing")
        certificate.things = [given["thingName"]]
        return {}

    def _certificate(self, certificate_id: str) -> _Certificate:
        if certificate_id not in self.certificates:
            raise Refused("ResourceNotFoundException")
        return self.certificates[certificate_id]


def _keep_parameters(*, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["parameters"] = params


def _certificate_arn(certificate_id: str) -> str:
    return f"arn:aws:iot:{REGION}:{ACCOUNT}:cert/{certificate_id}"


def _id_of(arn: str) -> str:
    return arn.rsplit("/", 1)[1]
