"""Hostile templates: whatever the bytes, the lint returns findings, soon, and lets nothing pass that cannot be used."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitr.policies.document import parse_document
from jitr.policies.template import render_policy
from jitr.policies.values import longest_device_values
from jitr.settings import ThingNameSource
from jitr_fleet.policies.authoring.lint import lint_bytes
from jitr_fleet.policies.context import LintContext, PolicyCa
from jitr_fleet.policies.language.actions import ACTIONS
from jitr_fleet.policies.lint_rules import RULES
from jitr_fleet.policies.source import MAXIMUM_BYTES, LintFinding, Severity

DEPLOYMENT = LintContext(
    account="111122223333",
    region="eu-west-1",
    partition="aws",
    cas=(PolicyCa(name="a", thing_name=ThingNameSource.OFF), PolicyCa(name="b", thing_name=ThingNameSource.CN)),
)
SECONDS = 10
PIECES = [
    "arn:@{partition}:iot:@{region}:@{account}:", "arn:aws:iot:eu-west-1:111122223333:", "arn:", ":", "/", "*", "?",
    "topic/", "topicfilter/", "client/", "thing/", "$aws/things/", "+", "#", "${iot:ClientId}", "${", "}", "@{", "@",
    "${iot:Connection.Thing.ThingName}", "@{device.serial}", "@{account}", "${iot:Certificate.Issuer.CommonName.9}",
    "${iot:Certificate.Subject.CommonName.List}", "$", "\ue000", "\u2028", "\0", "\U0001f600", " ",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(max_size=8)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
ONE_OR_MANY = st.sampled_from(list(ACTIONS)) | st.lists(st.sampled_from(list(ACTIONS)), min_size=1, max_size=3)
RESOURCES = st.builds(
    lambda type_, parts: f"arn:@{{partition}}:iot:@{{region}}:@{{account}}:{type_}/{''.join(parts)}",
    st.sampled_from(["client", "topic", "topicfilter", "thing", "rolealias"]),
    st.lists(
        st.sampled_from(["a", "/", "*", "+", "${iot:Connection.Thing.ThingName}", "@{device.serial}"]), min_size=1
    ),
)
CONDITIONS = st.fixed_dictionaries({"Bool": st.fixed_dictionaries({"iot:Connection.Thing.IsAttached": VALUES})})
STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]) | VALUES,
        "Action": ONE_OR_MANY | VALUES,
        "Resource": RESOURCES | st.lists(RESOURCES, min_size=1, max_size=2) | VALUES,
    },
    optional={
        "Sid": TEXTS | VALUES,
        "Condition": CONDITIONS | VALUES,
        "NotAction": VALUES,
        "Principal": VALUES,
        "Other": VALUES,
    },
)
GOOD_STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": ONE_OR_MANY, "Resource": RESOURCES},
    optional={"Sid": st.text(max_size=4), "Id": st.just("x")},
)
DOCUMENTS = st.fixed_dictionaries(
    {"Version": st.just("2012-10-17") | VALUES, "Statement": st.lists(STATEMENTS, max_size=3) | STATEMENTS | VALUES},
    optional={"Id": VALUES, "Other": VALUES},
)
GOOD_DOCUMENTS = st.fixed_dictionaries(
    {"Version": st.just("2012-10-17"), "Statement": st.lists(GOOD_STATEMENTS, min_size=1, max_size=3)}
)


def verify(raw: bytes) -> list[LintFinding]:
    """Lint bytes with and without a deployment; anything raised fails the test. Returns the findings without."""
    lines = raw.count(b"\n") + 1
    for context in (DEPLOYMENT, LintContext()):
        findings = lint_bytes("policy.json", raw, context)
        for finding in findings:
            assert finding.rule in RULES
            assert 1 <= finding.line <= lines
            assert finding.path == "" or finding.path.startswith("/")
            json.dumps(finding.message).encode()
            assert str(finding).encode()
    return findings


def verify_usable(document: dict[str, Any], raw: bytes) -> bool:
    """If the lint finds no error, the template parses and renders; returns whether that was so."""
    if any(finding.severity is Severity.ERROR for finding in verify(raw)):
        return False
    deployment = {"account": "111122223333", "region": "ap-southeast-1", "partition": "aws-us-gov"}
    rendered = render_policy(raw.decode(), {**deployment, **longest_device_values()})
    found = document["Statement"]
    assert len(parse_document(json.loads(rendered)).statements) == (len(found) if isinstance(found, list) else 1)
    return True


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_findings(raw: bytes) -> None:
    """There is no policy in noise."""
    assert verify(raw)


@given(VALUES)
def test_json_of_any_kind_is_linted(value: object) -> None:
    """Whatever it is, it is no policy."""
    assert verify(json.dumps(value).encode())


@given(DOCUMENTS)
@settings(max_examples=300)
def test_what_looks_like_a_policy_is_linted(document: dict[str, Any]) -> None:
    """With anything in every place; without an error it parses and renders."""
    verify_usable(document, json.dumps(document).encode())


@given(GOOD_DOCUMENTS)
@settings(max_examples=300)
def test_a_template_without_an_error_parses_and_renders(document: dict[str, Any]) -> None:
    """The lint lets nothing pass that fails later."""
    verify_usable(document, json.dumps(document, ensure_ascii=False, indent=1).encode())


def policy(action: object, resource: object) -> dict[str, Any]:
    """Return a policy of one statement."""
    return {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": action, "Resource": resource}}


LARGE: dict[str, object] = {
    "lists": [[]] * 130_000,
    "empty statements": {"Version": "2012-10-17", "Statement": [{}] * 130_000},
    "statements": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "a", "Resource": "b"}] * 8_000},
    "actions": policy(["iot:Publish"] * 25_000, "*"),
    "long action": policy("x" * 400_000, "*"),
    "wildcards": policy("iot:Publish", "*a" * 200_000),
    "variables": policy("iot:Publish", "${" * 200_000),
    "unclosed variables": policy("iot:Publish", "${a" * 130_000),
    "values": policy("iot:Publish", "@{" * 200_000),
    "colons": policy("iot:Publish", ":" * 400_000),
    "long key": {"x" * 400_000: 1},
    "keys": {f"k{index}": index for index in range(25_000)},
    "long operator": {"Version": "2012-10-17", "Statement": {"Condition": {"Bool" * 90_000: {"x": 1}}}},
    "long condition key": {
        "Version": "2012-10-17",
        "Statement": {"Condition": {"Bool": {"iot:A" + ".1" * 190_000: 1}}},
    },
    "long index": {"Version": "2012-10-17", "Statement": {"Condition": {"Bool": {"iot:ClientId." + "9" * 390_000: 1}}}},
}


@pytest.mark.parametrize("document", LARGE.values(), ids=LARGE)
def test_the_largest_file_takes_seconds_at_most(document: object) -> None:
    """No rule's time grows faster than the file, but for those that compare, and these leave out what is too long."""
    raw = json.dumps(document, separators=(",", ":")).encode()
    assert 200_000 < len(raw) <= MAXIMUM_BYTES
    before = time.process_time()
    assert lint_bytes("policy.json", raw, DEPLOYMENT)
    assert time.process_time() - before < SECONDS


def test_a_template_that_just_fits_takes_little_time() -> None:
    """The comparing rules at their worst: as many wildcards and statements as 2,048 characters hold."""
    patterns = ["arn:aws:iot:*:*:topic/" + "*a" * 300, "arn:aws:iot:*:*:topic/" + "a*" * 300 + "b"]
    many = {"Effect": "Allow", "Action": "iot:Receive", "Resource": [f"{index}" for index in range(100)]}
    before = time.process_time()
    for statement in ({"Effect": "Allow", "Action": "iot:Receive", "Resource": patterns}, many):
        document = {"Version": "2012-10-17", "Statement": [statement]}
        findings = lint_bytes("policy.json", json.dumps(document).encode(), LintContext())
        assert "too-long" not in {finding.rule for finding in findings}
    assert time.process_time() - before < SECONDS
