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
from jitr_fleet.policies.language.keys import REQUEST_KEYS
from jitr_fleet.policies.language.operators import NULL, Operator, read_operator
from jitr_fleet.policies.language.variables import AVAILABLE_KEYS, VARIABLES, VariableUse

Parts = tuple[str | Wildcard, ...]
# (a value of the request, one value of the policy with its variables filled in) → whether they match.
Compare = Callable[[str, Parts], bool]

_T = TypeVar("_T")
_Ordered = TypeVar("_Ordered", Decimal, datetime)
_ARN_SECTIONS = 6
# Python reads more than IAM documents: 1_000, 2026-W05-1, 20260131T120000Z.
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_TIME: Final = r"T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
_DATE: Final = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}({_TIME})?")
# Keys with any number of values, besides those that end in .List.
_SEVERAL: Final = frozenset({AVAILABLE_KEYS, *(key.name for key in REQUEST_KEYS.values() if key.multi_valued)})


@dataclass(frozen=True)
class ConditionResult:
    """Whether a condition holds, and the sentence that says why; None where the question leaves that open."""

    holds: bool | None
    reason: str


@dataclass(frozen=True)
class Filled:
    """A text of a policy with its variables filled in; `unknown` says why some of them could not be."""

    parts: Parts
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Operator:
    """An operator's comparison; a negated one holds where no value matches. `fills`: variables in values are filled."""

    compare: Compare
    negated: bool = False
    fills: bool = True


def evaluate_condition(
    condition: Condition, *, values_of: Callable[[VariableUse], Lookup], fill: Callable[[str], Filled]
) -> ConditionResult:
    """Return whether a condition holds: `values_of` its key in the request, against its values after `fill`.

    Raises PolicyError as `verify_condition` does.
    """
    verify_condition(condition)
    found = values_of(VariableUse.parse(condition.key))
    holds, why = _decided(condition, read_operator(condition.operator), found, fill)
    name = f"{condition.operator} {condition.key}"
    if holds is None:
        return ConditionResult(None, f"{name} is open: {why}")
    seen = ", ".join(map(repr, found.values)) if found.values else f"no value ({found.problem})"
    return ConditionResult(holds, f"{name} {'holds' if holds else 'does not hold'} for {seen}")


def verify_condition(condition: Condition) -> None:
    """Raise PolicyError for an operator, key or value that AWS IoT does not document; anything else has an answer."""
    try:
        use = _known_key(condition.key)
        written = read_operator(condition.operator)
        if written.name == NULL:
            for value in condition.values:
                _boolean((value,))
            return
        _verify_set(use, written)
        known = OPERATORS[written.name]
        for value in condition.values:
            if not (known.fills and "${" in value):
                # Raises for a value that is of the wrong kind, even where there is nothing to compare it with.
                known.compare("", (value,))
    except ValueError as error:
        raise PolicyError(f"{condition.operator} {condition.key}: {error}") from error


def _verify_set(use: VariableUse, written: Operator) -> None:
    if (use.is_list or use.name in _SEVERAL) and not (written.for_all or written.for_any):
        name = written.name
        raise ValueError(f"the key has several values; write ForAnyValue:{name} or ForAllValues:{name}")


def _decided(
    condition: Condition, written: Operator, found: Lookup, fill: Callable[[str], Filled]
) -> tuple[bool | None, str]:
    """Return whether the condition holds, or None and what the question leaves open."""
    if found.unknown:
        return None, found.problem
    if written.name == NULL:
        return _null(condition, found), ""
    if not found.values:
        return written.holds_without_value, ""
    known = OPERATORS[written.name]
    wanted = [fill(value) if known.fills else Filled((value,)) for value in condition.values]
    if unknown := [why for each in wanted for why in each.unknown]:
        return None, unknown[0]
    matched = [any(known.compare(value, each.parts) for each in wanted) != known.negated for value in found.values]
    return (any(matched) if written.for_any else all(matched)), ""


def _known_key(key: str) -> VariableUse:
    use = VariableUse.parse(key)
    if use.variable is None and key not in REQUEST_KEYS:
        near = difflib.get_close_matches(key, [*VARIABLES, *REQUEST_KEYS], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"AWS IoT documents no such key for its policies{hint}")
    return use


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
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error


def _date(text: str) -> datetime:
    if re.fullmatch(r"[0-9]{1,11}", text):
        return datetime.fromtimestamp(int(text), UTC)
    if not _DATE.fullmatch(text):
        raise ValueError(text)
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


# How each of language.operators compares; all but Null, which is no comparison.
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
