"""A CA in AWS IoT: registered in one of its modes, with auto-registration, and never deleted with the stack."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iot as iot
from constructs import Construct, IDependable

from jitr.settings import CaStatus
from jitr_fleet.deployments.deployment import FleetCa


class CaRegistration(Construct):
    """Registers one CA, after everything in `after`: a device must not knock before somebody listens.

    SNI_ONLY lets several accounts register one CA and needs no verification certificate, which DEFAULT does. Deleting
    the resource leaves the CA as it is, because AWS IoT would otherwise forget which CA signed the devices that are
    registered already; a deploy that is rolled back takes its own registration back (docs/decisions/0020). `pem` and
    `verification` may be references to what the deploy finds out.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        ca: FleetCa,
        pem: str,
        verification: str | None,
        after: tuple[IDependable, ...],
    ) -> None:
        super().__init__(scope, construct_id)
        self.ca_certificate = iot.CfnCACertificate(
            self,
            "Certificate",
            ca_certificate_pem=pem,
            certificate_mode=ca.registration.value,
            verification_certificate_pem=verification,
            status="ACTIVE" if ca.status is CaStatus.ACTIVE else "INACTIVE",
            auto_registration_status="DISABLE" if ca.status is CaStatus.RETIRED else "ENABLE",
        )
        self.ca_certificate.apply_removal_policy(RemovalPolicy.RETAIN)
        self.ca_certificate.node.add_dependency(*after)
