"""JSON Schemas for the files that people write, made from their keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jitr_fleet.files.key import Key

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def table_schema(keys: Iterable[Key]) -> dict[str, Any]:
    """Return the schema of one table with these keys."""
    keys = tuple(keys)
    return {
        "type": "object",
        "required": [key.name for key in keys if key.required],
        "additionalProperties": False,
        "properties": {key.name: _property(key) for key in keys},
    }


def _property(key: Key) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": key.about}
    if key.default is not None:
        schema["default"] = key.kind(key.default) if key.kind in (list, dict) else key.default
    if key.choices and key.minimum is not None:
        return {**schema, "anyOf": [{"enum": list(key.choices)}, {"type": "integer", **_bounds(key)}]}
    if key.choices:
        return {**schema, "enum": list(key.choices)}
    text: dict[str, Any] = {"type": _TYPES.get(key.kind, "string")}
    if key.pattern is not None:
        text["pattern"] = f"^({key.pattern})$"
    text |= _bounds(key)
    if key.kind is list:
        return {**schema, "type": "array", "items": text}
    if key.kind is dict:
        names = {} if key.names is None else {"propertyNames": {"pattern": f"^({key.names})$"}}
        return {**schema, "type": "object", **names, "additionalProperties": text}
    if key.keys:
        return {**schema, "anyOf": [text, table_schema(key.keys)]}
    return {**schema, **text}


def _bounds(key: Key) -> dict[str, int]:
    bounds = {"minimum": key.minimum, "maximum": key.maximum}
    return {name: bound for name, bound in bounds.items() if bound is not None}
