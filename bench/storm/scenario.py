"""What is let loose on what: how many devices, how they arrive, which function, in which mode, with which quotas."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bench.storm.functions import BUCKET
from bench.storm.quotas import AWS_DEFAULTS
from jitr.settings import CaStatus, OnExistingThing, ThingNameSource
from jitr_fleet.deployments.deployment import Deployment, FleetCa, Registration
from jitr_local import pki
from tests.aws.fake_iot import ACCOUNT, REGION
from tests.worlds.deployment import POLICY

# What one activation calls under a quota of 10 to 15 a second, once each.
ACTIVATION_CALLS = ("DescribeCertificate", "AttachPolicy", "UpdateCertificate")


class Who(StrEnum):
    """Whose function decides."""

    JITR = "jitr"
    USUAL = "the usual handler"


class Mode(StrEnum):
    """How events reach it."""

    DIRECT = "direct"
    QUEUE = "queue"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One storm.

    `over_seconds` is the time in which all devices connect first, `others` how many calls a second of each API somebody
    else in the account makes all the time, `knocks` how often a device tries before it gives up (None: never);
    `revoking` is how many devices enforcement switches off meanwhile.
    """

    devices: int
    mode: Mode = Mode.QUEUE
    who: Who = Who.JITR
    over_seconds: float = 1.0
    others: float = 0.0
    knocks: int | None = None
    seed: int = 1
    longest_seconds: float = 86400.0
    revoking: int = 0

    @property
    def quota_bound(self) -> float:
        """Return how many devices a second the whole quota allows: one call of each kind for each device."""
        return min(AWS_DEFAULTS[name] for name in ACTIVATION_CALLS)

    def deployment(self, *cas: pki.CertificateAuthority) -> Deployment:
        """Return what the fleet file would say, everything but the quota left at its default."""
        return Deployment(
            name="storm",
            account=ACCOUNT,
            region=REGION,
            api_tps=round(self.quota_bound),
            policies={"default": POLICY},
            cas=tuple(_managed(number, ca) for number, ca in enumerate(cas, start=1)),
        )


def crl_key(number: int) -> str:
    """Return where the CRL of a CA is in the bucket; the first is number 1."""
    return f"factory-{number}.crl"


def _managed(number: int, ca: pki.CertificateAuthority) -> FleetCa:
    return FleetCa(
        name=f"factory-{number}",
        certificate=pki.pem(ca.certificate),
        ca_certificate_id=ca.ca_certificate_id,
        registration=Registration.SNI_ONLY,
        status=CaStatus.ACTIVE,
        crl=f"s3://{BUCKET}/{crl_key(number)}",
        policy="default",
        thing_name=ThingNameSource.CN,
        on_existing_thing=OnExistingThing.REFUSE,
    )
