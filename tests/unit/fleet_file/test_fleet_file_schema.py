"""The JSON Schema for editors says what reading the fleet file says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from jitr_fleet.files.key import Key
from jitr_fleet.files.mistakes import Mistakes
from jitr_fleet.files.tables import read_table
from jitr_fleet.fleet_file.ca_keys import CA_KEYS, PRIVATE_CA_KEYS
from jitr_fleet.fleet_file.deployment_keys import DEPLOYMENT_KEYS
from jitr_fleet.fleet_file.schema import schema_text

FILE = Path(__file__).parents[3] / "schemas" / "fleet.schema.json"
SCHEMA = json.loads(FILE.read_text(encoding="utf-8"))
DEPLOYMENT = SCHEMA["properties"]["deployments"]["additionalProperties"]
CA = DEPLOYMENT["properties"]["cas"]["items"]
PRIVATE_CA = CA["properties"]["private_ca"]["anyOf"][1]
TABLES = {"deployment": (DEPLOYMENT, DEPLOYMENT_KEYS), "CA": (CA, CA_KEYS), "private CA": (PRIVATE_CA, PRIVATE_CA_KEYS)}
EVERY_KEY = [(name, key) for name, (_, keys) in TABLES.items() for key in keys]
ROOT = {"type": "root", "common_name": "Factory 1"}
CANDIDATES: tuple[Any, ...] = (
    "111122223333", "eu-west-1", "direct", "queue", "auto", "off", "policies", "factory-1", "cas/a.pem", "ab" * 32,
    "SNI_ONLY", "existing", "DEFAULT", "ACTIVE", "INACTIVE", "retired", "none", "cdp", "s3://bucket/key", "s3://bucket",
    "https://crl.example.com/a.crl", "http://crl.example.com:8080/a?b=c", "https://crl.example.com:65536/a",
    "default", "cn", "serial", "certificate_id", "refuse", "replace", "a@example.com",
    "", "x y", "*", 0, 1, 10, 60, 61, 90, 91, 100, 101, -1, True, 1.5, [], ["crl.example.com"],
    ["crl.example.com:8080"], ["*"], [1],
    ["arn:aws:iam::111122223333:role/publisher"], ["arn:aws:iam::111122223333:role/*"],
    "activate", "observe", False, ["factory-1"], "lamp:2", ["lamps"], {}, {"model": "A1"}, {"model": ""},
    {"mo del": "A"}, {"model": 1}, ROOT, ROOT | {"type": "leaf"}, ROOT | {"parent": "x"}, ROOT | {"x": 1},
    {"type": "root"},
    "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/12345678-1234-1234-1234-123456789012",
    "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/*", "root", "subordinate", "EC_prime256v1",
    "RSA_1024", "COMPLETE", "PARTITIONED", "Example Inc.", "DE", "de", 7, 51, 5001,
)  # fmt: skip


def accepted_by_schema(schema: dict[str, Any], value: object) -> bool:
    """Say whether a value fits, for the few words of JSON Schema that ours uses."""
    if schema.get("type") == "object":
        return accepted_as_object(schema, value)
    if "anyOf" in schema:
        return any(accepted_by_schema(each, value) for each in schema["anyOf"])
    if "enum" in schema:
        return any(value == each and type(value) is type(each) for each in schema["enum"])
    if schema["type"] == "array":
        return isinstance(value, list) and all(accepted_by_schema(schema["items"], each) for each in value)
    return accepted_as_scalar(schema, value)


def accepted_as_scalar(schema: dict[str, Any], value: object) -> bool:
    """Say whether a text, number or truth value fits."""
    match schema["type"]:
        case "boolean":
            return isinstance(value, bool)
        case "string":
            return isinstance(value, str) and re.search(schema.get("pattern", ""), value) is not None
        case "integer":
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and schema.get("minimum", value) <= value <= schema.get("maximum", value)
        case "number":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and schema.get("minimum", value) <= value <= schema.get("maximum", value)
    raise ValueError(schema)


def accepted_as_object(schema: dict[str, Any], value: object) -> bool:
    """Say whether a table fits."""
    if not isinstance(value, dict) or not set(schema.get("required", ())) <= set(value):
        return False
    names = schema.get("propertyNames", {}).get("pattern", "")
    known, others = schema.get("properties", {}), schema["additionalProperties"]
    return all(
        re.search(names, name) is not None
        and (name in known or others is not False)
        and accepted_by_schema(known.get(name, others), each)
        for name, each in value.items()
    )


def test_the_file_is_what_the_code_makes() -> None:
    """`python -c 'from jitr_fleet.fleet_file.schema import schema_text; print(schema_text(), end="")'` writes it."""
    assert FILE.read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize(("table", "keys"), TABLES.values(), ids=TABLES)
def test_keys_and_required_keys_are_the_same(table: dict[str, Any], keys: tuple[Key, ...]) -> None:
    """No key more, none less, nothing unknown accepted."""
    assert set(table["properties"]) - {"cas"} == {key.name for key in keys}
    assert set(table["required"]) == {key.name for key in keys if key.required}
    assert table["additionalProperties"] is False


@pytest.mark.parametrize(("table", "key"), EVERY_KEY, ids=lambda each: each if isinstance(each, str) else each.name)
def test_editor_and_reader_accept_the_same_values(table: str, key: Key) -> None:
    """Value by value, right and wrong ones."""
    schema = TABLES[table][0]["properties"][key.name]
    for value in CANDIDATES:
        mistakes = Mistakes(Path("fleet.toml"))
        read_table({key.name: value}, [key], path="", mistakes=mistakes)
        assert accepted_by_schema(schema, value) is (len(mistakes) == 0), value


@pytest.mark.parametrize(("table", "key"), EVERY_KEY, ids=lambda each: each if isinstance(each, str) else each.name)
def test_every_default_is_itself_accepted(table: str, key: Key) -> None:
    """What is left out means something that could have been written."""
    if key.default is None:
        return
    mistakes = Mistakes(Path("fleet.toml"))
    default = key.kind(key.default) if key.kind in (list, dict) else key.default
    read_table({key.name: default}, [key], path="", mistakes=mistakes)
    assert len(mistakes) == 0
