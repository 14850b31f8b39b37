"""Comparing policies: what covers what, and when two documents mean the same."""

from __future__ import annotations

import copy
import itertools
import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitr.policies.comparison import Atom, atoms, covers, same_meaning
from jitr.policies.document import Condition, Effect, parse_document

# Two letters that patterns hold, and one that stands for all that they do not hold.
LETTERS = "ab#"
PATTERNS = st.text(alphabet="aab**??", max_size=10)
ARN = "arn:aws:iot:eu-west-1:111122223333:"
DOCUMENT: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Connect",
            "Effect": "Allow",
            "Action": "iot:Connect",
            "Resource": f"{ARN}client/${{iot:Connection.Thing.ThingName}}",
            "Condition": {"Bool": {"iot:Connection.Thing.IsAttached": ["true"]}},
        },
        {
            "Sid": "Send",
            "Effect": "Allow",
            "Action": ["iot:Publish", "iot:Receive"],
            "Resource": [f"{ARN}topic/a/*", f"{ARN}topic/b"],
        },
        {"Effect": "Deny", "Action": "iot:Publish", "Resource": f"{ARN}topic/a/secret"},
    ],
}


class Automaton:
    """A pattern read as a textbook does: a set of places in it, moved on by each letter."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def start(self) -> frozenset[int]:
        return self.closed({0})

    def closed(self, places: set[int]) -> frozenset[int]:
        for place in range(len(self.pattern)):
            if place in places and self.pattern[place] == "*":
                places.add(place + 1)
        return frozenset(places)

    def after(self, places: frozenset[int], letter: str) -> frozenset[int]:
        moved = set()
        for place in places:
            if place < len(self.pattern):
                if self.pattern[place] == "*":
                    moved.add(place)
                elif self.pattern[place] in ("?", letter):
                    moved.add(place + 1)
        return self.closed(moved)

    def accepts(self, places: frozenset[int]) -> bool:
        return len(self.pattern) in places


def contained(other: str, pattern: str) -> bool:
    """Whether every string of `other` is one of `pattern`'s: by walking through all there is, exact and slow."""
    left, right = Automaton(other), Automaton(pattern)
    waiting = [(left.start(), right.start())]
    seen = set(waiting)
    while waiting:
        a, b = waiting.pop()
        if left.accepts(a) and not right.accepts(b):
            return False
        for letter in LETTERS:
            pair = (left.after(a, letter), right.after(b, letter))
            if pair[0] and pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return True


def test_short_patterns_cover_exactly_what_they_match() -> None:
    """Every pair of patterns of up to three characters, beside an exact and slow answer."""
    patterns = ["".join(each) for length in range(4) for each in itertools.product("ab*?", repeat=length)]
    wrong = [(p, o) for p in patterns for o in patterns if covers(p, o) != contained(o, p)]
    assert wrong == []


@given(PATTERNS, PATTERNS)
def test_patterns_cover_exactly_what_they_match(pattern: str, other: str) -> None:
    """Longer ones, drawn."""
    assert covers(pattern, other) == contained(other, pattern)


@given(st.lists(st.sampled_from(["a", "b", "*", "?", "${iot:ClientId}", "${x}"]), max_size=8), st.randoms())
def test_what_covers_a_pattern_with_variables_covers_it_for_every_value(
    parts: list[str], chance: random.Random
) -> None:
    """Never a claim that some device's values would break; the empty value among them."""
    other = "".join(parts)
    pattern = "".join(chance.choice([part, part, "*", "?"]) for part in parts)
    if covers(pattern, other):
        for client, x in itertools.product(["", "a", "b#", "aba"], repeat=2):
            filled = [text.replace("${iot:ClientId}", client).replace("${x}", x) for text in (other, pattern)]
            assert contained(filled[0], filled[1])


@pytest.mark.parametrize(
    ("pattern", "other", "answer"),
    [
        ("*", "${iot:ClientId}", True),
        ("?", "${iot:ClientId}", False),
        ("?*", "${iot:ClientId}", False),
        ("?*", "a${iot:ClientId}", True),
        ("${iot:ClientId}", "${iot:ClientId}", True),
        ("${iot:ClientId}", "sensor-1", False),
        ("${iot:ClientId}", "*", False),
        ("${iot:ClientId}", "${iot:Connection.Thing.ThingName}", False),
        ("topic/${iot:ClientId}/*", "topic/${iot:ClientId}/up/?", True),
        ("topic/*/up", "topic/${iot:ClientId}/up", True),
        ("*iot*", "${iot:ClientId}", False),
        ("*@*", "@{account}", False),
        ("a$(*)", "a$(x)", False),
        ("a$(*)", "a$(*)", True),
        ("a${*}b", "a${*}b", True),
        ("${", "${", True),
        ("*", "${unclosed", True),
        ("topic/#", "topic/a", False),
        ("iot:*", "iot:Publish", True),
        ("iot:publish", "iot:Publish", False),
    ],
)
def test_a_variable_is_a_text_that_nobody_knows(pattern: str, other: str, answer: bool) -> None:
    """MQTT's own wildcards mean nothing in a policy."""
    assert covers(pattern, other) is answer


