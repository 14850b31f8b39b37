"""Reads the fleet file: what is deployed where. Every mistake is found before anything else happens.

A mistake names the file, the key's path, what was found and what is allowed; all mistakes of a file come together.
Paths in the file are relative to it. Keys and their values are listed in deployment_keys.py and ca_keys.py; CAs
are read in ca_reader.py.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jitr_fleet.deployments.concurrency import _WHOLE, concurrency_for, queue_concurrency_for
from jitr_fleet.deployments.deployment import Deployment, Fleet, FleetCa
from jitr_fleet.deployments.names import DEPLOYMENT_NAME, DEPLOYMENT_NAME_SHAPE, partition_of
from jitr_fleet.deployments.organisation_rule import note_organisation
from jitr_fleet.deployments.region_rule import note_region
from jitr_fleet.files.key import fields_of
from jitr_fleet.files.mistakes import FleetFileError, Mistake, Mistakes
from jitr_fleet.files.tables import note_unknown_keys, read_table
from jitr_fleet.files.toml_lines import TomlLines
from jitr_fleet.fleet_file.ca_reader import CaReader
from jitr_fleet.fleet_file.deployment_keys import DEPLOYMENT_KEYS
from jitr_fleet.fleet_file.fleet_rules import note_fleet_mistakes
from jitr_fleet.policies.authoring.templates import note_policy_mistakes, read_policy_templates
from jitr_fleet.policies.evaluation.connecting import client_ids

_SHARES = ("activation_share", "enforcement_share", "bulk_share")


def read_fleet(file: Path, *, at: datetime | None = None, check_policies: bool = True) -> Fleet:
    """Read a fleet file and the files it names; raises FleetFileError with every mistake found.

    `at` is the time that CA certificates must not have expired at, now unless given. With `check_policies` off the
    templates are only read, for commands that say themselves what is wrong with them.
    """
    text, document = _parse(file)
    mistakes = Mistakes(file, line_of=TomlLines(text).line_of)
    note_unknown_keys(document, ["deployments"], path="", mistakes=mistakes)
    tables = document.get("deployments", {})
    deployments: list[Deployment] = []
    if isinstance(tables, Mapping):
        for name, table in tables.items():
            reader = _DeploymentReader(
                name=name,
                folder=file.parent,
                mistakes=mistakes,
                at=at or datetime.now(UTC),
                check_policies=check_policies,
            )
            if (deployment := reader.read(table)) is not None:
                deployments.append(deployment)
    else:
        mistakes.add("deployments", "found no table", "expected: [deployments.<name>]")
    if not tables:
        mistakes.add("deployments", "missing or empty", "expected: at least one [deployments.<name>]")
    note_fleet_mistakes(deployments, mistakes)
    mistakes.raise_any()
    return Fleet(deployments=tuple(deployments))


def _parse(file: Path) -> tuple[str, dict[str, Any]]:
    line = None
    try:
        text = file.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        problem, allowed = f"cannot be read: {error.strerror}", "expected: the fleet file; see fleet.toml"
    except UnicodeDecodeError as error:
        problem, allowed = f"is not UTF-8 (byte {error.start})", "expected: TOML in UTF-8"
    except tomllib.TOMLDecodeError as error:
        problem, allowed = f"is no TOML: {error}", "see https://toml.io"
        line = int(place[1]) if (place := re.search(r"at line ([0-9]+)", str(error))) else None
    raise FleetFileError((Mistake(file=file, key="", found=problem, allowed=allowed, line=line),))


class _DeploymentReader:
    """Reads one deployment: its own keys, its policy templates, its CAs."""

    def __init__(
        self, *, name: str, folder: Path, mistakes: Mistakes, at: datetime, check_policies: bool = True
    ) -> None:
        self.name = name
        self.path = f"deployments.{name}"
        self.folder = folder
        self.mistakes = mistakes
        self.at = at
        self.check_policies = check_policies

    def read(self, table: object) -> Deployment | None:
        """Return the deployment, or None after a mistake."""
        before = len(self.mistakes)
        if not re.fullmatch(DEPLOYMENT_NAME, self.name):
            self.mistakes.add(self.path, f'the name "{self.name}"', f"expected: {DEPLOYMENT_NAME_SHAPE}")
        values = read_table(table, DEPLOYMENT_KEYS, path=self.path, mistakes=self.mistakes, subtables=("cas",))
        if not isinstance(table, Mapping):
            return None
        self._note_shares(values)
        note_region(values, path=self.path, mistakes=self.mistakes)
        note_organisation(values, path=self.path, mistakes=self.mistakes)
        policies = self._policies(values) if {"account", "region", "policies"} <= values.keys() else None
        reader = CaReader(
            name=self.name,
            folder=self.folder,
            deployment=values,
            policies=policies,
            at=self.at,
            mistakes=self.mistakes,
        )
        cas = reader.read(table.get("cas", []))
        if self.check_policies and policies is not None:
            note_policy_mistakes(
                self.folder / values["policies"],
                policies,
                place=(values["account"], values["region"], partition_of(values["region"])),
                cas=cas,
                mistakes=self.mistakes,
            )
        if len(self.mistakes) > before:
            return None
        return self._deployment(values, policies or {}, cas)

    def _deployment(self, values: Mapping[str, Any], policies: Mapping[str, str], cas: list[FleetCa]) -> Deployment:
        quota = (values["api_tps"], values["activation_share"])
        lent = (values["api_tps"] - values["api_margin"]) * sum(values[name] for name in _SHARES) / _WHOLE
        return Deployment(
            **fields_of(DEPLOYMENT_KEYS, values),
            name=self.name,
            reserved_concurrency=_reserved(values["reserved_concurrency"], *quota),
            maximum_concurrency=_at_once(values["maximum_concurrency"], lent),
            policies=policies,
            connects={name: client_ids(template) for name, template in policies.items()},
            policies_folder=self.folder / values["policies"],
            cas=tuple(cas),
        )

    def _note_shares(self, values: Mapping[str, Any]) -> None:
        """Note shares that promise more than there is."""
        if not all(name in values for name in _SHARES):
            return
        if "api_tps" in values and values.get("api_margin", 0) >= values["api_tps"]:
            found = f"api_margin leaves nothing of api_tps = {values['api_tps']}"
            self.mistakes.add(self.path, found, "a margin below api_tps is expected")
        total = sum(values[name] for name in _SHARES)
        if total > _WHOLE:
            found = f"{' + '.join(_SHARES)} make {total} percent"
            self.mistakes.add(self.path, found, f"together they make {_WHOLE} at most; what is left stays for others")

    def _policies(self, values: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the templates, or None where some could not be read: then no CA's policy is called unknown."""
        before = len(self.mistakes)
        folder = self.folder / values["policies"]
        templates = read_policy_templates(folder, key=f"{self.path}.policies", mistakes=self.mistakes)
        return templates if len(self.mistakes) == before else None


def _at_once(wanted: int | str, lent: float) -> int:
    return wanted if isinstance(wanted, int) else queue_concurrency_for(lent)


def _reserved(wanted: int | str, api_tps: int, activation_share: int) -> int | None:
    if wanted == "off":
        return None
    return wanted if isinstance(wanted, int) else concurrency_for(api_tps, activation_share)
