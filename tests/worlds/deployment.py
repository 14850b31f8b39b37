"""One deployment in memory for tests: the strict AWS IoT, moto's S3 and DynamoDB, and the real activation code."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from jitr.activation.observation import Observation, UnwrittenVersions
from jitr.activation.steps import Activation
from jitr.authorities.allow_list import allowed_key
from jitr.authorities.managed import CertificateAuthorities
from jitr.authorities.records import CaRecords
from jitr.aws.iot import IotRegistry
from jitr.aws.state_table import StateTable
from jitr.certificates import issuer_key
from jitr.crls.cache import CrlCache
from jitr.crls.http_fetch import HttpFetcher
from jitr.crls.sources import CrlSources
from jitr.crls.versions import CrlVersions
from jitr.enforcement.copies import EnforcedCrls
from jitr.enforcement.sweep import Enforcement, Sweep
from jitr.messages.result import EventResult
from jitr.registry.rows import Registry
from jitr.settings import Configuration, Environment, ManagedCa
from jitr_local.pki import CertificateAuthority, Device, pem
from tests.aws.fake_connections import FakeConnections
from tests.aws.fake_iot import ACCOUNT, REGION, FakeIot

BUCKET = "jitr-test-crl"
TABLE = "jitr-test-state"
CRL_KEY = "factory-1.crl"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "iot:Connect",
                "Resource": "arn:@{partition}:iot:@{region}:@{account}:client/x",
            }
        ],
    }
)
ENVIRONMENT = Environment(account=ACCOUNT, region=REGION, partition="aws", state_table=TABLE, crl_bucket=BUCKET)


@dataclass
class Clock:
    """A time that only tests move."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amount: float) -> None:
        """Let time pass."""
        self.now += timedelta(**amount)


@dataclass
class TestDeployment:
    """What a test needs to let devices knock and look at what became of them."""

    __test__ = False

    iot: FakeIot
    ca: CertificateAuthority
    configuration: Configuration
    clock: Clock
    s3: Any
    dynamodb: Any
    iot_client: Any
    owners: Callable[[], str]
    activation: Activation
    http: HttpFetcher = field(default_factory=lambda: HttpFetcher(hosts=frozenset()))
    clients: FakeConnections = field(init=False)
    # What its stack says of itself, and which outputs it lacks, where a test needs that.
    outputs: dict[str, str] = field(default_factory=dict)
    lacking: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.clients = FakeConnections(self.iot, clock=self.clock)

    def container(self) -> Activation:
        """Return the use case as a cold container would build it: empty caches, the same AWS behind it."""
        registry = IotRegistry(self.iot_client)
        table = StateTable(self.dynamodb, TABLE)
        return Activation(
            configuration=self.configuration,
            environment=ENVIRONMENT,
            authorities=CertificateAuthorities(self.configuration, registry, CaRecords(table), BUCKET),
            registry=registry,
            rows=Registry(table),
            crls=CrlCache(self._sources(), CrlVersions(table)),
            clock=self.clock,
        )

    def observer(self) -> Observation:
        """Return the use case of `mode = "observe"`, on the same AWS."""
        table = StateTable(self.dynamodb, TABLE)
        examination = replace(self.container().examination, crls=CrlCache(self._sources(), UnwrittenVersions(table)))
        return Observation(examination=examination, rows=Registry(table), clock=self.clock)

    def allow(self, *serials: int) -> None:
        """Put serial numbers on the first CA's allow-list."""
        for serial in serials:
            self.dynamodb.put_item(TableName=TABLE, Item=allowed_key(self.ca.ca_certificate_id, serial))

    def _sources(self) -> CrlSources:
        return CrlSources(s3=self.s3, http=self.http, own_bucket=BUCKET, account=ACCOUNT)

    def enforcement(self) -> Enforcement:
        """Return the enforcement use case as a cold container would build it; sleeping moves the test's clock."""
        table = StateTable(self.dynamodb, TABLE)
        return Enforcement(
            registry=IotRegistry(self.iot_client),
            rows=Registry(table),
            crls=CrlCache(self._sources(), CrlVersions(table)),
            enforced=EnforcedCrls(self.s3, BUCKET, ACCOUNT),
            clock=self.clock,
            sleep=lambda seconds: self.clock.advance(seconds=seconds),
            pace=lambda: None,
        )

    def sweep(self, *, devices: int = 0, owner: str | None = None) -> Sweep:
        """Enforce the CRL of the first CA as it is now."""
        location = self.configuration.cas[0].crl
        return self.enforcement().sweep(location, self.ca.certificate, devices=devices, owner=owner or self.owners())

    def configure(self, **changes: Any) -> None:
        """Change the first CA in the fleet file and start a new container."""
        self.configuration = replace(self.configuration, cas=(replace(self.configuration.cas[0], **changes),))
        self.activation = self.container()

    def publish(self, crl: bytes, key: str = CRL_KEY) -> None:
        """Put a CRL into the deployment's bucket."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=crl)

    def knock(self, device: Device, *, owner: str | None = None) -> EventResult:
        """Let a device connect and the function handle the event."""
        return self.deliver(self.iot.connect(device, self.ca), owner=owner)

    def deliver(self, event: object, *, owner: str | None = None) -> EventResult:
        """Hand one event to the function, as a new one unless `owner` says whose retry it is."""
        return self.activation.activate(event, owner=owner or self.owners())

    def row(self, device: Device) -> dict[str, Any] | None:
        """Return a device's registry row as it stands in the table."""
        key = f"{issuer_key(self.ca.certificate)}#{device.certificate.serial_number:x}"
        answer = self.dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": key}, "sk": {"S": "certificate"}})
        item: dict[str, Any] | None = answer.get("Item")
        return item

    def row_state(self, device: Device) -> str | None:
        """Return the state of a device's registry row."""
        row = self.row(device)
        return row["state"]["S"] if row else None


def configuration_of(ca: CertificateAuthority) -> Configuration:
    """A deployment with one CA, whose CRL is in the deployment's bucket."""
    managed = ManagedCa(
        name="factory-1",
        ca_certificate_id=ca.ca_certificate_id,
        certificate=pem(ca.certificate),
        crl=f"s3://{BUCKET}/{CRL_KEY}",
        policy="default",
    )
    return Configuration(deployment="test", cas=(managed,), policies={"default": POLICY})


def create_deployment() -> TestDeployment:
    """Build a deployment with one CA whose CRL lists nobody; needs moto to be active."""
    ca = CertificateAuthority.create()
    iot = FakeIot()
    iot.register_ca(ca)
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket=BUCKET)
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
    )
    counter = itertools.count(1)
    deployment = TestDeployment(
        iot=iot,
        ca=ca,
        configuration=configuration_of(ca),
        clock=Clock(),
        s3=s3,
        dynamodb=dynamodb,
        iot_client=iot.client(),
        owners=lambda: f"request-{next(counter)}",
        activation=None,  # type: ignore[arg-type]  # needs the object it belongs to
    )
    deployment.activation = deployment.container()
    deployment.publish(ca.crl())
    return deployment
