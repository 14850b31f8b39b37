"""The JSON Schema of policy cases, for editors: made of the same keys that reading checks against."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from jitr_fleet.files.key import Key
from jitr_fleet.files.schema import table_schema
from jitr_fleet.policies.cases.keys import (
    CASE_KEYS,
    CERTIFICATE_KEYS,
    DEVICE_KEYS,
    DEVICE_NAME,
    EXCEPTION_KEYS,
    NAME_TABLES,
    ONE_OR_MANY,
    THING_KEYS,
)

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_ONE_OR_MANY_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]}


def cases_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12). It knows nothing of actions, of devices' names in cases, or other files."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "jitr policy cases",
        "type": "object",
        "required": ["cases"],
        "additionalProperties": False,
        "$defs": {"texts": _ONE_OR_MANY_TEXTS},
        "properties": {
            "devices": {
                "type": "object",
                "description": "what AWS IoT knows of the devices that ask, by name",
                "propertyNames": {"pattern": f"^{DEVICE_NAME}$"},
                "additionalProperties": _device(),
            },
            "cases": {
                "type": "array",
                "description": "questions to the policy, and the right answers",
                "minItems": 1,
                "items": _cases(CASE_KEYS),
            },
            "exceptions": {
                "type": "array",
                "description": "findings of jitr policy lint that were reviewed and may stay",
                "items": table_schema(EXCEPTION_KEYS),
            },
        },
    }


def cases_schema_text() -> str:
    """Return the schema as schemas/policy-cases.schema.json holds it."""
    return json.dumps(cases_schema(), indent=2) + "\n"


def _device() -> dict[str, Any]:
    device = table_schema(DEVICE_KEYS)
    thing = table_schema(THING_KEYS)
    thing["properties"]["attributes"] = {"description": "its attributes; an empty table: it has none", **_TEXTS}
    certificate = table_schema(CERTIFICATE_KEYS)
    for table, (prefix, names) in NAME_TABLES.items():
        certificate["properties"][table] = {
            "type": "object",
            "description": f"what fills ${{iot:Certificate.{prefix}.…}}; one text or several",
            "additionalProperties": False,
            "properties": {name: {"$ref": "#/$defs/texts"} for name in names},
        }
    device["properties"] |= {
        "thing": {"description": "its Thing; none where left out", **thing},
        "certificate": {"description": "its certificate", **certificate},
    }
    return device


def _cases(keys: Iterable[Key]) -> dict[str, Any]:
    schema = table_schema(keys)
    for name in ONE_OR_MANY:
        several = schema["properties"][name]
        about = several.pop("description")
        several["minItems"] = 1
        schema["properties"][name] = {"description": about, "anyOf": [several["items"], several]}
    return schema
