"""Whether the conditions of a policy statement hold, operator by operator.

Source: IAM user guide, "IAM JSON policy elements: Condition operators" and "Conditions with multiple context keys or
values", which AWS IoT follows. What is not defined there raises PolicyError: an operator that is silently false would
turn a Deny off.
"""

from __future__ import annotations

import binascii
import difflib
import ipaddress
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

from jitr.policies.document import Condition, Wildcard, matches_parts
from jitr.policies.values import PolicyError
from jitr_fleet.policies.evaluation.facts import Lookup
from jitr_fleet.policies.language.variables import AVAILABLE_KEYS, REQUEST_KEYS, VARIABLES, VariableUse

Parts = tuple[str | Wildcard, ...]
# (a value of the request, one value of the policy with its variables filled in) → whether they match.
Compare = Callable[[str, Parts], bool]

_T = TypeVar("_T")
_Ordered = TypeVar("_Ordered", Decimal, datetime)
_FOR_ALL, _FOR_ANY, _IF_EXISTS = "ForAllValues:", "ForAnyValue:", "IfExists"
_ARN_SECTIONS = 6


@dataclass(frozen=True)
class ConditionResult:
    """Whether a condition holds, and the sentence that says why."""

    holds: bool
    reason: str


@dataclass(frozen=True)
class _Operator:
    """An operator's comparison; a negated one holds where no value matches. `fills`: variables in values are filled."""

    compare: Compare
    negated: bool = False
    fills: bool = True


def evaluate_condition(
    condition: Condition, *, values_of: Callable[[VariableUse], Lookup], fill: Callable[[str], Parts]
) -> ConditionResult:
    """Say whether a condition holds: `values_of` its key in the request, against its values after `fill`.

    Raises PolicyError for an operator, key or value that AWS IoT does not document.
    """
    try:
        use = _known_key(condition.key)
        found = values_of(use)
        holds = _null(condition, found) if condition.operator == "Null" else _compare(condition, use, found, fill)
    except ValueError as error:
        raise PolicyError(f"{condition.operator} {condition.key}: {error}") from error
    seen = ", ".join(map(repr, found.values)) if found.values else f"no value ({found.problem})"
    word = "holds" if holds else "does not hold"
    return ConditionResult(holds, f"{condition.operator} {condition.key} {word} for {seen}")


def _compare(condition: Condition, use: VariableUse, found: Lookup, fill: Callable[[str], Parts]) -> bool:
    name, all_of, any_of, if_exists = _dissect(condition.operator)
    if (use.is_list or use.base == AVAILABLE_KEYS) and not (all_of or any_of):
        raise ValueError(f"the key has several values; write ForAnyValue:{name} or ForAllValues:{name}")
    known = OPERATORS[name]
    wanted = [fill(value) if known.fills else (value,) for value in condition.values]
    for each in wanted:
        # Raises for a value that is of the wrong kind, even where there is nothing to compare it with.
        known.compare("", each)
    if not found.values:
        return if_exists or all_of or (known.negated and not any_of)
    matched = [any(known.compare(value, each) for each in wanted) != known.negated for value in found.values]
    return any(matched) if any_of else all(matched)


def _known_key(key: str) -> VariableUse:
    use = VariableUse.parse(key)
    if use.variable is None and key not in REQUEST_KEYS:
        near = difflib.get_close_matches(key, [*VARIABLES, *REQUEST_KEYS], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"AWS IoT documents no such key for its policies{hint}")
    return use


def _dissect(written: str) -> tuple[str, bool, bool, bool]:
    """Return the operator's own name, and whether it is for all values, for any value, and for an existing key."""
    all_of, any_of = written.startswith(_FOR_ALL), written.startswith(_FOR_ANY)
    name = written.removeprefix(_FOR_ALL if all_of else _FOR_ANY)
    if_exists = name.endswith(_IF_EXISTS)
    name = name.removesuffix(_IF_EXISTS)
    if name not in OPERATORS:
        near = difflib.get_close_matches(name, [*OPERATORS, "Null"], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"there is no such condition operator{hint}")
    if any_of and if_exists:
        raise ValueError("AWS does not say what IfExists means for any value; write ForAnyValue without it, or Null")
    return name, all_of, any_of, if_exists


def _null(condition: Condition, found: Lookup) -> bool:
    return (not found.values) in {_boolean((value,)) for value in condition.values}


def _text(parts: Parts) -> str:
    return "".join(part.value if isinstance(part, Wildcard) else part for part in parts)


def _equals(value: str, wanted: Parts) -> bool:
    return value == _text(wanted)


def _equals_ignoring_case(value: str, wanted: Parts) -> bool:
    return value.casefold() == _text(wanted).casefold()


def _like(value: str, wanted: Parts) -> bool:
    return matches_parts(wanted, value)


