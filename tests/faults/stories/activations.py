"""What the scenarios of the fault matrix have in common: one CA, a deployment, a device, and ways to the functions."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from cryptography import x509

from jitr.aws.state_table import StateTable
from jitr.settings import Configuration, ManagedCa
from jitr_local import pki
from tests.faults.machine import containers
from tests.faults.machine.cloud import Account, Cloud, cloud
from tests.faults.machine.delivery import Asynchronous
from tests.faults.machine.invariants import Watched
from tests.worlds.deployment import BUCKET, CRL_KEY, POLICY, TABLE

CRL = f"s3://{BUCKET}/{CRL_KEY}"
SERIAL = 0x1001
HOLD = x509.ReasonFlags.certificate_hold
SCHEDULE = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
OWN_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:x/@{device.serial}"}],
    }
)


@cache
def factory() -> pki.CertificateAuthority:
    """The one CA."""
    return pki.CertificateAuthority.create()


@cache
def key() -> Any:
    """The one key of all devices but weak ones."""
    return pki.new_key()


@dataclass
class Arranged:
    """A deployment and the device that is about to knock, before anything goes wrong."""

    account: Account
    configuration: Configuration
    device: pki.Device
    watched: Watched
    event: Any = None
    expected: tuple[str, ...] = ("ACTIVE",)
    reason: str | None = None

    def configure(self, **changes: Any) -> None:
        """Change the CA in the fleet file."""
        self.configuration = replace(self.configuration, cas=(replace(self.configuration.cas[0], **changes),))

    def publish(self, data: bytes) -> None:
        """Put a CRL where the CA's is."""
        self.account.s3.objects[CRL] = data

    def begin(self) -> Cloud:
        """Let the clients talk to a copy of all this."""
        aws = cloud()
        aws.begin(self.account, self.configuration)
        return aws

    def keep(self, aws: Cloud) -> None:
        """Let what was done to the copy be part of the arrangement."""
        self.account, aws.account = aws.account, aws.account.copied()
        self.account.changes.clear()


def arranged(**device: Any) -> Arranged:
    """A deployment with one CA whose CRL lists nobody, and a good device."""
    account = Account()
    account.iot.register_ca(factory())
    managed = ManagedCa(
        name="factory-1",
        ca_certificate_id=factory().ca_certificate_id,
        certificate=pki.pem(factory().certificate),
        crl=CRL,
        policy="default",
    )
    configuration = Configuration(
        deployment="test", cas=(managed,), policies={"default": POLICY}, enforcement_tps=1e6, bulk_tps=1000.0
    )
    found = Arranged(
        account=account,
        configuration=configuration,
        device=factory().issue("device-1", **{"serial": SERIAL, "key": key(), **device}),
        watched=Watched(ca=factory(), crl=CRL),
    )
    found.publish(factory().crl())
    return found


def deliver(aws: Cloud, event: Any, **options: Any) -> Asynchronous:
    """Deliver an event to the activation function."""
    way = activation_way(aws, **options)
    way.deliver(event)
    return way


def activation_way(aws: Cloud, **options: Any) -> Asynchronous:
    """The way of events to the activation function."""

    def cold() -> Any:
        function = containers.activation(aws)
        return lambda event, request_id: function.run(event, request_id=request_id)

    return Asynchronous(aws, cold=cold, **options)


def knock(aws: Cloud, device: pki.Device) -> Any:
    """Let a device connect, and return the event, which says when that was."""
    now = round(aws.account.clock().timestamp() * 1000)
    return {**aws.account.iot.connect(device, factory()), "timestamp": now}


def sweep(aws: Cloud, event: Any = SCHEDULE) -> Asynchronous:
    """Let enforcement run for an event, to its end."""
    way = enforcement_way(aws)
    assert way.deliver(event), way.errors
    return way


def enforcement_way(aws: Cloud) -> Asynchronous:
    """The way of events to the enforcement function."""

    def cold() -> Any:
        function = containers.enforcement(aws)
        return lambda event, request_id: function.run(event, request_id=request_id)

    return Asynchronous(aws, cold=cold)


def table() -> StateTable:
    """The state table, through the clients."""
    return StateTable(cloud().client("dynamodb"), TABLE)
