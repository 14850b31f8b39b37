"""The fleet file of the local stack: one deployment, its policies (the checkout's, unless told), and the CAs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jitr_fleet.deployments.deployment import Deployment, Ingestion, Registration
from jitr_local.checkout import CHECKOUT
from jitr_local.stack.emulator import ACCOUNT, REGION

DEPLOYMENT: Final = "local"
FLEET_FILE: Final = "fleet.toml"
POLICIES: Final = CHECKOUT / "policies"
# Templates that only this computer's deployment has: they let devices do what no real fleet's should.
OWN_POLICIES: Final = CHECKOUT / "local" / "policies"
CRL_BUCKET: Final = f"jitr-{DEPLOYMENT}-crl-{ACCOUNT}-{REGION}"
# The emulator has no quota, and nobody wants to wait five minutes for what the schedule does.
_API_TPS: Final = 1000
_ENFORCEMENT_MINUTES: Final = 1
# Each is a process of its own here.
_BATCHES_AT_ONCE: Final = 2


@dataclass(frozen=True, kw_only=True)
class LocalCa:
    """One CA of the local fleet file: `certificate` is PEM text, `crl_key` its CRL's key in the stack's bucket.

    `source` is a CRL source to name instead of that key; the host of an HTTP one is allowed.
    """

    name: str
    certificate: str
    crl_key: str
    registration: str = "SNI_ONLY"
    status: str = "ACTIVE"
    source: str | None = None

    @property
    def crl(self) -> str:
        """Return the CRL source."""
        return self.source or f"s3://{CRL_BUCKET}/{self.crl_key}"

    @property
    def crl_host(self) -> str | None:
        """Return the host of an HTTP source, None for any other."""
        parts = urlsplit(self.crl)
        return parts.netloc if parts.scheme in ("http", "https") else None


@dataclass(frozen=True, kw_only=True)
class OwnFleet:
    """A deployment of somebody's own fleet file, to be deployed here as it is, but for what `moved_here` changes."""

    file: Path
    deployment: str


def moved_here(deployment: Deployment) -> Deployment:
    """Return a deployment of the world as one of this computer's: same name, CAs, policies and ways to work.

    Account and Region are the emulator's, and so is the stack's CRL bucket. What only a real account has is left out:
    keys, boundary, network, tags' owners, publishers, addresses of people, and CAs whose certificate no file holds.
    Every other CA is registered by the deploy, in SNI_ONLY mode, because nobody has registered it here before.
    """
    moved = replace(
        deployment,
        account=ACCOUNT,
        region=REGION,
        alarm_email=None,
        crl_publishers=(),
        kms_key=None,
        crl_kms_keys=(),
        iot_kms_key=None,
        permissions_boundary=None,
        vpc_subnets=(),
        vpc_security_groups=(),
    )
    before, now = f"s3://{deployment.crl_bucket}/", f"s3://{moved.crl_bucket}/"
    cas = tuple(
        replace(
            ca,
            crl=now + ca.crl.removeprefix(before) if ca.crl.startswith(before) else ca.crl,
            registration=Registration.SNI_ONLY,
            verification_certificate=None,
            private_ca=None,
        )
        for ca in deployment.cas
        if not ca.known_at_deploy
    )
    return replace(moved, cas=cas)


def write_fleet(
    folder: Path, cas: Sequence[LocalCa], policies: Path = POLICIES, ingestion: Ingestion = Ingestion.DIRECT
) -> Path:
    """Write fleet.toml with its certificates below `folder` and return its path.

    Its policies are copies of `policies` and of the local stack's own.
    """
    certificates = folder / "cas"
    shutil.rmtree(certificates, ignore_errors=True)
    certificates.mkdir(parents=True)
    copied = folder / "policies"
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(policies, copied)
    shutil.copytree(OWN_POLICIES, copied, dirs_exist_ok=True)
    deployment: dict[str, str | int | list[str]] = {
        "account": ACCOUNT,
        "region": REGION,
        "ingestion": ingestion.value,
        "api_tps": _API_TPS,
        "maximum_concurrency": _BATCHES_AT_ONCE,
        "enforcement_minutes": _ENFORCEMENT_MINUTES,
        "crl_hosts": sorted({ca.crl_host for ca in cas if ca.crl_host is not None}),
    }
    blocks = [_table(f"[deployments.{DEPLOYMENT}]", deployment)]
    for ca in cas:
        (certificates / f"{ca.name}.pem").write_text(ca.certificate, encoding="ascii")
        values = {
            "name": ca.name,
            "certificate": f"cas/{ca.name}.pem",
            "registration": ca.registration,
            "status": ca.status,
            "crl": ca.crl,
        }
        blocks.append(_table(f"[[deployments.{DEPLOYMENT}.cas]]", values))
    fleet = folder / FLEET_FILE
    fleet.write_text("\n".join(blocks), encoding="utf-8")
    return fleet


def _table(header: str, values: Mapping[str, str | int | list[str]]) -> str:
    # JSON strings, integers and lists of strings are TOML too.
    return "\n".join([header, *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""])
