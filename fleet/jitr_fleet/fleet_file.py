"""Reads the fleet file: what is deployed where. Every mistake is found before anything else happens.

A mistake names the file, the key's path, what was found and what is allowed; all mistakes of a file come together.
Paths in the file are relative to it. Keys and their values are listed in keys.py.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jitr.settings import CaStatus, OnExistingThing, ThingNameSource
from jitr_fleet.ca_certificate import CaCertificate, CaCertificateError, read_ca_certificate
from jitr_fleet.crl_source import CrlSourceError, verify_crl_source
from jitr_fleet.deployment import CertificateAuthority, Deployment, Fleet, Registration, crl_bucket_name
from jitr_fleet.keys import CA_KEYS, DEPLOYMENT_KEYS, DEPLOYMENT_NAME, DEPLOYMENT_NAME_SHAPE
from jitr_fleet.mistakes import FleetFileError, Mistake, Mistakes
from jitr_fleet.policy_templates import read_policy_templates
from jitr_fleet.tables import did_you_mean, note_unknown_keys, read_table

_SHARES = ("activation_share", "enforcement_share", "bulk_share")
_WHOLE = 100
# How long one activation takes, with its three limited calls one after the other.
SECONDS_PER_ACTIVATION = 0.5


def read_fleet(file: Path, *, at: datetime | None = None) -> Fleet:
    """Read a fleet file and the files it names; raises FleetFileError with every mistake found.

    `at` is the time that CA certificates must not have expired at, now unless given.
    """
    document = _parse(file)
    mistakes = Mistakes(file)
    note_unknown_keys(document, ["deployments"], path="", mistakes=mistakes)
    tables = document.get("deployments", {})
    deployments: list[Deployment] = []
    if isinstance(tables, Mapping):
        for name, table in tables.items():
            reader = _DeploymentReader(name=name, folder=file.parent, mistakes=mistakes, at=at or datetime.now(UTC))
            if (deployment := reader.read(table)) is not None:
                deployments.append(deployment)
    else:
        mistakes.add("deployments", "found no table", "expected: [deployments.<name>]")
    if not tables:
        mistakes.add("deployments", "missing or empty", "expected: at least one [deployments.<name>]")
    _note_shared_cas(deployments, mistakes)
    mistakes.raise_any()
    return Fleet(deployments=tuple(deployments))


def concurrency_for(api_tps: int, activation_share: int) -> int:
    """Return how many activations may run at once without leaving their share (in percent) of the AWS IoT quota.

    Each activation makes one DescribeCertificate and one UpdateCertificate, the two calls with the lowest quota
    (10 a second by default), and takes about half a second. n at once make n / 0.5 s of each call a second, which
    has to stay within the share: n = api_tps · share · 0.5, so with 60 % 3 for 10 and 30 for 100.
    """
    return max(1, int(api_tps * activation_share * SECONDS_PER_ACTIVATION / _WHOLE))


def partition_of(region: str) -> str:
    """Return the AWS partition of a Region."""
    for prefix, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")):
        if region.startswith(prefix):
            return partition
    return "aws"


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problem, allowed = f"cannot be read: {error.strerror}", "expected: the fleet file; see fleet.toml"
    except UnicodeDecodeError as error:
        problem, allowed = f"is not UTF-8 (byte {error.start})", "expected: TOML in UTF-8"
    except tomllib.TOMLDecodeError as error:
        problem, allowed = f"is no TOML: {error}", "see https://toml.io"
    raise FleetFileError((Mistake(file=file, key="", found=problem, allowed=allowed),))


class _DeploymentReader:
    """Reads one deployment: its own keys, its policy templates, its CAs."""

    def __init__(self, *, name: str, folder: Path, mistakes: Mistakes, at: datetime) -> None:
        self.name = name
        self.path = f"deployments.{name}"
        self.folder = folder
        self.mistakes = mistakes
        self.at = at

    def read(self, table: object) -> Deployment | None:
        """Return the deployment, or None after a mistake."""
        before = len(self.mistakes)
        if not re.fullmatch(DEPLOYMENT_NAME, self.name):
            self.mistakes.add(self.path, f'the name "{self.name}"', f"expected: {DEPLOYMENT_NAME_SHAPE}")
        values = read_table(table, DEPLOYMENT_KEYS, path=self.path, mistakes=self.mistakes, subtables=("cas",))
        if not isinstance(table, Mapping):
            return None
        self._note_shares(values)
        policies = self._policies(values) if {"account", "region", "policies"} <= values.keys() else None
        cas = self._cas(table.get("cas", []), policies, values)
        if len(self.mistakes) > before:
            return None
        return self._deployment(values, policies or {}, cas)

    def _deployment(
        self, values: Mapping[str, Any], policies: Mapping[str, str], cas: list[CertificateAuthority]
    ) -> Deployment:
        return Deployment(
            name=self.name,
            account=values["account"],
            region=values["region"],
            crl_hosts=tuple(values["crl_hosts"]),
            crl_publishers=tuple(values["crl_publishers"]),
            alarm_email=values["alarm_email"],
            api_tps=values["api_tps"],
            activation_share=values["activation_share"],
            enforcement_share=values["enforcement_share"],
            bulk_share=values["bulk_share"],
            enforcement_minutes=values["enforcement_minutes"],
            reserved_concurrency=_reserved(
                values["reserved_concurrency"], values["api_tps"], values["activation_share"]
            ),
            log_retention_days=values["log_retention_days"],
            policies=policies,
            cas=tuple(cas),
        )

    def _note_shares(self, values: Mapping[str, Any]) -> None:
        """Note shares that promise more than there is."""
        if not all(name in values for name in _SHARES):
            return
        total = sum(values[name] for name in _SHARES)
        if total > _WHOLE:
            found = f"{' + '.join(_SHARES)} make {total} percent"
            self.mistakes.add(self.path, found, f"together they make {_WHOLE} at most; what is left stays for others")

    def _policies(self, values: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the templates, or None where some could not be read: then no CA's policy is called unknown."""
        before = len(self.mistakes)
        templates = read_policy_templates(
            self.folder / values["policies"],
            account=values["account"],
            region=values["region"],
            partition=partition_of(values["region"]),
            key=f"{self.path}.policies",
            mistakes=self.mistakes,
        )
        return templates if len(self.mistakes) == before else None

    def _cas(
        self, tables: object, policies: Mapping[str, str] | None, deployment: Mapping[str, Any]
    ) -> list[CertificateAuthority]:
        if not isinstance(tables, list):
            self.mistakes.add(f"{self.path}.cas", "found no list of tables", f"expected: [[{self.path}.cas]]")
            return []
        read = (
            self._ca(table, f"{self.path}.cas[{index}]", policies, deployment) for index, table in enumerate(tables)
        )
        cas = [ca for ca in read if ca is not None]
        self._note_duplicates(cas, tables)
        return cas

    def _ca(
        self, table: object, path: str, policies: Mapping[str, str] | None, deployment: Mapping[str, Any]
    ) -> CertificateAuthority | None:
        before = len(self.mistakes)
        values = read_table(table, CA_KEYS, path=path, mistakes=self.mistakes)
        certificate = self._certificate(values, path)
        if policies is not None and "policy" in values and values["policy"] not in policies:
            found = f'there is no policy template "{values["policy"]}"'
            self.mistakes.add(f"{path}.policy", found, did_you_mean(values["policy"], list(policies)))
        self._note_source(values, path, deployment)
        if len(self.mistakes) > before or certificate is None:
            return None
        return CertificateAuthority(
            name=values["name"],
            certificate=certificate.pem,
            ca_certificate_id=values["ca_certificate_id"] or certificate.fingerprint,
            registration=Registration(values["registration"]),
            status=CaStatus(values["status"]),
            crl=values["crl"],
            policy=values["policy"],
            thing_name=ThingNameSource(values["thing_name"]),
            on_existing_thing=OnExistingThing(values["on_existing_thing"]),
            crl_max_age_hours=values["crl_max_age_hours"],
        )

    def _note_source(self, values: Mapping[str, Any], path: str, deployment: Mapping[str, Any]) -> None:
        """Note a CRL source that the functions would not read, once it is clear where they may go."""
        if "crl" not in values or not {"account", "region", "crl_hosts"} <= deployment.keys():
            return
        bucket = crl_bucket_name(self.name, account=deployment["account"], region=deployment["region"])
        try:
            verify_crl_source(values["crl"], hosts=deployment["crl_hosts"], crl_bucket=bucket)
        except CrlSourceError as error:
            self.mistakes.add(f"{path}.crl", error.found, error.allowed)

    def _certificate(self, values: Mapping[str, Any], path: str) -> CaCertificate | None:
        """Read the CA's certificate; an expired one is right only for a CA that brings in no devices any more."""
        if "certificate" not in values:
            return None
        try:
            certificate = read_ca_certificate(self.folder / values["certificate"])
            if values.get("status") != CaStatus.RETIRED:
                certificate.verify_not_expired(at=self.at)
        except CaCertificateError as error:
            self.mistakes.add(f"{path}.certificate", error.found, error.allowed)
            return None
        return certificate

    def _note_duplicates(self, cas: list[CertificateAuthority], tables: list[object]) -> None:
        # Names are counted as written, so that a CA with another mistake counts too.
        names = Counter(table["name"] for table in tables if isinstance(table, Mapping) and "name" in table)
        for name in (name for name, count in names.items() if count > 1):
            self.mistakes.add(f"{self.path}.cas", f'{names[name]} CAs named "{name}"', "each needs a name of its own")
        for attribute in ("certificate", "ca_certificate_id"):
            first: dict[str, str] = {}
            for ca in cas:
                value = getattr(ca, attribute)
                if value in first and ca.name != first[value]:
                    found = f'"{first[value]}" and "{ca.name}" have the same {attribute}'
                    self.mistakes.add(f"{self.path}.cas", found, "each CA may be listed once in a deployment")
                    return
                first.setdefault(value, ca.name)


def _reserved(wanted: int | str, api_tps: int, activation_share: int) -> int | None:
    if wanted == "off":
        return None
    return wanted if isinstance(wanted, int) else concurrency_for(api_tps, activation_share)


def _note_shared_cas(deployments: list[Deployment], mistakes: Mistakes) -> None:
    """Note CAs that two deployments of one account and Region both manage: each event would be decided twice."""
    owners: dict[tuple[str, str, str], str] = {}
    for deployment in deployments:
        for ca in deployment.cas:
            place = (deployment.account, deployment.region, ca.ca_certificate_id)
            if place in owners and owners[place] != deployment.name:
                mistakes.add(
                    f"deployments.{deployment.name}.cas",
                    f'CA "{ca.name}" is managed by deployment "{owners[place]}" too',
                    "one deployment of an account and Region manages a CA",
                )
            owners.setdefault(place, deployment.name)
