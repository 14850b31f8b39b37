"""What the lint finds once it knows the deployment and its CAs, and how large a policy may get there."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest

from jitr.policies.template import MAXIMUM_CHARACTERS, render_policy
from jitr.policies.values import DEVICE_VALUES, longest_device_values
from jitr_fleet.policies.authoring.lint import lint_bytes
from jitr_fleet.policies.context import LintContext
from jitr_fleet.policies.rules.values import LONGEST_DEPLOYMENT_VALUES
from jitr_fleet.policies.source import Severity
from tests.unit.policies.lint.linted import ARN, ATTACHED, AWS_ARN, THING, ca, findings, rules, statement

ROOT = Path(__file__).parents[4]


def test_what_is_written_out_is_a_warning_without_a_deployment() -> None:
    """And an error where a template has to work anywhere."""
    written = statement("iot:Receive", f"{AWS_ARN}topic/news")
    (warning,) = findings(written)
    assert (warning.rule, warning.severity) == ("literal-deployment-value", Severity.WARNING)
    (error,) = findings(written, context=LintContext(literal_is_error=True))
    assert (error.rule, error.severity) == ("literal-deployment-value", Severity.ERROR)


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:iot:us-east-1:123456789012:", set()),
        ("arn:@{partition}:iot:us-east-1:@{account}:", set()),
        ("arn:aws-cn:iot:us-east-1:123456789012:", {"wrong-deployment"}),
        ("arn:aws:iot:eu-west-1:123456789012:", {"wrong-deployment"}),
        ("arn:aws:iot:us-east-1:210987654321:", {"wrong-deployment"}),
        ("arn:aws:iot:us-*:123456789012:", {"wrong-deployment"}),
        ("arn:aws:iot:*:*:", {"literal-deployment-value"}),
        ("arn:aws:iot:::", {"malformed-arn"}),
    ],
)
def test_with_a_deployment_arns_are_compared_with_it(arn: str, expected: set[str]) -> None:
    """Right ones need not be values of the template."""
    context = LintContext(account="123456789012", region="us-east-1", partition="aws")
    assert {each.rule for each in findings(statement("iot:Receive", f"{arn}topic/news"), context=context)} == expected


def test_variables_of_a_thing_are_empty_where_there_are_no_things() -> None:
    """In resources, in conditions, and for the template's own value; each says for which CA."""
    for connect in (
        statement("iot:Connect", f"{ARN}client/{THING}"),
        statement("iot:Connect", f"{ARN}client/${{iot:Certificate.Subject.CommonName}}", Condition=ATTACHED),
        statement("iot:Connect", f"{ARN}client/@{{device.thing_name}}"),
    ):
        empty = [each for each in findings(connect, context=ca("off")) if each.rule == "empty-variable"]
        assert [each.severity for each in empty] == [Severity.ERROR]
        assert "factory-1" in empty[0].message
        assert "empty-variable" not in rules(connect, context=ca("cn"))


@pytest.mark.parametrize(
    ("operator", "key", "value", "is_empty"),
    [
        ("Bool", "IsAttached", "true", True),
        ("Bool", "IsAttached", "false", False),
        ("StringEquals", "ThingName", "a", True),
        ("ForAnyValue:StringLike", "Attributes[site]", "a", True),
        ("StringNotEquals", "ThingName", "a", False),
        ("StringEqualsIfExists", "ThingTypeName", "a", False),
        ("Null", "ThingName", "true", False),
    ],
)
def test_a_condition_that_holds_without_a_thing_is_no_finding(
    operator: str, key: str, value: str, is_empty: bool
) -> None:
    """IAM's rules on keys that are not there."""
    deny = statement(
        "iot:Receive", f"{ARN}topic/news", effect="Deny", Condition={operator: {f"iot:Connection.Thing.{key}": value}}
    )
    assert rules(deny, context=ca("off")) == ({"empty-variable"} if is_empty else set())


def test_the_default_template_is_an_error_for_a_ca_without_things() -> None:
    """Every device of that CA would be refused at its first connect."""
    raw = (ROOT / "policies" / "default.json").read_bytes()
    assert {each.rule for each in lint_bytes("default.json", raw, ca("off"))} == {"empty-variable"}


@pytest.mark.parametrize(
    ("variable", "is_empty"),
    [
        ("Issuer.CommonName", False),
        ("Issuer.Organization", True),
        ("Issuer.OrganizationalUnit", False),
        ("Issuer.OrganizationalUnit.1", False),
        ("Issuer.OrganizationalUnit.2", True),
        ("Issuer.Title", True),
        ("Issuer.AlternativeName.DNSName", False),
        ("Subject.Organization", False),
    ],
)
def test_fields_of_the_issuer_are_those_of_the_ca(variable: str, is_empty: bool) -> None:
    """A value with a wildcard is not filled in; of a device's own fields nothing is known."""
    context = ca(CommonName=("Factory CA 1",), OrganizationalUnit=("A", "B"), Title=("A+B",))
    publish = statement("iot:Publish", f"{ARN}topic/${{iot:Certificate.{variable}}}/data")
    assert ("empty-variable" in rules(publish, context=context)) is is_empty


def test_no_region_or_partition_is_longer_than_the_lint_reckons_with() -> None:
    """By the list of the AWS SDK."""
    session = boto3.Session()
    partitions = session.get_available_partitions()
    regions = {region for each in partitions for region in session.get_available_regions("iot", partition_name=each)}
    assert max(map(len, regions)) <= len(LONGEST_DEPLOYMENT_VALUES["region"])
    # Those that have AWS IoT.
    assert max(len(each) for each in ("aws", "aws-cn", "aws-us-gov")) <= len(LONGEST_DEPLOYMENT_VALUES["partition"])


def test_size_is_counted_as_the_renderer_counts_it() -> None:
    """To the character, for the longest values, white space left out."""
    padding = 0
    while True:
        publish = statement("iot:Publish", f"{ARN}topic/@{{device.common_name}}/ {'x' * padding}")
        template = json.dumps({"Version": "2012-10-17", "Statement": [publish]}, indent=4)
        rendered = render_policy(template, {**LONGEST_DEPLOYMENT_VALUES, **longest_device_values()})
        size = len("".join(rendered.split()))
        assert "too-long" not in rules(publish)
        if size == MAXIMUM_CHARACTERS:
            break
        padding += MAXIMUM_CHARACTERS - size
    publish["Resource"] += "x"
    assert "too-long" in rules(publish)


@pytest.mark.parametrize("name", DEVICE_VALUES)
def test_every_device_value_warns_once_of_what_it_costs(name: str) -> None:
    """However often it is used; the quota and the edits are named."""
    topics = [f"{ARN}topic/{place}/@{{{name}}}" for place in ("a", "b")]
    (warning,) = findings(statement("iot:Publish", topics))
    assert (warning.rule, warning.severity) == ("device-value", Severity.WARNING)
    assert "one more of AWS IoT's limited calls" in warning.message
    assert "an edit reaches new devices only" in warning.message
