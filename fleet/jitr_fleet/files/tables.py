"""Checks one table of a fleet file against its keys: unknown and missing keys, kinds, choices, patterns."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from jitr_fleet.files.key import Key
from jitr_fleet.files.mistakes import Mistakes

_KINDS = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list of texts",
    dict: "a table of texts",
}


def read_table(
    table: object, keys: Iterable[Key], *, path: str, mistakes: Mistakes, subtables: Collection[str] = ()
) -> dict[str, Any]:
    """Return a value for every key that is given right or has a default; everything else is noted as a mistake.

    `subtables` are names that belong here too, but are read by somebody else. Not checked: what values mean.
    """
    keys = tuple(keys)
    if not isinstance(table, Mapping):
        mistakes.add(path, f"found {show(table)}", "a table is expected here")
        return {}
    note_unknown_keys(table, [*(key.name for key in keys), *subtables], path=path, mistakes=mistakes)
    values: dict[str, Any] = {}
    for key in keys:
        place = f"{path}.{key.name}"
        if key.name not in table:
            if key.required:
                mistakes.add(place, "missing", f"expected: {key.about}")
            else:
                values[key.name] = key.default
        elif key.keys and isinstance(table[key.name], Mapping):
            values[key.name] = read_table(table[key.name], key.keys, path=place, mistakes=mistakes)
        elif (problem := _problem(key, table[key.name])) is not None:
            mistakes.add(place, f"found {show(table[key.name])}", problem)
        else:
            values[key.name] = table[key.name]
    return values


def note_unknown_keys(table: Mapping[str, object], known: Collection[str], *, path: str, mistakes: Mistakes) -> None:
    """Note each key that is not known, with the one that was probably meant."""
    for name in table:
        if name not in known:
            place = f"{path}.{name}" if path else name
            mistakes.add(place, "unknown key", did_you_mean(name, known))


def did_you_mean(found: str, known: Collection[str]) -> str:
    """Return what is allowed instead of `found`, the nearest match first if one is near."""
    listed = "allowed: " + (", ".join(sorted(known)) or "nothing")
    near = difflib.get_close_matches(found, known, n=1)
    return f"did you mean {near[0]}? {listed}" if near else listed


def show(value: object) -> str:
    """Return a value as a person would write it, cut where it gets long; signs that nobody sees are numbers."""
    text = f'"{value}"' if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)
    return text if len(text) <= 80 else f"{text[:79]}…"  # noqa: PLR2004 - one line of a terminal


def _problem(key: Key, value: object) -> str | None:
    """Return what is allowed if the value is not, or None."""
    if any(value == choice and type(value) is type(choice) for choice in key.choices):
        return None
    if key.choices and not (key.minimum is not None and _is_kind(value, int)):
        return _choices(key, value)
    if not _is_kind(value, key.kind):
        return f"{_KINDS[key.kind]} is expected" + (f": {key.shape}" if key.shape else "")
    return _out_of_bounds(key, value)


def _is_kind(value: object, kind: type) -> bool:
    # To Python, true is a number too.
    if kind is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind is dict:
        return isinstance(value, Mapping) and all(isinstance(item, str) for item in value.values())
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, kind) and isinstance(value, bool) is (kind is bool)


def _choices(key: Key, value: object) -> str:
    choices = [str(choice) for choice in key.choices]
    words = "allowed: " + ", ".join(choices) + (f", or a number from {key.minimum} on" if key.minimum else "")
    near = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    return f'did you mean "{near[0]}"? {words}' if near else words


def _out_of_bounds(key: Key, value: Any) -> str | None:  # noqa: ANN401 - of the key's kind
    if key.minimum is not None and value < key.minimum:
        return f"at least {key.minimum} is expected"
    if key.maximum is not None and value > key.maximum:
        return f"at most {key.maximum} is expected"
    named = isinstance(value, Mapping)
    texts = value.values() if named else value if isinstance(value, list) else [value]
    fits = key.pattern is None or all(re.fullmatch(key.pattern, text) for text in texts)
    if fits and key.names is not None and named:
        fits = all(re.fullmatch(key.names, name) for name in value)
    return None if fits else f"expected: {key.shape}"