def _boolean(wanted: Parts) -> bool:
    text = _text(wanted)
    if text.lower() not in ("true", "false"):
        raise ValueError(f'{text!r} is neither "true" nor "false"')
    return text.lower() == "true"


def _is_boolean(value: str, wanted: Parts) -> bool:
    return value.lower() == ("true" if _boolean(wanted) else "false")


def _is_binary(value: str, wanted: Parts) -> bool:
    try:
        return value.encode() == binascii.a2b_base64(_text(wanted), strict_mode=True)
    except ValueError as error:
        raise ValueError(f"{_text(wanted)!r} is not base64") from error


def _in_network(value: str, wanted: Parts) -> bool:
    try:
        network = ipaddress.ip_network(_text(wanted), strict=False)
    except ValueError as error:
        raise ValueError(f"{_text(wanted)!r} is neither an IP address nor a range such as 203.0.113.0/24") from error
    try:
        return ipaddress.ip_address(value) in network
    except ValueError:
        return False


def _arn_like(value: str, wanted: Parts) -> bool:
    """Compare section by section: a wildcard does not reach over a colon but in the last section."""
    sections = value.split(":", _ARN_SECTIONS - 1)
    patterns: list[list[str | Wildcard]] = [[]]
    for part in wanted:
        if isinstance(part, Wildcard):
            patterns[-1].append(part)
            continue
        first, *others = part.split(":", _ARN_SECTIONS - len(patterns))
        patterns[-1].append(first)
        patterns.extend([other] for other in others)
    return len(sections) == len(patterns) == _ARN_SECTIONS and all(
        matches_parts(pattern, section) for pattern, section in zip(patterns, sections, strict=True)
    )


def _numbers(value: str, wanted: Parts) -> tuple[Decimal, Decimal] | None:
    return _pair(value, wanted, _number, "a number")


def _dates(value: str, wanted: Parts) -> tuple[datetime, datetime] | None:
    return _pair(value, wanted, _date, "a date such as 2026-01-31T12:00:00Z")


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not number.is_finite():
        raise ValueError(text)
    return number


def _date(text: str) -> datetime:
    if re.fullmatch(r"[0-9]{1,11}", text):
        return datetime.fromtimestamp(int(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _pair(value: str, wanted: Parts, read: Callable[[str], _T], kind: str) -> tuple[_T, _T] | None:
    """Return both sides; None where the request's own value is of another kind, which matches nothing."""
    try:
        right = read(_text(wanted))
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{_text(wanted)!r} is not {kind}") from error
    try:
        return read(value), right
    except (ValueError, OverflowError, OSError):
        return None


def _compared(
    read: Callable[[str, Parts], tuple[_Ordered, _Ordered] | None], holds: Callable[[_Ordered, _Ordered], bool]
) -> Compare:
    def compare(value: str, wanted: Parts) -> bool:
        pair = read(value, wanted)
        return pair is not None and holds(*pair)

    return compare


def _ordering(family: str, read: Callable[[str, Parts], tuple[_Ordered, _Ordered] | None]) -> dict[str, _Operator]:
    equal = _compared(read, operator.eq)
    return {
        f"{family}Equals": _Operator(equal, fills=False),
        f"{family}NotEquals": _Operator(equal, negated=True, fills=False),
        f"{family}LessThan": _Operator(_compared(read, operator.lt), fills=False),
        f"{family}LessThanEquals": _Operator(_compared(read, operator.le), fills=False),
        f"{family}GreaterThan": _Operator(_compared(read, operator.gt), fills=False),
        f"{family}GreaterThanEquals": _Operator(_compared(read, operator.ge), fills=False),
    }


# All of IAM's but Null, which is no comparison.
OPERATORS: Final[Mapping[str, _Operator]] = {
    "StringEquals": _Operator(_equals),
    "StringNotEquals": _Operator(_equals, negated=True),
    "StringEqualsIgnoreCase": _Operator(_equals_ignoring_case),
    "StringNotEqualsIgnoreCase": _Operator(_equals_ignoring_case, negated=True),
    "StringLike": _Operator(_like),
    "StringNotLike": _Operator(_like, negated=True),
    "Bool": _Operator(_is_boolean, fills=False),
    "BinaryEquals": _Operator(_is_binary, fills=False),
    "IpAddress": _Operator(_in_network, fills=False),
    "NotIpAddress": _Operator(_in_network, negated=True, fills=False),
    "ArnEquals": _Operator(_arn_like),
    "ArnNotEquals": _Operator(_arn_like, negated=True),
    "ArnLike": _Operator(_arn_like),
    "ArnNotLike": _Operator(_arn_like, negated=True),
    **_ordering("Numeric", _numbers),
    **_ordering("Date", _dates),
}
