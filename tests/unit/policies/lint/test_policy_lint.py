"""The rules of the lint, beyond the examples of its page: near misses, and statements that change nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jitr_fleet.policies.authoring.lint import lint_bytes
from jitr_fleet.policies.context import LintContext
from jitr_fleet.policies.evaluation.conditions import OPERATORS as EVALUATED
from jitr_fleet.policies.language.operators import OPERATORS
from jitr_fleet.policies.source import Severity
from tests.unit.policies.lint.linted import ARN, ATTACHED, NO_CONTEXT, THING, findings, rules, statement

ROOT = Path(__file__).parents[4]


def test_the_default_template_is_clean() -> None:
    """No error and no warning."""
    raw = (ROOT / "policies" / "default.json").read_bytes()
    assert lint_bytes("policies/default.json", raw, LintContext(literal_is_error=True)) == []


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        ("topic/a/*", "topic/a/b", "redundant-statement"),
        ("topic/a/b", "topic/a/*", "redundant-statement"),
        ("topic/a/b", "topic/a/b", "redundant-statement"),
        ("topic/a/b", "topic/a/c", None),
        (f"topic/{THING}/*", f"topic/{THING}/a", "redundant-statement"),
        (f"topic/{THING}/*", "topic/${iot:ClientId}/a", "client-id-in-topic"),
    ],
)
def test_what_is_said_twice_is_a_warning(first: str, second: str, rule: str | None) -> None:
    """In two statements or in one, whichever comes first; one finding for each."""
    apart = findings(statement("iot:Receive", ARN + first), statement("iot:Receive", ARN + second))
    together = findings(statement("iot:Receive", [ARN + first, ARN + second]))
    assert [each.rule for each in apart] == [each.rule for each in together] == ([rule] if rule else [])


def test_a_condition_makes_a_statement_narrower() -> None:
    """Covered is what has the same condition or more, not what has less."""
    free = statement("iot:Receive", f"{ARN}topic/a")
    bound = statement("iot:Receive", f"{ARN}topic/a", Condition=ATTACHED)
    (finding,) = findings(free, bound)
    assert (finding.rule, finding.path) == ("redundant-statement", "/Statement/1")
    other = statement("iot:Receive", f"{ARN}topic/a", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})
    assert findings(bound, other) == []


def test_an_allow_is_dead_only_if_all_of_it_is_denied_without_condition() -> None:
    """A Deny of a part, or under a condition, leaves something."""
    allow = statement("iot:Receive", [f"{ARN}topic/a", f"{ARN}topic/b"])
    assert rules(allow, statement("iot:Receive", f"{ARN}topic/*", effect="Deny")) == {"denied-statement"}
    assert rules(allow, statement("iot:Receive", f"{ARN}topic/a", effect="Deny")) == set()
    assert rules(allow, statement("iot:Receive", f"{ARN}topic/*", effect="Deny", Condition=ATTACHED)) == set()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("iot:Publsh", "did you mean iot:Publish?"),
        ("iot:publish", "spelled iot:Publish"),
        ("Publish", "did you mean iot:Publish?"),
        ("IOT:CONNECT", "spelled iot:Connect"),
        ("iot:Xyzzy", "docs/policy-language.md"),
        ("iot:CreateThing", "control plane"),
        ("s3:GetObject", "another service"),
        ("iot:Pub*", "wildcard"),
        ("*", "wildcard"),
        ("iot:@{account}", "nothing is filled in"),
    ],
)
def test_a_wrong_action_is_told_what_was_meant(written: str, meant: str) -> None:
    """One finding, with the mend."""
    (finding,) = findings(statement(written, f"{ARN}topic/news"))
    assert meant in finding.message
    assert finding.path == "/Statement/0/Action"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("${iot:Connection.Thing.Thingname}", "did you mean iot:Connection.Thing.ThingName?"),
        ("${iot:clientid}", "did you mean iot:ClientId?"),
        ("${iot:Certificate.Subject.CN}", "iot:Certificate.Subject."),
        ("${credentials-iot:ThingName}", "iot:Connection.Thing.ThingName"),
        ("${iot:Connection.Thing.Attributes}", "write Attributes[name]"),
        ("${iot:Connection.Thing.ThingName.List}", "without .N and .List"),
        ("${iot:ClientId", "never closed"),
        ("${nonsense}", "docs/policy-language.md"),
    ],
)
def test_a_wrong_variable_is_told_what_was_meant(written: str, meant: str) -> None:
    """In a resource, and in a value of a condition."""
    in_resource = findings(statement("iot:Receive", f"{ARN}topic/{written}"))
    condition = {"StringEquals": {"iot:Certificate.Subject.CommonName": written}}
    in_condition = findings(statement("iot:Receive", f"{ARN}topic/news", Condition=condition))
    for found in (in_resource, in_condition):
        assert [meant in each.message for each in found] == [True], found


@pytest.mark.parametrize(
    "written",
    ["${*}", "${?}", "${$}", "$(*)", "$(?)", "$($)", "${iot:Connection.Thing.Attributes[site]}", "${aws:SourceIp}"],
)
def test_what_aws_fills_in_is_no_finding(written: str) -> None:
    """Characters that stand for themselves included."""
    assert rules(statement("iot:Receive", f"{ARN}topic/{written}/x")) == set()


@pytest.mark.parametrize("prefix", ["", "ForAllValues:", "ForAnyValue:"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_of_iam_is_known(prefix: str, operator: str) -> None:
    """With its two prefixes and its suffix; Null stands alone, and AWS does not say what IfExists is of any value."""
    for suffix in ("", "IfExists"):
        condition = {f"{prefix}{operator}{suffix}": {"iot:Certificate.Subject.CommonName.List": "a"}}
        found = rules(statement("iot:Receive", f"{ARN}topic/news", Condition=condition))
        is_wrong = (operator == "Null" and prefix + suffix) or (prefix == "ForAnyValue:" and suffix)
        assert ("unknown-operator" in found) is bool(is_wrong)


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"iot:Certificate.Subject.Organization.List": "a"}},
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}},
        {"NumericLessThan": {"aws:EpochTime": "soon"}},
        {"ForAnyValue:StringEquals": {"iot:ConnectAttributes": ["LastWil"]}},
        {"Bool": {"iot:Connection.Thing.IsAttached": "yes"}},
    ],
)
def test_a_condition_that_the_evaluator_refuses_is_found_before_any_case_runs(condition: dict[str, Any]) -> None:
    """Lint and evaluator read conditions with the same code; a misspelt value of a key with few values is one too."""
    assert "condition-value" in rules(statement("iot:Connect", f"{ARN}client/{THING}", Condition=condition))


def test_the_lint_knows_every_operator_that_the_evaluator_evaluates() -> None:
    """And one more: Null, which is no comparison."""
    assert set(OPERATORS) - set(EVALUATED) == {"Null"}
    assert set(EVALUATED) <= set(OPERATORS)


@pytest.mark.parametrize("text", ["@{aws}", "@{", "@{account", "@{device.ip}", "@{}"])
def test_only_the_values_of_the_notation_are_filled_in(text: str) -> None:
    """Everything else would reach AWS IoT as text."""
    assert "unknown-value" in rules(statement("iot:Receive", f"{ARN}topic/{text}"))


def test_a_value_in_a_key_is_not_filled_in() -> None:
    """The renderer replaces values only."""
    condition = {"StringEquals": {"@{account}": "x"}}
    assert "unknown-value" in rules(statement("iot:Receive", f"{ARN}topic/news", Condition=condition))


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("iot:Subscribe", "topic/news"),
        ("iot:Publish", "topicfilter/news"),
        ("iot:Receive", "topicfilter/news"),
        ("iot:Connect", "thing/one"),
        ("iot:GetThingShadow", "topic/one"),
        ("iotjobsdata:UpdateJobExecution", "client/one"),
    ],
)
def test_an_action_on_the_wrong_type_of_resource_is_an_error(action: str, name: str) -> None:
    """On the action and on the resource: either may be the mistake."""
    found = [each for each in findings(statement(action, ARN + name)) if each.rule == "action-resource"]
    assert sorted(each.path for each in found) == ["/Statement/0/Action", "/Statement/0/Resource"]


def test_a_statement_may_hold_actions_and_resources_of_several_types() -> None:
    """Each needs one that fits."""
    both = ["iot:Subscribe", "iot:Receive"]
    assert rules(statement(both, [f"{ARN}topicfilter/news", f"{ARN}topic/news"])) == set()
    assert rules(statement(both, f"{ARN}topic/news")) == {"action-resource"}


def test_a_single_statement_need_not_be_a_list() -> None:
    """Pointers then have no index."""
    document = {"Version": "2012-10-17", "Statement": statement("iot:publish", f"{ARN}topic/news")}
    (finding,) = lint_bytes("p.json", json.dumps(document).encode(), NO_CONTEXT)
    assert finding.path == "/Statement/Action"


def test_a_greengrass_policy_is_no_mistake() -> None:
    """Its actions belong into policies of AWS IoT, its resources are its own."""
    arn = "arn:aws:greengrass:eu-west-1:111122223333:components:*"
    assert rules(statement("greengrass:GetComponentVersionArtifact", arn)) == set()
    own = f"{ARN}thing/${{iot:Certificate.Subject.CommonName}}"
    for action in ("greengrass:Discover", "greengrass:GetConnectivityInfo", "greengrass:UpdateConnectivityInfo"):
        assert rules(statement(action, own)) == set()
    assert rules(statement("greengrass:Discover", f"{ARN}thing/{THING}")) == {"thing-variable-without-thing"}
    assert rules(statement("greengrass:Discover", f"{ARN}topic/x")) == {"action-resource"}


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iot:Publish", "arn:@{partition}:io?:@{region}:@{account}:topic/*"),
        ("iot:Connect", "arn:aws:i*:*:*:client/*"),
        ("iot:Publish", "arn:aws:*:*:*:topic/*"),
        ("iot:Publish", "arn:aws:greengrass:eu-west-1:111122223333:topic/x"),
        (["iot:Publish", "greengrass:Discover"], "arn:aws:greengrass:eu-west-1:111122223333:components:x"),
        ("greengrass:Discover", "arn:aws:green*:eu-west-1:111122223333:components:x"),
    ],
)
def test_the_service_of_an_arn_is_spelled_out(action: object, resource: str) -> None:
    """A wildcard there would evade what is said of the rest."""
    found = [each for each in findings(statement(action, resource)) if each.rule == "malformed-arn"]
    assert [(each.severity, each.path) for each in found] == [(Severity.ERROR, "/Statement/0/Resource")]


@pytest.mark.parametrize(
    ("name", "said"),
    [("devices/+/commands", "messages of every device below it"), (f"devices/{THING}/#", "and no other filter")],
)
def test_a_filter_with_mqtt_wildcards_is_not_told_to_allow_more(name: str, said: str) -> None:
    """A star would allow every filter that begins so."""
    (finding,) = findings(statement("iot:Subscribe", f"{ARN}topicfilter/{name}"))
    assert said in finding.message
    assert "*" not in finding.message


def test_conditions_on_other_numbers_are_other_conditions() -> None:
    """Numbers need no quotes, and count."""
    lower, higher = (
        statement("iot:Receive", f"{ARN}topic/a", Condition={"NumericLessThan": {"iot:ClientId": each}})
        for each in (5, 10)
    )
    assert "redundant-statement" not in rules(lower, higher)
    assert "redundant-statement" in rules(lower, lower)
