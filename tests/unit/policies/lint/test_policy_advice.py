"""The product's own advice passes itself: what messages, pages and the editors' schema recommend is clean and works."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jitr.policies.document import parse_document
from jitr_fleet.policies.authoring.editor_schema import policy_schema
from jitr_fleet.policies.authoring.examples import CONNECTING, read_examples
from jitr_fleet.policies.authoring.lint import lint_bytes, lint_file
from jitr_fleet.policies.cases.case import policy_of
from jitr_fleet.policies.context import LintContext
from jitr_fleet.policies.evaluation.decision import evaluate
from jitr_fleet.policies.evaluation.facts import CertificateFacts, DeviceFacts, ThingFacts
from jitr_fleet.policies.evaluation.request import EXAMPLE_VALUES, AccessRequest
from jitr_fleet.policies.language.actions import action_named

DOCS = Path(__file__).parents[4] / "docs"
ARN = "arn:@{partition}:iot:@{region}:@{account}:"
ACTIONS = {
    "client": "iot:Connect", "topic": "iot:Publish", "topicfilter": "iot:Subscribe", "thing": "iot:GetThingShadow",
    "rolealias": "iot:AssumeRoleWithCertificate",
}  # fmt: skip
ADVISED = re.compile(r"(?:as in|write|use) ((?:client|topic|topicfilter|thing|rolealias)/[^\s;,]+)")
ATTACHED = {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}


def messages(folder: Path) -> list[str]:
    """Return what the lint says about every bad example of its rules."""
    found = []
    for index, each in enumerate(each for section in read_examples() for each in section.rules):
        place = folder / str(index)
        place.mkdir()
        if each.bad.kind == "sh":
            subprocess.run(["bash", "-euc", each.bad.text], cwd=place, check=True)
        else:
            (place / "policy.json").write_text(each.bad.document, encoding="utf-8")
        found += [finding.message for finding in lint_file(place / "policy.json", LintContext())]
    return found


def policy(resource: str) -> dict[str, Any]:
    """A policy that allows what a resource is for, beside a connection and delivery."""
    kind = resource.partition("/")[0]
    statement: dict[str, Any] = {"Effect": "Allow", "Action": ACTIONS[kind], "Resource": ARN + resource}
    if kind == "client":
        return {"Version": "2012-10-17", "Statement": [{**statement, "Condition": ATTACHED}]}
    received = {"Effect": "Allow", "Action": "iot:Receive", "Resource": f"{ARN}topic/replies"}
    return {"Version": "2012-10-17", "Statement": [statement, received, json.loads(CONNECTING)]}


def device(name: str) -> DeviceFacts:
    """A device whose certificate and Thing have one name."""
    certificate = CertificateFacts(names={"Subject.CommonName": (name,)}, said=frozenset({"Subject"}))
    return DeviceFacts(client_id=name, thing=ThingFacts(name=name), certificate=certificate)


def allows(document: dict[str, Any], resource: str, name: str) -> bool:
    """Return whether a device of this name may do what the resource is for."""
    action = ACTIONS[resource.partition("/")[0]]
    facts = device(name) if action != "iot:Connect" else DeviceFacts(client_id="sensor-1", thing=device(name).thing)
    policies = [policy_of(json.dumps(document), EXAMPLE_VALUES, facts)]
    return evaluate(policies, AccessRequest.of(action, resource, facts, EXAMPLE_VALUES)).allowed


def test_every_mend_is_clean_and_is_for_its_own_device_only(tmp_path: Path) -> None:
    """Filled in for sensor-1 it allows sensor-1, and not sensor-10 or another one."""
    advised = {found.rstrip(".") for message in messages(tmp_path) for found in ADVISED.findall(message)}
    advised = {each for each in advised if "…" not in each and "type/name" not in each}
    assert len(advised) >= 4, advised
    for resource in sorted(advised):
        document = policy(resource)
        assert [str(each) for each in lint_bytes(resource, json.dumps(document).encode(), LintContext())] == []
        asked = re.sub(r"\$\{[^}]*\}", "sensor-1", resource).replace("*", "a")
        assert allows(document, asked, "sensor-1"), resource
        if "${" in resource:
            assert not allows(document, asked, "sensor-10"), resource
            assert not allows(document, asked, "other"), resource


def test_what_an_editor_offers_is_clean() -> None:
    """Each resource, with an action that it is for."""
    offered = policy_schema()["definitions"]["statement"]["properties"]["Resource"]["anyOf"][0]["examples"]
    for arn in offered:
        resource = arn.removeprefix(ARN)
        if resource == "*":
            continue
        found = lint_bytes(arn, json.dumps(policy(resource.replace("[name]", "[site]"))).encode(), LintContext())
        shared = {"wildcard-without-variable"}
        assert {each.rule for each in found} <= shared, (arn, found)


@pytest.mark.parametrize("page", sorted(DOCS.glob("**/*.md")), ids=lambda page: page.name)
def test_every_policy_on_a_page_is_clean(page: Path) -> None:
    """But for those that the lint's page shows to be wrong; its own test looks at these."""
    if page.name == "policy-lint.md":
        return
    for text in re.findall(r"^```json[^\n]*\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        if '"Effect"' not in text or '"AssumeRole' in text:
            continue
        value = json.loads(text)
        document = value if "Statement" in value else {"Version": "2012-10-17", "Statement": [value]}
        actions = [each["Action"] for each in parse_and_list(document)]
        if not all(
            action_named(name) for action in actions for name in ([action] if isinstance(action, str) else action)
        ):
            continue
        found = lint_bytes(str(page), json.dumps(document).encode(), LintContext())
        assert {each.rule for each in found} <= {"no-connect", "subscribe-without-receive"}, found


def parse_and_list(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of a policy that AWS IoT takes."""
    assert parse_document(document).statements
    statements = document["Statement"]
    return statements if isinstance(statements, list) else [statements]
