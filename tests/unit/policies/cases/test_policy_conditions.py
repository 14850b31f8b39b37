"""Conditions of policies, operator by operator, with a key that has one value, several, or none."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from jitr.policies.document import Condition, wildcards_of
from jitr.policies.values import PolicyError
from jitr_fleet.policies.evaluation.conditions import OPERATORS, ConditionResult, Filled, evaluate_condition
from jitr_fleet.policies.evaluation.facts import DeviceFacts, Lookup
from jitr_fleet.policies.language.keys import REQUEST_KEYS
from jitr_fleet.policies.language.variables import VariableUse

ARN = "arn:aws:iot:eu-west-1:111122223333:thing/a"
ONE = "iot:ClientId"
MANY = "iot:Certificate.Subject.Organization.List"


def plain(text: str) -> Filled:
    """A text of a policy in which no variable is filled."""
    return Filled(wildcards_of(text))


def holds(operator: str, values: tuple[str, ...], found: tuple[str, ...], *, key: str = ONE) -> bool:
    """Evaluate a condition on a key with these values in the request."""
    condition = Condition(operator, key, values)
    result = evaluate_condition(condition, values_of=lambda _: Lookup(found), fill=plain).holds
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("operator", "value", "matching", "other"),
    [
        ("StringEquals", "a*", "a*", "ab"),
        ("StringEqualsIgnoreCase", "Stra\u00dfe", "STRASSE", "stras"),
        ("StringLike", "a*c?", "abbcd", "abbc"),
        ("Bool", "true", "True", "false"),
        ("BinaryEquals", "YQ==", "a", "YQ=="),
        ("Bool", "FALSE", "false", "no"),
        ("IpAddress", "203.0.113.0/24", "203.0.113.7", "203.0.114.7"),
        ("IpAddress", "203.0.113.7", "203.0.113.7", "203.0.113.8"),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", "203.0.113.7"),
        ("NumericEquals", "10", "10.0", "1e2"),
        ("NumericLessThan", "10", "9.99", "10"),
        ("NumericLessThanEquals", "10", "10", "11"),
        ("NumericGreaterThan", "-1", "0", "-1"),
        ("NumericGreaterThanEquals", "10", "10", "ten"),
        ("DateEquals", "2026-01-31T12:00:00Z", "1769860800", "2026-01-31"),
        ("DateLessThan", "2026-01-31", "2026-01-30T23:59:59Z", "2026-01-31"),
        ("DateLessThanEquals", "2026-01-31", "2026-01-31", "2026-02-01"),
        ("DateGreaterThan", "2026-01-31", "2026-01-31T00:00:01Z", "2026-01-31"),
        ("DateGreaterThanEquals", "2026-01-31", "2026-01-31", "never"),
        ("ArnEquals", ARN, ARN, ARN + "b"),
        ("ArnLike", "arn:aws:iot:*:*:thing/*", ARN, "arn:aws:iot:eu-west-1:111122223333:client/a"),
        ("ArnLike", "arn:aws:iot:eu-*:111122223333:thing/?", ARN, "arn:aws:iot:eu-west-1:x:111122223333:thing/a"),
    ],
)
def test_an_operator_tells_the_matching_value_from_another(
    operator: str, value: str, matching: str, other: str
) -> None:
    """Alone, and as one of several values in the policy, any of which may match."""
    assert holds(operator, (value,), (matching,))
    assert not holds(operator, (value,), (other,))
    assert holds(operator, ("0" if operator[0] in "ND" else value, value), (matching,))


@pytest.mark.parametrize(
    ("operator", "negated"),
    [
        ("StringEquals", "StringNotEquals"),
        ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
        ("StringLike", "StringNotLike"),
        ("IpAddress", "NotIpAddress"),
        ("NumericEquals", "NumericNotEquals"),
        ("DateEquals", "DateNotEquals"),
        ("ArnEquals", "ArnNotEquals"),
        ("ArnLike", "ArnNotLike"),
    ],
)
def test_a_negated_operator_says_the_opposite(operator: str, negated: str) -> None:
    """Of several values in the policy none may match."""
    values = {"Ip": ("10.0.0.1", "10.0.0.2"), "Nu": ("1", "2"), "Da": ("2026-01-01", "2026-01-02")}.get(
        operator[:2], ("arn:aws:iot:a:1:x", "arn:aws:iot:a:1:y")
    )
    for found in (values[0], values[1], "arn:aws:iot:b:2:z", "2026-01-03"):
        assert holds(negated, values, (found,)) is not holds(operator, values, (found,))
    assert not holds(negated, values, (values[1],))


def test_a_missing_key_matches_nothing_and_so_negations_hold() -> None:
    """Whatever the operator, with one exception: IfExists asks only where there is something to ask."""
    for operator in OPERATORS:
        value = {"B": "true", "I": "10.0.0.1", "N": "1", "D": "2026-01-01"}.get(operator[0], "a")
        value = "10.0.0.1" if operator == "NotIpAddress" else value
        assert holds(operator, (value,), ()) is ("Not" in operator), operator
        assert holds(f"{operator}IfExists", (value,), ()), operator
        assert holds(f"{operator}IfExists", (value,), ("10.0.0.1",)) is holds(operator, (value,), ("10.0.0.1",))


@pytest.mark.parametrize(
    ("operator", "found", "expected"),
    [
        ("ForAllValues:StringEquals", ("A", "B"), True),
        ("ForAllValues:StringEquals", ("A", "C"), False),
        ("ForAllValues:StringEquals", (), True),
        ("ForAllValues:StringNotEquals", ("C", "D"), True),
        ("ForAllValues:StringNotEquals", ("A", "D"), False),
        ("ForAllValues:StringNotEquals", (), True),
        ("ForAllValues:StringLikeIfExists", (), True),
        ("ForAnyValue:StringEquals", ("C", "B"), True),
        ("ForAnyValue:StringEquals", ("C", "D"), False),
        ("ForAnyValue:StringEquals", (), False),
        ("ForAnyValue:StringNotEquals", ("A", "C"), True),
        ("ForAnyValue:StringNotEquals", ("A", "B"), False),
        ("ForAnyValue:StringNotEquals", (), False),
    ],
)
def test_lists_are_compared_as_the_set_operator_says(operator: str, found: tuple[str, ...], *, expected: bool) -> None:
    """Beware of ForAllValues: a certificate without the field has none that is wrong."""
    assert holds(operator, ("A", "B"), found, key=MANY) is expected


@pytest.mark.parametrize(
    ("value", "found", "expected"),
    [("true", (), True), ("true", ("a",), False), ("false", ("a",), True), ("false", (), False)],
)
def test_null_asks_whether_there_is_a_value(value: str, found: tuple[str, ...], *, expected: bool) -> None:
    """True for the one that is missing."""
    assert holds("Null", (value,), found) is expected


@pytest.mark.parametrize(
    ("operator", "key", "value", "words"),
    [
        ("StringEqual", ONE, "a", "no such condition operator; did you mean StringEquals?"),
        ("stringequals", ONE, "a", "no such condition operator"),
        ("ForSomeValues:StringEquals", ONE, "a", "no such condition operator"),
        ("NullIfExists", ONE, "true", "Null stands alone"),
        ("ForAnyValue:Null", ONE, "true", "Null stands alone"),
        ("BinaryEquals", ONE, "YQ", "'YQ' is not base64"),
        ("ForAnyValue:StringEqualsIfExists", MANY, "a", "AWS does not say"),
        ("StringEquals", MANY, "a", "write ForAnyValue:StringEquals or ForAllValues:StringEquals"),
        ("StringEquals", "iot:Certificate.AvailableKeys", "a", "the key has several values"),
        ("Bool", "iot:Connection.Thing.IsAtached", "true", "did you mean iot:Connection.Thing.IsAttached?"),
        ("Bool", ONE, "yes", "'yes' is neither"),
        ("Null", ONE, "maybe", "'maybe' is neither"),
        ("NumericEquals", ONE, "ten", "'ten' is not a number"),
        ("NumericEquals", ONE, "NaN", "'NaN' is not a number"),
        ("DateEquals", ONE, "tomorrow", "'tomorrow' is not a date"),
        ("DateEquals", ONE, "2026-13-01", "is not a date"),
        ("IpAddress", ONE, "203.0.113.0/33", "neither an IP address nor a range"),
        ("IpAddress", ONE, "${aws:SourceIp}", "neither an IP address nor a range"),
    ],
)
def test_what_aws_does_not_document_is_an_error_and_not_false(operator: str, key: str, value: str, words: str) -> None:
    """A Deny that is silently switched off is worse than no answer."""
    with pytest.raises(PolicyError, match=re.escape(words)) as caught:
        holds(operator, (value,), ("1",), key=key)
    with pytest.raises(PolicyError, match=re.escape(words)):
        holds(operator, (value,), (), key=key)
    assert str(caught.value).startswith(f"{operator} {key}: ")


def test_the_reason_names_operator_key_and_value() -> None:
    """So that a person sees what did not fit."""
    condition = Condition("StringEquals", ONE, ("a",))
    found = evaluate_condition(condition, values_of=lambda _: Lookup(("b",)), fill=plain)
    assert found.reason == "StringEquals iot:ClientId does not hold for 'b'"
    missing = evaluate_condition(condition, values_of=lambda _: Lookup(problem="unknown"), fill=plain)
    assert missing.reason == "StringEquals iot:ClientId does not hold for no value (unknown)"


def result_for(facts: DeviceFacts, operator: str, key: str, value: str) -> ConditionResult:
    """Evaluate a condition with what is known of a device."""
    condition = Condition(operator, key, (value,))
    return evaluate_condition(condition, values_of=facts.condition_values, fill=plain)


@pytest.mark.parametrize("key", REQUEST_KEYS)
def test_a_key_that_nobody_said_leaves_the_condition_open(key: str) -> None:
    """Unknown is not absent: neither the condition nor its negation holds, and the reason says what would tell."""
    known = REQUEST_KEYS[key]
    set_operator = "ForAnyValue:" if known.multi_valued else ""
    for name in ("StringEquals", "StringNotEquals"):
        found = result_for(DeviceFacts(), f"{set_operator}{name}", key, "a")
        assert found.holds is None
        assert known.option in found.reason
        assert known.case_key in found.reason
    assert result_for(DeviceFacts(), "Null", key, "true").holds is None


@pytest.mark.parametrize("key", [key for key in REQUEST_KEYS if not key.endswith("Time")])
def test_a_key_that_is_said_not_to_be_there_is_absent(key: str) -> None:
    """Then negations hold, and Null too."""
    facts = DeviceFacts(said={key: ()})
    set_operator = "ForAllValues:" if REQUEST_KEYS[key].multi_valued else ""
    assert result_for(facts, f"{set_operator}StringNotEquals", key, "a").holds
    assert result_for(facts, "Null", key, "true").holds


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("DateEquals", "aws:CurrentTime", "2026-01-31T12:00:00Z"),
        ("StringEquals", "aws:CurrentTime", "2026-01-31T12:00:00Z"),
        ("DateEquals", "aws:EpochTime", "2026-01-31T12:00:00Z"),
        ("NumericEquals", "aws:EpochTime", "1769860800"),
    ],
)
def test_the_time_is_that_of_the_facts(operator: str, key: str, value: str) -> None:
    """In both of the forms that IAM has."""
    assert result_for(DeviceFacts(now=datetime(2026, 1, 31, 12, tzinfo=UTC)), operator, key, value).holds
    assert not result_for(DeviceFacts(now=datetime(2026, 1, 31, 13, tzinfo=UTC)), operator, key, value).holds
    assert result_for(DeviceFacts(), operator, key, value).holds is None


@pytest.mark.parametrize("key", REQUEST_KEYS)
def test_a_key_of_the_request_fills_no_place(key: str) -> None:
    """It is no policy variable of AWS IoT's."""
    assert DeviceFacts().filled_in(VariableUse.parse(key)).values == ()
