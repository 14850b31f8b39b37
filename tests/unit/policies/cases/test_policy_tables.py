"""The comparison of our tables with public ones: nothing is new, and what would be new is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.policy_tables import Entry, Table, from_cfn_lint, from_models, from_path, main, news


@pytest.mark.parametrize("table", [from_models, from_cfn_lint], ids=["service models", "authorization reference"])
def test_nothing_is_new_in_what_is_installed(table: object) -> None:
    """Otherwise AWS has something that our tables lack."""
    assert callable(table)
    found = table()
    assert len(found.entries) > 250
    assert list(news(found)) == []


@pytest.mark.parametrize(
    ("name", "entry", "words"),
    [
        ("iot:OrbitThing", Entry(), "iot:OrbitThing is in none of our tables"),
        ("iotjobsdata:orbit", Entry(), "iotjobsdata:orbit is in none"),
        ("iot:Connect", Entry(types=frozenset({"client", "thing"})), "iot:Connect is asked for thing too"),
        ("iot:Publish", Entry(keys=frozenset({"iot:Payload"})), "iot:Publish has the condition key iot:Payload"),
        ("iot:Publish", Entry(keys=frozenset({"iot:Topic"})), "iot:Publish has the condition key iot:Topic"),
        ("greengrass:discover", Entry(types=frozenset({"group"})), "greengrass:Discover is asked for greengrass too"),
    ],
)
def test_what_is_new_is_told(name: str, entry: Entry, words: str) -> None:
    """Actions, resource types and condition keys."""
    (found,) = news(Table("new", {name: entry}))
    assert words in found


def test_what_is_known_is_not_new() -> None:
    """In any case of letters, and a command's sender is no device."""
    known = {"iot:senddirectmessage": Entry(frozenset({"client"}), frozenset({"iot:Topic"}))}
    assert list(news(Table("known", {**known, "iotjobsdata:StartCommandExecution": Entry()}))) == []


def test_tables_of_other_packages_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file with privileges, or a folder with actions; neither readable is exit code 2."""
    types = {"client": {"condition_keys": []}, "": {"condition_keys": ["iot:New"]}}
    privileges = {"iot": {"privileges": {"Connect": {"resource_types": types}}}}
    empty: dict[str, Any] = {service: {"privileges": {}} for service in ("iotjobsdata", "greengrass")}
    file = tmp_path / "iam-definition.json"
    file.write_text(json.dumps({**privileges, **empty}), encoding="utf-8")
    assert list(news(from_path(file))) == ["iam-definition.json: iot:Connect has the condition key iot:New"]
    (tmp_path / "actions").mkdir()
    action = {"name": "Connect", "resourceTypes": [{"name": "client", "conditionKeys": []}], "conditionKeys": []}
    for service, actions in (("iot", {"connect": action}), ("iotjobsdata", {}), ("greengrass", {})):
        (tmp_path / "actions" / f"{service}.json").write_text(json.dumps(actions), encoding="utf-8")
    assert list(news(from_path(tmp_path))) == []
    assert main(["--table", str(tmp_path / "missing")]) == 2
    assert "cannot be read" in capsys.readouterr().err
