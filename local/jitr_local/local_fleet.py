"""The fleet file of the local stack: one deployment, the checkout's policies, and the CAs somebody wants in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jitr_local.checkout import CHECKOUT
from jitr_local.emulator import ACCOUNT, REGION

DEPLOYMENT: Final = "local"
CRL_BUCKET: Final = f"jitr-{DEPLOYMENT}-crl-{ACCOUNT}-{REGION}"
# The emulator has no quota, and nobody wants to wait five minutes for what the schedule does.
_API_TPS: Final = 1000
_ENFORCEMENT_MINUTES: Final = 1


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


def write_fleet(folder: Path, cas: Sequence[LocalCa]) -> Path:
    """Write fleet.toml with its certificates and policies below `folder` and return its path."""
    certificates = folder / "cas"
    shutil.rmtree(certificates, ignore_errors=True)
    certificates.mkdir(parents=True)
    policies = folder / "policies"
    shutil.rmtree(policies, ignore_errors=True)
    shutil.copytree(CHECKOUT / "policies", policies)
    deployment: dict[str, str | int | list[str]] = {
        "account": ACCOUNT,
        "region": REGION,
        "api_tps": _API_TPS,
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
    fleet = folder / "fleet.toml"
    fleet.write_text("\n".join(blocks), encoding="utf-8")
    return fleet


def _table(header: str, values: Mapping[str, str | int | list[str]]) -> str:
    # JSON strings, integers and lists of strings are TOML too.
    return "\n".join([header, *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""])
