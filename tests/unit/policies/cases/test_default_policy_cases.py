"""The shipped policy passes its cases, and its cases notice whatever makes it weaker or useless."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jitr_fleet.policies.authoring.lint import lint_bytes
from jitr_fleet.policies.cases.suite import SuiteResult, run_suite
from jitr_fleet.policies.context import LintContext

POLICIES = Path(__file__).parents[4] / "policies"
TEMPLATE = (POLICIES / "default.json").read_text(encoding="utf-8")
THING = "${iot:Connection.Thing.ThingName}"
IS_ATTACHED = '"Condition": { "Bool": { "iot:Connection.Thing.IsAttached": ["true"] } }'


def suite_of(template: str, folder: Path) -> SuiteResult:
    """Run the shipped cases against another template."""
    (folder / "default.json").write_text(template, encoding="utf-8")
    (folder / "default.cases.toml").write_bytes((POLICIES / "default.cases.toml").read_bytes())
    return run_suite(folder / "default.json")


def test_the_shipped_policy_passes() -> None:
    """With the example values and with a deployment's."""
    suite = run_suite(POLICIES / "default.json")
    assert suite.passed, [result.explanation for result in suite.failed]
    assert run_suite(
        POLICIES / "default.json", {"account": "1" * 12, "region": "cn-north-1", "partition": "aws-cn"}
    ).passed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"client/{THING}", "client/*"),
        (f"client/{THING}", "client/${iot:ClientId}"),
        (f"client/{THING}", f"client/{THING}*"),
        (IS_ATTACHED, IS_ATTACHED.replace('"true"', '"false"')),
        (f"topic/devices/{THING}/*", "topic/devices/*"),
        (f"topic/devices/{THING}/*", f"topic/devices/{THING}*"),
        (f"topic/devices/{THING}/*", "topic/devices/${iot:ClientId}/*"),
        (f"topicfilter/devices/{THING}/*", "topicfilter/devices/*"),
        (f"topicfilter/devices/{THING}/*", "topicfilter/*"),
        (f"topicfilter/devices/{THING}/*", "topicfilter/devices/${iot:ClientId}/*"),
        (f"topic/$aws/things/{THING}/shadow/*", "topic/$aws/things/*"),
        (f"topicfilter/$aws/things/{THING}/shadow/*", "topicfilter/$aws/*"),
        (f"topicfilter/$aws/things/{THING}/shadow/*", "topicfilter/$aws/things/*/shadow/*"),
        (f"topicfilter/$aws/things/{THING}/jobs/*", f"topicfilter/$aws/things/{THING}/jobs"),
        (f"topic/$aws/things/{THING}/jobs/*", f"topic/$aws/things/{THING}/jobs/get"),
        ('["iot:Publish", "iot:Receive"]', '"iot:Publish"'),
        ('["iot:Publish", "iot:Receive"]', '["iot:Publish", "iot:Receive", "iot:RetainPublish"]'),
        (":@{account}:topic/devices", ":*:topic/devices"),
        (":@{region}:@{account}:topic/devices", ":*:@{account}:topic/devices"),
    ],
)
def test_a_weaker_or_narrower_policy_fails_a_case(old: str, new: str, tmp_path: Path) -> None:
    """One edit each, of the kind that looks harmless in a review."""
    assert TEMPLATE.count(old) == 1, old
    assert suite_of(TEMPLATE.replace(old, new), tmp_path).failed


def test_without_the_condition_the_lint_asks_for_it() -> None:
    """No case can tell: by the strict reading a Thing's name is empty without the attachment."""
    weaker = TEMPLATE.replace(f",\n      {IS_ATTACHED}", "")
    assert weaker != TEMPLATE
    assert [each.rule for each in lint_bytes("p.json", weaker.encode(), LintContext())] == ["thing-not-required"]


@pytest.mark.parametrize("action", ["*", "iot:*", "iot:GetThingShadow", "iot:AssumeRoleWithCertificate", "iot:Update*"])
def test_a_statement_too_many_fails_a_case(action: str, tmp_path: Path) -> None:
    """On everything."""
    document = json.loads(TEMPLATE)
    document["Statement"].append({"Effect": "Allow", "Action": action, "Resource": "*"})
    assert suite_of(json.dumps(document), tmp_path).failed


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_statement_too_few_fails_a_case(index: int, tmp_path: Path) -> None:
    """None is there for nothing."""
    document = json.loads(TEMPLATE)
    del document["Statement"][index]
    assert suite_of(json.dumps(document), tmp_path).failed
