"""The JSON Schema for editors says what reading the fleet file says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from jitr_fleet.keys import CA_KEYS, DEPLOYMENT_KEYS, Key
from jitr_fleet.mistakes import Mistakes
from jitr_fleet.schema import schema_text
from jitr_fleet.tables import read_table

FILE = Path(__file__).parents[2] / "schemas" / "fleet.schema.json"
SCHEMA = json.loads(FILE.read_text(encoding="utf-8"))
DEPLOYMENT = SCHEMA["properties"]["deployments"]["additionalProperties"]
CA = DEPLOYMENT["properties"]["cas"]["items"]
CANDIDATES: tuple[Any, ...] = (
    "111122223333", "eu-west-1", "direct", "queue", "auto", "off", "policies", "factory-1", "cas/a.pem", "ab" * 32,
    "SNI_ONLY", "existing", "DEFAULT", "ACTIVE", "INACTIVE", "retired", "none", "cdp", "s3://bucket/key", "s3://bucket",
    "https://crl.example.com/a.crl", "http://crl.example.com:8080/a?b=c", "https://crl.example.com:65536/a",
    "default", "cn", "serial", "certificate_id", "refuse", "replace", "a@example.com",
    "", "x y", "*", 0, 1, 10, 60, 61, 90, 91, 100, 101, -1, True, 1.5, [], ["crl.example.com"],
    ["crl.example.com:8080"], ["*"], [1],
    ["arn:aws:iam::111122223333:role/publisher"], ["arn:aws:iam::111122223333:role/*"],
)  # fmt: skip


def accepted_by_schema(schema: dict[str, Any], value: object) -> bool:
    """Say whether a value fits, for the few words of JSON Schema that ours uses."""
    if "anyOf" in schema:
        return any(accepted_by_schema(each, value) for each in schema["anyOf"])
    if "enum" in schema:
        return any(value == each and type(value) is type(each) for each in schema["enum"])
    match schema["type"]:
        case "string":
            return isinstance(value, str) and re.search(schema.get("pattern", ""), value) is not None
        case "integer":
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and schema.get("minimum", value) <= value <= schema.get("maximum", value)
        case "array":
            return isinstance(value, list) and all(accepted_by_schema(schema["items"], each) for each in value)
    raise ValueError(schema)


def test_the_file_is_what_the_code_makes() -> None:
    """`python -c 'from jitr_fleet.schema import schema_text; print(schema_text(), end="")'` writes it."""
    assert FILE.read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize(("table", "keys"), [(DEPLOYMENT, DEPLOYMENT_KEYS), (CA, CA_KEYS)], ids=["deployment", "CA"])
def test_keys_and_required_keys_are_the_same(table: dict[str, Any], keys: tuple[Key, ...]) -> None:
    """No key more, none less, nothing unknown accepted."""
    assert set(table["properties"]) - {"cas"} == {key.name for key in keys}
    assert set(table["required"]) == {key.name for key in keys if key.required}
    assert table["additionalProperties"] is False


@pytest.mark.parametrize("key", [*DEPLOYMENT_KEYS, *CA_KEYS], ids=lambda key: key.name)
def test_editor_and_reader_accept_the_same_values(key: Key) -> None:
    """Value by value, right and wrong ones."""
    schema = {**DEPLOYMENT["properties"], **CA["properties"]}[key.name]
    for value in CANDIDATES:
        mistakes = Mistakes(Path("fleet.toml"))
        read_table({key.name: value}, [key], path="", mistakes=mistakes)
        assert accepted_by_schema(schema, value) is (len(mistakes) == 0), value


@pytest.mark.parametrize("key", [*DEPLOYMENT_KEYS, *CA_KEYS], ids=lambda key: key.name)
def test_every_default_is_itself_accepted(key: Key) -> None:
    """What is left out means something that could have been written."""
    if key.default is None:
        return
    mistakes = Mistakes(Path("fleet.toml"))
    default = list(key.default) if key.kind is list else key.default
    read_table({key.name: default}, [key], path="", mistakes=mistakes)
    assert len(mistakes) == 0
