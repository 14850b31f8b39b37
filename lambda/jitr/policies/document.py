"""An AWS IoT policy document as data: statements with their lists as tuples, and the wildcards that its texts hold.

What AWS writes as one-or-many (`Action`, `Resource`, the values of a condition) is always a tuple here, so that nobody
else has to ask. Positions in a file are not kept: `Statement.pointer` leads back to them.
Source of the grammar: IAM's policy grammar, which AWS IoT follows (developer guide, "AWS IoT Core policies").
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from jitr.policies.values import PolicyError

# Without Version IAM reads a policy as of 2008: there `${…}` is plain text, not a variable.
VERSIONS = ("2008-10-17", "2012-10-17")
VERSION_WITH_VARIABLES = "2012-10-17"
_DOCUMENT_KEYS = ("Version", "Id", "Statement")
_STATEMENT_KEYS = ("Sid", "Effect", "Action", "Resource", "Condition")
_LONGEST_SHOWN = 60
_REFUSED = {
    "NotAction": "NotAction means every action but those, whatever AWS IoT adds later; list the actions",
    "NotResource": "NotResource means every resource but those, other devices' too; list the resources",
    "Principal": "an AWS IoT policy has no Principal: it applies to the certificates it is attached to; leave it out",
    "NotPrincipal": "an AWS IoT policy has no NotPrincipal: it applies to the certificates it is attached to; "
    "leave it out",
}


class Effect(StrEnum):
    """What a statement does with the requests it matches."""

    ALLOW = "Allow"
    DENY = "Deny"


class Wildcard(Enum):
    """The two wildcards of a policy's texts; `*` also matches nothing, and both match `/`."""

    ANY = "*"
    ONE = "?"


@dataclass(frozen=True)
class Condition:
    """One key of one operator, as written: `StringEquals` · `iot:ClientId` · the values, any of which may match."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """One statement; all of its conditions have to hold. `alone` where Statement is one object instead of a list."""

    index: int
    sid: str | None
    effect: Effect
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    alone: bool = field(default=False, compare=False)

    @property
    def texts(self) -> tuple[str, ...]:
        """Whatever may be an ARN: the resources, and the values of the conditions."""
        return (*self.resources, *(value for condition in self.conditions for value in condition.values))

    @property
    def pointer(self) -> str:
        """Where the statement is in its document, as a JSON Pointer."""
        return "/Statement" if self.alone else f"/Statement/{self.index}"


@dataclass(frozen=True)
class PolicyDocument:
    """A whole policy; without Version in the document, `version` is the one that AWS then takes."""

    version: str
    statements: tuple[Statement, ...]


def parse_document(value: object) -> PolicyDocument:
    """Return the policy that a parsed JSON value stands for.

    Not checked: whether actions, resources, operators and variables exist, and the size. Raises PolicyError for what
    AWS IoT would refuse or read differently than its author.
    """
    document = _object(value, "a policy", _DOCUMENT_KEYS)
    version = document.get("Version", VERSIONS[0])
    if version not in VERSIONS:
        raise PolicyError(f'Version {_show(version)} does not exist; write "{VERSION_WITH_VARIABLES}"')
    if "Statement" not in document:
        raise PolicyError("a policy has Statement, a list of statements")
    found = document["Statement"]
    alone = not isinstance(found, list)
    statements = found if isinstance(found, list) else [found]
    if not statements:
        raise PolicyError("Statement is empty; AWS IoT refuses a policy without statements")
    return PolicyDocument(str(version), tuple(_statement(each, i, alone=alone) for i, each in enumerate(statements)))


def wildcards_of(pattern: str) -> tuple[str | Wildcard, ...]:
    """Return a pattern's parts: texts that stand for themselves, and wildcards."""
    parts: list[str | Wildcard] = []
    for part in re.split(r"([*?])", pattern):
        if part in ("*", "?"):
            parts.append(Wildcard(part))
        elif part:
            parts.append(part)
    return tuple(parts)


def matches(pattern: str, text: str) -> bool:
    """Return whether `pattern` with `*` and `?` matches all of `text`; upper and lower case differ."""
    return matches_parts(wildcards_of(pattern), text)


