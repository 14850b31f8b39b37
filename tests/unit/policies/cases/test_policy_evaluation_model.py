"""The evaluator of AWS IoT policies gives the same answers as a second, naive reading of the rules."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jitr.policies.document import parse_document
from jitr_fleet.policies.evaluation.decision import Decision, evaluate
from jitr_fleet.policies.evaluation.facts import CertificateFacts, DeviceFacts, ThingFacts
from jitr_fleet.policies.evaluation.request import EXAMPLE_VALUES, AccessRequest
from tests.unit.policies.cases.naive_policy import decide

ARN = "arn:aws:iot:xx-example-1:123456789012:"
LONG = "a" * 1025
NAMES = ("a", "b", "a*", "a,b", "+", "")
texts = st.lists(
    st.sampled_from(
        [
            "a", "b", "/", "*", "?", "+", "\\", ",", "${*}", "$(*)",
            "${iot:ClientId}", "${iot:Connection.Thing.ThingName}",
            "${iot:Connection.Thing.Attributes[x]}", "${iot:Certificate.Subject.CommonName}",
            "${iot:Certificate.Subject.CommonName.1}", "${iot:Certificate.Subject.CommonName.List}",
        ]
    ),
    max_size=3,
).map("".join)  # fmt: skip
single_keys = st.sampled_from(
    ["iot:ClientId", "iot:Connection.Thing.ThingName", "iot:Connection.Thing.Attributes[x]",
     "iot:Certificate.Subject.CommonName", "iot:Certificate.Subject.CommonName.1", "iot:Connection.Thing.IsAttached",
     "aws:SourceVpce"]
)  # fmt: skip
OPERATORS = ("Equals", "NotEquals", "Like", "NotLike", "EqualsIgnoreCase", "NotEqualsIgnoreCase")
string_operators = st.sampled_from([f"String{name}{suffix}" for name in OPERATORS for suffix in ("", "IfExists")])
values = st.lists(texts, min_size=1, max_size=2)
conditions = st.one_of(
    st.just({}),
    st.builds(lambda operator, key, found: {operator: {key: found}}, string_operators, single_keys, values),
    st.builds(
        lambda quantifier, operator, found: {
            f"{quantifier}:{operator.removesuffix('IfExists')}": {"iot:Certificate.Subject.CommonName.List": found}
        },
        st.sampled_from(["ForAllValues", "ForAnyValue"]),
        string_operators,
        values,
    ),
    st.builds(
        lambda operator, key, found: {operator: {key: [found]}},
        st.sampled_from(["Null"]),
        single_keys,
        st.sampled_from(["true", "false"]),
    ),
    st.sampled_from([{"Bool": {"iot:Connection.Thing.IsAttached": [found]}} for found in ("true", "false")]),
)
ACTIONS = ("iot:Publish", "iot:Receive", "iot:*", "*", "iot:pub*", "iot:?ublish")
statements = st.builds(
    lambda effect, actions, resources, condition: {
        "Effect": effect, "Action": actions, "Resource": resources, "Condition": condition
    },
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=2),
    st.lists(st.one_of(st.just("*"), texts.map(lambda text: f"{ARN}topic/{text}")), min_size=1, max_size=2),
    conditions,
)  # fmt: skip
documents = st.lists(
    st.lists(statements, min_size=1, max_size=3).map(lambda found: {"Version": "2012-10-17", "Statement": found}),
    max_size=2,
)
devices = st.builds(
    DeviceFacts,
    client_id=st.sampled_from([None, *NAMES]),
    thing=st.one_of(
        st.none(),
        st.builds(
            ThingFacts,
            name=st.sampled_from(["a", "b"]),
            attributes=st.sampled_from([{}, {"x": "a"}, {"x": "#"}]),
            attached=st.booleans(),
            exclusive=st.booleans(),
        ),
    ),
    certificate=st.one_of(
        st.just(CertificateFacts()),
        st.lists(st.sampled_from([*NAMES, LONG]), max_size=7).map(
            lambda found: CertificateFacts(names={"Subject.CommonName": tuple(found)}, said=frozenset({"Subject"}))
        ),
    ),
    said=st.sampled_from([{}, {"aws:SourceVpce": ()}, {"aws:SourceVpce": ("a",)}]),
)
topics = st.lists(st.sampled_from(["a", "b", "/", "*", "+", "\\,", "A", "a\\,b", "${iot:ClientId}"]), max_size=3).map(
    "".join
)


def decided(documents: list[dict[str, Any]], facts: DeviceFacts, action: str, topic: str) -> Decision:
    """Ask whether a device may do something on a topic."""
    request = AccessRequest.of(action, f"topic/{topic}", facts, EXAMPLE_VALUES)
    return evaluate([parse_document(document) for document in documents], request)


@settings(max_examples=1500, deadline=None)
@given(documents, devices, st.sampled_from(["iot:Publish", "iot:Receive"]), topics)
def test_the_answer_is_that_of_a_naive_reading(
    written: list[dict[str, Any]], facts: DeviceFacts, action: str, topic: str
) -> None:
    """For any policies, devices and topics of a small world in which they often meet.

    Where the answer hangs on what nobody said there may be none; where there is one it holds whatever was not said.
    """
    found = decided(written, facts, action, topic).decision
    possible = decide(written, action, f"{ARN}topic/{topic}", facts)
    if found is None:
        assert facts.client_id is None or not facts.certificate.said or not facts.said
    else:
        assert possible == {found}


@given(documents, devices, topics)
def test_order_and_repetition_change_nothing(written: list[dict[str, Any]], facts: DeviceFacts, topic: str) -> None:
    """Neither of policies nor of statements."""
    turned = [{**each, "Statement": each["Statement"][::-1] * 2} for each in written[::-1]]
    first = decided(written, facts, "iot:Publish", topic).decision
    assert decided(turned, facts, "iot:Publish", topic).decision == first


def test_the_small_world_has_all_answers() -> None:
    """Otherwise the comparison would compare nothing: each answer is reached, with filled variables too."""
    seen = set()

    @settings(max_examples=300, database=None, derandomize=True, deadline=None)
    @given(documents, devices, topics)
    def look(written: list[dict[str, Any]], facts: DeviceFacts, topic: str) -> None:
        found = decided(written, facts, "iot:Publish", topic)
        seen.add((found.decision, any(each.value for each in found.variables)))

    look()
    assert {answer for answer, _ in seen} == {"allowed", "explicit_deny", "implicit_deny", None}
    assert ("allowed", True) in seen
