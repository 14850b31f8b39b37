"""What a fleet file says, once it is read and found right: deployments and their certificate authorities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from jitr.enforcement.brake import BRAKE_PERCENT, SMALLEST_BRAKE
from jitr.settings import CaSettings, Mode


class Registration(StrEnum):
    """Who registers a CA in AWS IoT: the deployment, in one of AWS IoT's two modes, or somebody did so already."""

    SNI_ONLY = "SNI_ONLY"
    DEFAULT = "DEFAULT"
    EXISTING = "existing"


def crl_bucket_name(deployment: str, *, account: str, region: str) -> str:
    """Return the name of a deployment's CRL bucket: fixed, for people to write down, and unique in the world."""
    return f"jitr-{deployment}-crl-{account}-{region}"


class Ingestion(StrEnum):
    """How registration events reach the activation function."""

    DIRECT = "direct"
    QUEUE = "queue"


class PrivateCaType(StrEnum):
    """Where a CA that the stack creates stands."""

    ROOT = "root"
    SUBORDINATE = "subordinate"


class CrlKind(StrEnum):
    """How AWS Private CA writes a CA's CRL."""

    COMPLETE = "COMPLETE"
    PARTITIONED = "PARTITIONED"


@dataclass(frozen=True, kw_only=True)
class NewPrivateCa:
    """A CA that the stack creates in AWS Private CA; `parent` is an ARN, None for a root.

    `subject` has the names of CloudFormation's properties: CommonName, Organization, OrganizationalUnit, Country.
    """

    kind: PrivateCaType
    parent: str | None
    subject: Mapping[str, str]
    key_algorithm: str = "EC_prime256v1"
    validity_years: int = 10
    crl: CrlKind = CrlKind.COMPLETE
    crl_days: int = 7


@dataclass(frozen=True, kw_only=True)
class FleetCa(CaSettings):
    """One CA of a deployment; `certificate` is PEM as AWS IoT takes it, one block and a final newline.

    `certificate` and `ca_certificate_id` are empty where only the deploy can know them: for a CA in AWS Private CA,
    named by its ARN or created by the stack. `crl` is empty where the deploy knows it. `verification_certificate` is
    PEM, and so is `sample_device`, the certificate of a device that the CA was seen to have signed. `formerly` is the
    name that the CA was first deployed by, where it was renamed since.
    """

    registration: Registration
    private_ca: str | NewPrivateCa | None = None
    verification_certificate: str | None = None
    sample_device: str | None = None
    formerly: str | None = None

    @property
    def deployed_as(self) -> str:
        """Return the name that its resources are known by in the stack; another one would register the CA again."""
        return self.formerly or self.name

    @property
    def known_at_deploy(self) -> bool:
        """Return whether no file holds the CA's certificate."""
        return not self.certificate


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One stack in one account and Region.

    `policies` holds the templates of `policies_folder` by name, as text. `reserved_concurrency` is a number, or None
    for a function that reserves none; `maximum_concurrency` how many batches of the activation queue are at work at
    once. `api_tps` is the account's quota of AWS IoT API calls a second, `api_margin` what others are left of it; the
    shares are percent of the rest, are guaranteed, and make 100 at most. `enforcement_minutes` is the time from one
    look at every CRL to the next, `reconciliation_hours` that from one pass over all certificates. More newly listed
    than `brake_devices`, and than `brake_percent` of a CA's ACTIVE ones, is braked.
    `connects` says by template which client ids it lets connect (jitr.policies.connecting).
    `released_cas` are names or ids of CAs that may leave although they have ACTIVE devices.
    `private_crl_hosts` are those of `crl_hosts` that may be in private networks, which functions in `vpc_subnets`
    reach. `kms_key` encrypts what the stack stores, `crl_kms_keys` CRLs elsewhere, `iot_kms_key` the account's AWS IoT
    data: ARNs.
    """

    name: str
    account: str
    region: str
    ingestion: Ingestion = Ingestion.DIRECT
    mode: Mode = Mode.ACTIVATE
    crl_hosts: tuple[str, ...] = ()
    crl_publishers: tuple[str, ...] = ()
    alarm_email: str | None = None
    api_tps: int = 10
    api_margin: float = 0.2
    activation_share: int = 60
    enforcement_share: int = 30
    bulk_share: int = 10
    enforcement_minutes: int = 5
    brake_devices: int = SMALLEST_BRAKE
    brake_percent: int = BRAKE_PERCENT
    reconciliation_hours: int = 24
    reserved_concurrency: int | None = None
    maximum_concurrency: int = 10
    log_retention_days: int = 90
    policies: Mapping[str, str] = field(default_factory=dict)
    connects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    policies_folder: Path = field(default=Path("policies"), compare=False)
    create_thing_groups: bool = True
    released_cas: tuple[str, ...] = ()
    private_crl_hosts: tuple[str, ...] = ()
    kms_key: str | None = None
    crl_kms_keys: tuple[str, ...] = ()
    iot_kms_key: str | None = None
    permissions_boundary: str | None = None
    role_path: str | None = None
    termination_protection: bool = False
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    vpc_subnets: tuple[str, ...] = ()
    vpc_security_groups: tuple[str, ...] = ()
    cas: tuple[FleetCa, ...] = ()

    @property
    def observes(self) -> bool:
        """Return whether it only logs what it would decide."""
        return self.mode is Mode.OBSERVE

    @property
    def crl_bucket(self) -> str:
        """The name of the stack's CRL bucket."""
        return crl_bucket_name(self.name, account=self.account, region=self.region)

    @property
    def queued(self) -> bool:
        """Return whether events wait in a queue before the function."""
        return self.ingestion is Ingestion.QUEUE

    @property
    def activation_tps(self) -> float:
        """About how many devices a second activation can certainly ask, each by one call of every limited kind."""
        return self._part(self.activation_share)

    @property
    def enforcement_tps(self) -> float:
        """How many AWS IoT calls a second enforcement can certainly make."""
        return self._part(self.enforcement_share)

    @property
    def bulk_tps(self) -> float:
        """How many AWS IoT calls a second operators' bulk work can certainly make."""
        return self._part(self.bulk_share)

    @property
    def lent_tps(self) -> float:
        """How many calls a second one part may make while the others need none."""
        return self._part(self.activation_share + self.enforcement_share + self.bulk_share)

    def _part(self, percent: int) -> float:
        """Return a share of what the margin leaves, to the thousandth of a call."""
        return round((self.api_tps - self.api_margin) * percent / 100, 3)


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """All deployments of one fleet file, in its order."""

    deployments: tuple[Deployment, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Return the deployments' names."""
        return tuple(deployment.name for deployment in self.deployments)