def test_covering_is_fast_for_hostile_patterns() -> None:
    """Two patterns as long as a policy may be, of the kind that makes backtracking exponential."""
    begin = time.process_time()
    assert not covers("*a" * 1000 + "b", "a" * 2000)
    assert covers("*a" * 1000, "?a*" * 700 + "a" * 300)
    assert time.process_time() - begin < 10


def test_writing_a_policy_differently_does_not_change_its_meaning() -> None:
    """Order of statements and lists, Sids, lists of one, duplicates, split and merged statements."""
    connect, send, deny = copy.deepcopy(DOCUMENT["Statement"])
    connect["Condition"] = {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}
    connect["Action"] = ["iot:Connect", "iot:Connect"]
    del connect["Sid"]
    receive = {**send, "Sid": "Receive", "Action": "iot:Receive", "Resource": send["Resource"][::-1]}
    publish = {**send, "Sid": "Publish", "Action": ["iot:Publish"]}
    rewritten = {"Statement": [deny, receive, connect, publish, deny], "Version": "2012-10-17"}
    assert same_meaning(parse_document(DOCUMENT), parse_document(rewritten))


def edited(edit: Callable[[list[dict[str, Any]]], object]) -> dict[str, Any]:
    """Return the document after an edit of its statements."""
    document = copy.deepcopy(DOCUMENT)
    edit(document["Statement"])
    return document


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda s: s.pop(), id="deny-dropped"),
        pytest.param(lambda s: s[2].update(Effect="Allow"), id="effect"),
        pytest.param(lambda s: s[1].update(Action="iot:Publish"), id="action-dropped"),
        pytest.param(lambda s: s[1]["Resource"].append(f"{ARN}topic/c"), id="resource-added"),
        pytest.param(lambda s: s[1].update(Resource=f"{ARN}topic/A/*"), id="case"),
        pytest.param(lambda s: s[0].pop("Condition"), id="condition-dropped"),
        pytest.param(
            lambda s: s[0].update(Condition={"Bool": {"iot:Connection.Thing.IsAttached": "false"}}), id="value"
        ),
        pytest.param(
            lambda s: s[0].update(Condition={"StringEquals": {"iot:Connection.Thing.IsAttached": "true"}}),
            id="operator",
        ),
    ],
)
def test_every_change_of_meaning_is_seen(edit: Callable[[list[dict[str, Any]]], object]) -> None:
    """One edit each; unequal in both directions."""
    before, after = parse_document(DOCUMENT), parse_document(edited(edit))
    assert not same_meaning(before, after)
    assert not same_meaning(after, before)


def test_pairs_that_were_never_in_one_statement_are_not_invented() -> None:
    """Publish a and Receive b is not Publish and Receive on a and b."""
    crossed = edited(
        lambda s: s.__setitem__(
            slice(1, 2),
            [
                {"Effect": "Allow", "Action": "iot:Publish", "Resource": f"{ARN}topic/a/*"},
                {"Effect": "Allow", "Action": "iot:Receive", "Resource": f"{ARN}topic/b"},
            ],
        )
    )
    assert not same_meaning(parse_document(DOCUMENT), parse_document(crossed))
    assert atoms(parse_document(crossed)) < atoms(parse_document(DOCUMENT))


def test_white_space_in_the_file_is_not_in_the_document() -> None:
    """Formatting alone creates no version."""
    loose = json.loads(json.dumps(DOCUMENT, indent=4))
    assert same_meaning(parse_document(DOCUMENT), parse_document(loose))


def allowed(*conditions: Condition) -> Atom:
    """Return an atom with conditions."""
    return Atom(Effect.ALLOW, "iot:Connect", "*", frozenset(conditions))


@pytest.mark.parametrize(
    ("wide", "narrow", "answer"),
    [
        ([], [Condition("Bool", "k", ("true",))], True),
        ([Condition("Bool", "k", ("true",))], [], False),
        ([Condition("StringLike", "k", ("a", "b"))], [Condition("StringLike", "k", ("a",))], True),
        ([Condition("StringLike", "k", ("a",))], [Condition("StringLike", "k", ("a", "b"))], False),
        ([Condition("StringNotLike", "k", ("a",))], [Condition("StringNotLike", "k", ("a", "b"))], True),
        ([Condition("StringNotLike", "k", ("a", "b"))], [Condition("StringNotLike", "k", ("a",))], False),
        ([Condition("StringLike", "k", ("a",))], [Condition("StringEquals", "k", ("a",))], False),
        ([Condition("StringLike", "k", ("a",))], [Condition("StringLike", "other", ("a",))], False),
    ],
)
def test_fewer_conditions_cover_more(wide: list[Condition], narrow: list[Condition], answer: bool) -> None:
    """Several values are alternatives, so more of them allow more; after a negated operator they allow less."""
    assert allowed(*wide).covers(allowed(*narrow)) is answer
