"""Policy documents as data: what AWS writes in several ways is one thing here, and what it refuses is refused."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitr.policies.document import Condition, Effect, matches, matches_parts, parse_document, wildcards_of
from jitr.policies.values import PolicyError

STATEMENT: dict[str, Any] = {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}


def document(**changes: object) -> dict[str, Any]:
    """A policy of one statement, with other or further keys in it; those that are None are left out."""
    statement = {key: value for key, value in {**STATEMENT, **changes}.items() if value is not None}
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_one_and_many_are_the_same() -> None:
    """A text is a list of one, a statement too."""
    listed = {**STATEMENT, "Action": ["iot:Connect"], "Resource": ["*"]}
    alone = parse_document({"Version": "2012-10-17", "Statement": STATEMENT})
    assert alone == parse_document({"Version": "2012-10-17", "Statement": [listed]})
    assert (alone.statements[0].actions, alone.statements[0].effect) == (("iot:Connect",), Effect.ALLOW)


def test_a_statement_knows_where_it_stands() -> None:
    """As a JSON Pointer, in a list or alone."""
    two = parse_document({"Version": "2012-10-17", "Statement": [STATEMENT, STATEMENT]})
    assert [each.pointer for each in two.statements] == ["/Statement/0", "/Statement/1"]
    assert parse_document({"Statement": STATEMENT}).statements[0].pointer == "/Statement"


def test_without_a_version_it_is_the_old_one() -> None:
    """Which knows no variables."""
    assert parse_document({"Statement": STATEMENT}).version == "2008-10-17"


def test_conditions_are_listed_with_their_values_as_texts() -> None:
    """JSON's own booleans and numbers mean what they say in quotes."""
    found = parse_document(document(Condition={"Bool": {"a": True, "b": ["false"]}, "NumericEquals": {"c": [1, 2.5]}}))
    assert found.statements[0].conditions == (
        Condition("Bool", "a", ("true",)),
        Condition("Bool", "b", ("false",)),
        Condition("NumericEquals", "c", ("1", "2.5")),
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "is no JSON object"),
        ("text", "is no JSON object"),
        ({"Version": "2012-10-17"}, "a policy has Statement"),
        ({"Version": "2012-10-18", "Statement": STATEMENT}, 'Version "2012-10-18" does not exist'),
        ({"Version": 20121017, "Statement": STATEMENT}, "Version 20121017 does not exist"),
        ({"Version": ["2012-10-17"], "Statement": STATEMENT}, "does not exist"),
        ({"Statement": []}, "Statement is empty"),
        ({"Statement": ["x"]}, 'Statement 1: "x" is no JSON object'),
        ({"Statement": STATEMENT, "Statements": []}, 'unknown key "Statements"'),
        (document(Effect="allow"), 'Effect "allow" does not exist'),
        (document(Effect=None), "Effect null does not exist"),
        (document(Effect=["Allow"]), "does not exist"),
        (document(Action=None), "Statement 1: Action: expected a text"),
        (document(Action=[]), "at least one"),
        (document(Action=["iot:Connect", 1]), "Action: expected"),
        (document(Resource=""), "Resource: expected"),
        (document(Sid=1), "Sid 1 is no text"),
        (document(NotAction="iot:Connect"), "every action but those"),
        (document(NotResource="*"), "every resource but those"),
        (document(Principal="*"), "applies to the certificates it is attached to"),
        (document(Condition=[]), "Condition: […] is no JSON object"),
        (document(Condition={"Bool": "true"}), "Condition Bool"),
        (document(Condition={"Bool": {"a": []}}), "there is no value"),
        (document(Condition={"Bool": {"a": None}}), "null is no value"),
        (document(Condition={"Bool": {"a": {"b": 1}}}), "{…} is no value"),
    ],
)
def test_what_aws_would_refuse_or_read_otherwise_is_refused(value: object, words: str) -> None:
    """The message names the statement and what to write."""
    with pytest.raises(PolicyError, match=re.escape(words)):
        parse_document(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Version", "Statement", "Effect", "Action", "Resource", "Condition", "Bool", "x"]), inner
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_whatever_the_json_it_is_a_policy_or_a_policy_error(value: object) -> None:
    """Nothing else ever comes out."""
    try:
        document = parse_document(value)
    except PolicyError:
        return
    assert document.statements


def naive(pattern: str, text: str) -> bool:
    """The same, as a regular expression says it."""
    expression = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def test_wildcards_match_what_they_match_in_every_short_pattern() -> None:
    """All patterns of four characters at most, on all texts of four characters at most."""
    texts = ["".join(each) for length in range(5) for each in itertools.product("ab", repeat=length)]
    patterns = ["".join(each) for length in range(5) for each in itertools.product("ab*?", repeat=length)]
    for pattern in patterns:
        for text in texts:
            assert matches(pattern, text) == naive(pattern, text), (pattern, text)


@given(st.text(st.sampled_from("ab/*?.\n["), max_size=20), st.text(st.sampled_from("ab/*?.\n["), max_size=20))
def test_no_other_character_is_special(pattern: str, text: str) -> None:
    """Neither a dot nor a line's end nor a bracket; and every pattern without wildcards matches itself."""
    assert matches(pattern, text) == naive(pattern, text)


def test_what_stands_for_itself_may_hold_wildcards() -> None:
    """A value that was filled in is no pattern."""
    assert matches_parts(("*",), "*")
    assert not matches_parts(("*",), "anything")
    assert matches_parts(wildcards_of("a*"), "anything")


@pytest.mark.parametrize(
    "pattern",
    ["*a" * 1000 + "b", "*" + "a?" * 1000 + "b*b", "*" * 2000 + "b", "?" * 1000 + "*" + "a" * 1000 + "*b"],
    ids=["many stars", "one long piece", "stars only", "long pieces"],
)
def test_a_hostile_pattern_takes_no_longer_than_a_long_one(pattern: str) -> None:
    """Backtracking over these would outlast the sun; a second is three hundred times what it takes."""
    began = time.process_time()
    assert not matches(pattern, "a" * 5000)
    assert time.process_time() - began < 1
