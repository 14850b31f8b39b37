"""Reads the CAs of one deployment in the fleet file: their tables, and the certificates that these name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jitr.settings import CaStatus, Mode, ThingNameSource
from jitr_fleet.deployments.deployment import (
    CrlKind,
    FleetCa,
    NewPrivateCa,
    PrivateCaType,
    crl_bucket_name,
)
from jitr_fleet.files.key import fields_of
from jitr_fleet.files.mistakes import Mistakes
from jitr_fleet.files.tables import did_you_mean, read_table
from jitr_fleet.fleet_file.ca_keys import CA_KEYS
from jitr_fleet.fleet_file.ca_rules import note_private_ca, note_registration, note_things
from jitr_fleet.fleet_file.crl_source import CrlSourceError, verify_crl_source, whole_source
from jitr_fleet.fleet_file.sample_device import read_sample_device
from jitr_fleet.fleet_file.verification_file import read_verification_certificate
from jitr_fleet.issuing.ca_certificate import CaCertificate, CaCertificateError, read_ca_certificate

_SUBJECT = {
    "Country": "country",
    "Organization": "organization",
    "OrganizationalUnit": "organizational_unit",
    "CommonName": "common_name",
}


@dataclass(frozen=True, kw_only=True)
class CaReader:
    """Reads `[[deployments.<name>.cas]]`; `deployment` are the deployment's own keys, as far as they are right.

    `policies` are its templates by name, None where they could not be read: then no CA's policy is called unknown.
    """

    name: str
    folder: Path
    deployment: Mapping[str, Any]
    policies: Mapping[str, str] | None
    at: datetime
    mistakes: Mistakes

    @property
    def path(self) -> str:
        """Return the path of the list of CAs."""
        return f"deployments.{self.name}.cas"

    def read(self, tables: object) -> list[FleetCa]:
        """Return the CAs that are right; everything else is noted as a mistake."""
        if not isinstance(tables, list):
            self.mistakes.add(self.path, "found no list of tables", f"expected: [[{self.path}]]")
            return []
        read = (self._ca(table, f"{self.path}[{index}]") for index, table in enumerate(tables))
        cas = [ca for ca in read if ca is not None]
        self._note_duplicates(cas, tables)
        return cas

    def _ca(self, table: object, path: str) -> FleetCa | None:
        before = len(self.mistakes)
        values = read_table(table, CA_KEYS, path=path, mistakes=self.mistakes)
        certificate = self._certificate(values, path)
        if self.policies is not None and "policy" in values and values["policy"] not in self.policies:
            found = f'there is no policy template "{values["policy"]}"'
            self.mistakes.add(f"{path}.policy", found, did_you_mean(values["policy"], list(self.policies)))
        self._read_source(values, path)
        region, observes = self.deployment.get("region"), self.deployment.get("mode") == Mode.OBSERVE
        note_private_ca(values, path=path, region=region, mistakes=self.mistakes)
        note_registration(values, path=path, observes=observes, mistakes=self.mistakes)
        note_things(values, path=path, mistakes=self.mistakes)
        verification = self._verification(values, certificate, path)
        sample = self._sample(values, certificate, path)
        if len(self.mistakes) > before:
            return None
        return _authority(values, certificate, verification, sample)

    def _read_source(self, values: dict[str, Any], path: str) -> None:
        """Write a CRL source out, and note one that the functions would not read, once it is clear where they may go.

        Without account and Region nothing is read after this, because the deployment has a mistake then.
        """
        if values.get("crl") is None or not {"account", "region", "crl_hosts"} <= self.deployment.keys():
            return
        bucket = crl_bucket_name(self.name, account=self.deployment["account"], region=self.deployment["region"])
        values["crl"] = whole_source(values["crl"], crl_bucket=bucket)
        try:
            verify_crl_source(values["crl"], hosts=self.deployment["crl_hosts"], crl_bucket=bucket)
        except CrlSourceError as error:
            self.mistakes.add(f"{path}.crl", error.found, error.allowed)

    def _certificate(self, values: Mapping[str, Any], path: str) -> CaCertificate | None:
        """Read the CA's certificate; an expired one is right only for a CA that brings in no devices any more."""
        if values.get("certificate") is None:
            return None
        try:
            certificate = read_ca_certificate(self.folder / values["certificate"])
            certificate.verify_signs()
            certificate.verify_begun(at=self.at)
            if values.get("status") != CaStatus.RETIRED:
                certificate.verify_not_expired(at=self.at)
        except CaCertificateError as error:
            self.mistakes.add(f"{path}.certificate", error.found, error.allowed)
            return None
        return certificate

    def _verification(self, values: Mapping[str, Any], ca: CaCertificate | None, path: str) -> str | None:
        """Read the verification certificate; without the CA's own there is nothing to check it against."""
        file = values.get("verification_certificate")
        if file is None or ca is None:
            return None
        try:
            return read_verification_certificate(self.folder / file, ca=ca.pem, at=self.at)
        except CaCertificateError as error:
            self.mistakes.add(f"{path}.verification_certificate", error.found, error.allowed)
            return None

    def _sample(self, values: Mapping[str, Any], ca: CaCertificate | None, path: str) -> str | None:
        """Read the certificate of a device that the CA has to have signed."""
        file = values.get("device")
        if file is None or ca is None or "thing_name" not in values:
            return None
        try:
            return read_sample_device(self.folder / file, ca=ca.pem, thing_name=ThingNameSource(values["thing_name"]))
        except CaCertificateError as error:
            self.mistakes.add(f"{path}.device", error.found, error.allowed)
            return None

    def _note_duplicates(self, cas: list[FleetCa], tables: list[object]) -> None:
        # Names are counted as written, so that a CA with another mistake counts too.
        names = Counter(table["name"] for table in tables if isinstance(table, Mapping) and "name" in table)
        for name in (name for name, count in names.items() if count > 1):
            self.mistakes.add(self.path, f'{names[name]} CAs named "{name}"', "each needs a name of its own")
        self._note_renamed(cas)
        for attribute in ("certificate", "ca_certificate_id", "private_ca"):
            first: dict[str, str] = {}
            for ca in cas:
                value = getattr(ca, attribute)
                if not value or not isinstance(value, str):
                    continue
                if value in first and ca.name != first[value]:
                    found = f'"{first[value]}" and "{ca.name}" have the same {attribute}'
                    self.mistakes.add(self.path, found, "each CA may be listed once in a deployment")
                    return
                first.setdefault(value, ca.name)

    def _note_renamed(self, cas: list[FleetCa]) -> None:
        """Note a former name that two CAs would have in the stack, or that renames nothing."""
        for ca in cas:
            if ca.formerly == ca.name:
                self.mistakes.add(self.path, f'CA "{ca.name}" was formerly "{ca.formerly}"', "leave `formerly` out")
        for name, count in Counter(ca.deployed_as for ca in cas).items():
            one = next((ca.name for ca in cas if ca.deployed_as == name and ca.formerly), None)
            if count > 1 and one is not None:
                self.mistakes.add(
                    self.path,
                    f'CA "{one}" was formerly "{name}", and so is or was another',
                    "a former name stays the renamed CA's; give the other one a name that no CA had",
                )


def _authority(
    values: Mapping[str, Any], certificate: CaCertificate | None, verification: str | None, sample: str | None
) -> FleetCa:
    private_ca = values["private_ca"]
    created = _new_private_ca(private_ca) if isinstance(private_ca, Mapping) else None
    # Of a complete CRL the deploy knows the key; a partitioned one is several, which the certificates name.
    crl = values["crl"] or ("cdp" if created is not None and created.crl is CrlKind.PARTITIONED else "")
    return FleetCa(
        **fields_of(CA_KEYS, values),
        certificate="" if certificate is None else certificate.pem,
        ca_certificate_id=values["ca_certificate_id"] or ("" if certificate is None else certificate.fingerprint),
        crl=crl,
        private_ca=created or private_ca,
        verification_certificate=verification,
        sample_device=sample,
    )


def _new_private_ca(values: Mapping[str, Any]) -> NewPrivateCa:
    return NewPrivateCa(
        kind=PrivateCaType(values["type"]),
        parent=values["parent"],
        subject={field: values[key] for field, key in _SUBJECT.items() if values[key] is not None},
        key_algorithm=values["key_algorithm"],
        validity_years=values["validity_years"],
        crl=CrlKind(values["crl"]),
        crl_days=values["crl_days"],
    )
