"""The JSON Schema for editors says what reading policy cases says."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from jitr_fleet.files.key import Key
from jitr_fleet.files.mistakes import Mistakes
from jitr_fleet.files.tables import read_table
from jitr_fleet.policies.cases.keys import (
    CASE_KEYS,
    CERTIFICATE_KEYS,
    DEVICE_KEYS,
    NAME_TABLES,
    ONE_OR_MANY,
    THING_KEYS,
)
from jitr_fleet.policies.cases.schema import cases_schema_text

ROOT = Path(__file__).parents[4]
FILE = ROOT / "schemas" / "policy-cases.schema.json"
SCHEMA = json.loads(FILE.read_text(encoding="utf-8"))
CASE = SCHEMA["properties"]["cases"]["items"]
DEVICE = SCHEMA["properties"]["devices"]["additionalProperties"]
THING, CERTIFICATE = (DEVICE["properties"][name] for name in ("thing", "certificate"))
TABLES = [
    (CASE, CASE_KEYS, set()),
    (DEVICE, DEVICE_KEYS, {"thing", "certificate"}),
    (THING, THING_KEYS, {"attributes"}),
    (CERTIFICATE, CERTIFICATE_KEYS, set(NAME_TABLES)),
]
TYPES = {"string": str, "boolean": bool, "array": list, "object": dict}
CANDIDATES: tuple[Any, ...] = (
    "sensor-1", "iot:Publish", "iot:*", "topic/a", "allowed", "explicit_deny", "203.0.113.7", "2001:db8::1", "mqtt",
    "http", "ab" * 32, "0a", "d.pem", "", " ", True, False, 1, ["sensor-1"], ["iot:Publish"], [1], [""], "a" * 129,
)  # fmt: skip


def fits(schema: dict[str, Any], value: Any) -> bool:
    """Say whether a value fits, for the words of JSON Schema that ours uses."""
    if "$ref" in schema:
        return fits(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], value)
    if "anyOf" in schema:
        return any(fits(each, value) for each in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    if not isinstance(value, TYPES[schema["type"]]):
        return False
    match value:
        case str():
            inner = re.search(schema.get("pattern", ""), value) is not None
        case list():
            inner = len(value) >= schema.get("minItems", 0) and all(fits(schema["items"], v) for v in value)
        case dict():
            inner = _fits_table(schema, value)
        case _:
            inner = True
    return inner


def _fits_table(schema: dict[str, Any], table: dict[str, Any]) -> bool:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    return set(schema.get("required", ())) <= table.keys() and all(
        fits(known.get(name) or others, value) if known.get(name) or others else False for name, value in table.items()
    )


def test_the_file_is_what_the_code_makes() -> None:
    """`python -c 'from jitr_fleet.policies.cases.schema import cases_schema_text as text; print(text(), end="")'`."""
    assert FILE.read_text(encoding="utf-8") == cases_schema_text()


@pytest.mark.parametrize(("table", "keys", "tables"), TABLES, ids=["case", "device", "Thing", "certificate"])
def test_keys_and_required_keys_are_the_same(table: dict[str, Any], keys: tuple[Key, ...], tables: set[str]) -> None:
    """No key more, none less, nothing unknown accepted."""
    assert set(table["properties"]) == {key.name for key in keys} | tables
    assert set(table["required"]) == {key.name for key in keys if key.required}
    assert table["additionalProperties"] is False


@pytest.mark.parametrize(
    ("table", "key"),
    [(table, key) for table, keys, _ in TABLES for key in keys],
    ids=lambda value: value.name if isinstance(value, Key) else "",
)
def test_editor_and_reader_accept_the_same_values(table: dict[str, Any], key: Key) -> None:
    """Value by value, right and wrong ones; one text stands for a list of one where several may be named."""
    for value in CANDIDATES:
        mistakes = Mistakes(Path("own.cases.toml"))
        listed = [value] if key.name in ONE_OR_MANY and isinstance(value, str) else value
        read_table({key.name: listed}, [key], path="", mistakes=mistakes)
        assert fits(table["properties"][key.name], value) is (len(mistakes) == 0), value


def test_the_shipped_cases_fit_the_schema() -> None:
    """And a misspelt key in them does not."""
    text = (ROOT / "policies" / "default.cases.toml").read_text(encoding="utf-8")
    assert fits(SCHEMA, tomllib.loads(text))
    assert not fits(SCHEMA, tomllib.loads(text.replace("client_id", "clientid")))
    assert text.startswith("#:schema ../schemas/policy-cases.schema.json\n")
