"""A deployment whose devices are connected, and whoever switches one off ends its connection."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from jitr.activation.steps import Activation
from jitr.authorities.client_ids import ClientIds
from jitr.aws.connections import Connections
from jitr.aws.iot import CertificateStatus
from jitr.enforcement.sweep import Enforcement
from jitr.registry.device_revocation import DeviceRevocation
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.notes import DeviceNote
from jitr_local.pki import Device
from tests.aws.fake_connections import FakeConnections
from tests.worlds.deployment import ENVIRONMENT, TestDeployment


@dataclass
class Connected:
    """The deployment, its clients, and what was said about them."""

    deployment: TestDeployment
    notes: list[DeviceNote] = field(default_factory=list)
    made: list[Any] = field(default_factory=list)

    @property
    def clients(self) -> FakeConnections:
        """The clients of the account."""
        return self.deployment.clients

    def disconnecting(self) -> Disconnecting:
        """What a function would make of it: the client is made when it is needed first."""
        container = self.deployment.container()
        return Disconnecting(
            connections=Connections(self._client),
            registry=container.registry,
            arn_of=ENVIRONMENT.certificate_arn,
            own_client_ids=ClientIds(container.authorities, self.deployment.clock).own,
            pace=lambda: None,
            describe_pace=lambda: None,
            clock=self.deployment.clock,
            report=self.notes.append,
        )

    def container(self) -> Activation:
        """An activation that ends connections."""
        return replace(self.deployment.container(), disconnecting=self.disconnecting(), report=self.notes.append)

    def enforcement(self) -> Enforcement:
        """A sweep that ends connections."""
        return replace(self.deployment.enforcement(), disconnecting=self.disconnecting())

    def activate(self, device: Device, *, client_id: str | None = None, connects: bool = True) -> None:
        """Let a device knock by a client id, become ACTIVE, and connect by the id that its policy lets through."""
        event = self.deployment.iot.connect(device, self.deployment.ca)
        if client_id is not None:
            event["clientid"] = client_id
        self.deployment.deliver(event)
        assert self.deployment.iot.status(device) == "ACTIVE"
        self.deployment.clock.advance(minutes=1)
        if connects:
            things = self.deployment.iot.certificates[device.certificate_id].things
            self.clients.connect(things[0] if things else client_id or "", device.certificate_id)
            self.deployment.clock.advance(minutes=1)

    def list_and_sweep(self, *devices: Device) -> None:
        """Publish a CRL that lists devices, and enforce it."""
        deployment = self.deployment
        serials = [each.certificate.serial_number for each in devices]
        deployment.publish(deployment.ca.crl(serials, number=2))
        location = deployment.configuration.cas[0].crl
        self.enforcement().sweep(location, deployment.ca.certificate, devices=1000, owner=deployment.owners())

    def revoke(self, device: Device) -> None:
        """Do what `jitr device revoke` does."""
        container = self.deployment.container()
        revocation = DeviceRevocation(
            registry=container.registry,
            rows=container.rows,
            pace=lambda: None,
            clock=self.deployment.clock,
            sleep=lambda seconds: self.deployment.clock.advance(**timedelta_of(seconds)),
            disconnecting=self.disconnecting(),
        )
        revocation.switch_off(revocation.target(device.certificate_id), CertificateStatus.REVOKED)

    def said(self, device: Device) -> list[tuple[str, str | int | None]]:
        """Return what was said about a device's connection: the outcome, and why."""
        about = [each for each in self.notes if each.certificate_id == device.certificate_id]
        return [(each.outcome, each.details.get("because")) for each in about if each.outcome.startswith("connection")]

    def _client(self) -> Any:
        self.made.append(self.clients.client())
        return self.made[-1]


def timedelta_of(seconds: float) -> dict[str, float]:
    """Return seconds as a clock takes them."""
    return {"seconds": timedelta(seconds=seconds).total_seconds()}
