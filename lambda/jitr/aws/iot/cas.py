"""CA certificates in AWS IoT's registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jitr.aws.failures import aws_call
from jitr.errors import Reason, Undecided

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient


@dataclass(frozen=True, kw_only=True)
class RegisteredCa:
    """A CA certificate as AWS IoT holds it; `provisions_itself` when a provisioning template is set (JITP)."""

    ca_certificate_id: str
    active: bool
    pem: str
    provisions_itself: bool


@dataclass(frozen=True)
class CaCertificates:
    """The CA certificates of one account and Region."""

    client: IoTClient

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

    def switch_ca(self, ca_certificate_id: str, *, active: bool) -> None:
        """Make a CA ACTIVE or INACTIVE; raises Undecided."""
        with aws_call("UpdateCACertificate"):
            self.client.update_ca_certificate(
                certificateId=ca_certificate_id, newStatus="ACTIVE" if active else "INACTIVE"
            )

    def delete_ca(self, ca_certificate_id: str) -> None:
        """Delete an INACTIVE CA; raises Undecided."""
        with aws_call("DeleteCACertificate"):
            self.client.delete_ca_certificate(certificateId=ca_certificate_id)

    def registration_code(self) -> str:
        """Return the account's and Region's registration code, the same until somebody deletes it."""
        with aws_call("GetRegistrationCode"):
            return self.client.get_registration_code()["registrationCode"]
