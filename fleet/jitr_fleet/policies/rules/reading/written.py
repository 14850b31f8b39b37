"""A policy as it is written: each text with the place where it stands, and nothing refused.

`jitr.policies.document` is the policy as AWS means it; this is what findings point to. What has the wrong type is left
out here: the grammar's rules report it, and the other rules go on with the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jitr.policies.document import Effect
from jitr_fleet.files.json_positions import escape


@dataclass(frozen=True)
class Text:
    """A text of a policy and its JSON Pointer; `is_key` where it is the key of a member."""

    pointer: str
    text: str
    is_key: bool = False


@dataclass(frozen=True)
class WrittenCondition:
    """One key of one operator, with its values."""

    pointer: str
    operator: str
    key: str
    values: tuple[Text, ...]


@dataclass(frozen=True)
class WrittenStatement:
    """One statement; `effect` is None where there is no usable one."""

    pointer: str
    effect: Effect | None
    actions: tuple[Text, ...]
    resources: tuple[Text, ...]
    conditions: tuple[WrittenCondition, ...]

    @property
    def allows(self) -> bool:
        """Whether this is an Allow."""
        return self.effect is Effect.ALLOW

    @property
    def denies(self) -> bool:
        """Whether this is a Deny."""
        return self.effect is Effect.DENY


def written_statements(value: object) -> tuple[WrittenStatement, ...]:
    """Return the statements of a JSON value, as far as it has any."""
    if not isinstance(value, Mapping):
        return ()
    found = _listed(value.get("Statement"), "/Statement")
    return tuple(_statement(each, pointer) for pointer, each in found if isinstance(each, Mapping))


def all_texts(value: object, pointer: str = "") -> Iterator[Text]:
    """Yield every text in a JSON value, keys too, with its place."""
    if isinstance(value, str):
        yield Text(pointer, value)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from all_texts(item, f"{pointer}/{index}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            place = f"{pointer}/{escape(key)}"
            yield Text(place, key, is_key=True)
            yield from all_texts(item, place)


def _statement(value: Mapping[str, object], pointer: str) -> WrittenStatement:
    effect = value.get("Effect")
    return WrittenStatement(
        pointer=pointer,
        effect=next((each for each in Effect if each == effect), None),
        actions=_texts(value.get("Action"), f"{pointer}/Action"),
        resources=_texts(value.get("Resource"), f"{pointer}/Resource"),
        conditions=tuple(_conditions(value.get("Condition"), f"{pointer}/Condition")),
    )


def _conditions(value: object, pointer: str) -> Iterator[WrittenCondition]:
    for operator, keys in value.items() if isinstance(value, Mapping) else ():
        for key, values in keys.items() if isinstance(keys, Mapping) else ():
            place = f"{pointer}/{escape(operator)}/{escape(key)}"
            # JSON's own numbers, true and false mean what they say in quotes.
            texts = tuple(
                Text(each, item if isinstance(item, str) else json.dumps(item)) for each, item in _listed(values, place)
            )
            yield WrittenCondition(place, operator, key, texts)


def _texts(value: object, pointer: str) -> tuple[Text, ...]:
    return tuple(Text(place, each) for place, each in _listed(value, pointer) if isinstance(each, str))


def _listed(value: object, pointer: str) -> list[tuple[str, object]]:
    """Return the items of a list with their places, or the one value that stands instead of a list."""
    if isinstance(value, list):
        return [(f"{pointer}/{index}", item) for index, item in enumerate(value)]
    return [] if value is None else [(pointer, value)]