def matches_parts(parts: Iterable[str | Wildcard], text: str) -> bool:
    """Return whether parts, one after the other, match all of `text`.

    What stands between two `*` has a fixed length, so its first place is as good as any later one: no backtracking,
    and at most (length of the parts) times (length of the text) steps.
    """
    first, *rest = _pieces(parts)
    if not first.matches_at(text, 0):
        return False
    if not rest:
        return first.length == len(text)
    *middle, last = rest
    position = first.length
    for piece in middle:
        found = piece.pattern.search(text, position)
        if found is None:
            return False
        position = found.end()
    # The last piece can only stand at the very end, behind all others.
    end = len(text) - last.length
    return end >= position and last.matches_at(text, end)


@dataclass(frozen=True)
class _Piece:
    """What stands between two `*`: texts and `?`, so many characters long."""

    pattern: re.Pattern[str]
    length: int

    @classmethod
    def of(cls, parts: list[str | Wildcard]) -> _Piece:
        texts = [re.escape(part) if isinstance(part, str) else "." for part in parts]
        length = sum(len(part) if isinstance(part, str) else 1 for part in parts)
        return cls(re.compile("".join(texts), re.DOTALL), length)

    def matches_at(self, text: str, position: int) -> bool:
        return self.pattern.match(text, position) is not None


def _pieces(parts: Iterable[str | Wildcard]) -> list[_Piece]:
    pieces: list[list[str | Wildcard]] = [[]]
    for part in parts:
        if part is Wildcard.ANY:
            pieces.append([])
        else:
            pieces[-1].append(part)
    return [_Piece.of(piece) for piece in pieces]


def _statement(value: object, index: int, *, alone: bool) -> Statement:
    name = "Statement" if alone else f"Statement {index + 1}"
    statement = _object(value, name, _STATEMENT_KEYS)
    sid = statement.get("Sid")
    if sid is not None and not isinstance(sid, str):
        raise PolicyError(f"{name}: Sid {_show(sid)} is no text")
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise PolicyError(f'{name}: Effect {_show(effect)} does not exist; write "Allow" or "Deny"')
    return Statement(
        index=index,
        sid=sid,
        effect=Effect(str(effect)),
        actions=_texts(statement.get("Action"), f"{name}: Action"),
        resources=_texts(statement.get("Resource"), f"{name}: Resource"),
        conditions=_conditions(statement["Condition"], f"{name}: Condition") if "Condition" in statement else (),
        alone=alone,
    )


def _conditions(value: object, name: str) -> tuple[Condition, ...]:
    operators = _object(value, name)
    conditions: list[Condition] = []
    for operator, keys in operators.items():
        for key, found in _object(keys, f"{name} {operator}").items():
            listed = found if isinstance(found, list) else [found]
            values = tuple(_condition_value(each, f"{name} {operator} {key}") for each in listed)
            # An empty list means none at all, which AWS IoT documents for ForAllValues (connect-policy).
            if not values and not operator.startswith("ForAllValues:"):
                raise PolicyError(f"{name} {operator} {key}: there is no value; write at least one")
            conditions.append(Condition(operator, key, values))
    return tuple(conditions)


def _condition_value(value: object, name: str) -> str:
    """Return one value as text; JSON's own true, false and numbers mean what they say in quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise PolicyError(f"{name}: {_show(value)} is no value; write a text in quotes")


def _object(value: object, name: str, known: tuple[str, ...] | None = None) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise PolicyError(f"{name}: {_show(value)} is no JSON object")
    for key in value:
        if key in _REFUSED:
            raise PolicyError(f"{name}: {_REFUSED[key]}")
        if known is not None and key not in known:
            raise PolicyError(f"{name}: unknown key {_show(key)}; there are {', '.join(known)}")
    return value


def _texts(value: object, name: str) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(each, str) and each for each in listed):
        raise PolicyError(f"{name}: expected a text in quotes, or a list of at least one")
    return tuple(listed)


def _show(value: object) -> str:
    # What is nested too deeply to be written is not worth reading either.
    if isinstance(value, (list, dict)):
        return "[…]" if isinstance(value, list) else "{…}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
