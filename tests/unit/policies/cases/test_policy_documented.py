"""Questions with an answer in AWS's documents: the evaluator gives that answer, and no such policy is refused.

The collection is documented.toml: reduced examples in our own words, each with the page it comes from.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from jitr.policies.document import parse_document
from jitr_fleet.policies.authoring.lint import lint_bytes
from jitr_fleet.policies.context import LintContext
from jitr_fleet.policies.evaluation.decision import evaluate
from jitr_fleet.policies.evaluation.facts import CertificateFacts, DeviceFacts, ThingFacts
from jitr_fleet.policies.evaluation.request import EXAMPLE_VALUES, AccessRequest
from jitr_fleet.policies.language.actions import Protocol
from jitr_fleet.policies.language.keys import REQUEST_KEYS
from jitr_fleet.policies.source import Severity

COLLECTION = tomllib.loads((Path(__file__).parent / "documented.toml").read_text(encoding="utf-8"))["policies"]
ARN = "arn:aws:iot:xx-example-1:123456789012:"
QUESTIONS = [(policy, question) for policy in COLLECTION for question in policy["questions"]]
# Errors of the lint that AWS's own examples meet, because they are dangerous in a fleet.
DANGEROUS = {"overly-permissive", "client-id-in-topic", "client-id-unbound"}


def document(policy: dict[str, Any]) -> dict[str, Any]:
    """The policy in full, with the ARNs that the collection leaves out."""
    kinds = r'"(client|topic|topicfilter|thing|rolealias)/'
    statements = re.sub(kinds, lambda found: f'"{ARN}{found[1]}/', policy["statements"])
    return {"Version": "2012-10-17", "Statement": json.loads(statements)}


def facts(question: dict[str, Any]) -> DeviceFacts:
    """What the question says of the device and the request."""
    name = question.get("thing", "sensor-1")
    thing = ThingFacts(
        name=name,
        type_name=question.get("type"),
        attributes=question.get("attributes"),
        attached=question.get("attached", True),
        exclusive=question.get("exclusive", True),
    )
    said = {}
    for key in REQUEST_KEYS.values():
        if key.case_key in question and key.case_key != "at":
            value = question[key.case_key]
            said[key.name] = tuple(each for each in ([value] if isinstance(value, str) else value) if each)
    subject = question.get("subject")
    names = {f"Subject.{part}": tuple(values) for part, values in (subject or {}).items()}
    return DeviceFacts(
        client_id=question.get("client_id", name),
        source_ip=question.get("source_ip"),
        protocol=Protocol(question.get("protocol", "mqtt")),
        thing=thing if name else None,
        certificate=CertificateFacts(names=names, said=frozenset() if subject is None else frozenset({"Subject"})),
        now=datetime.fromisoformat(question["at"]) if "at" in question else None,
        said=said,
    )


@pytest.mark.parametrize(("policy", "question"), QUESTIONS, ids=lambda each: each.get("ask", ""))
def test_the_answer_is_the_documented_one(policy: dict[str, Any], question: dict[str, Any]) -> None:
    """Undetermined where the document's answer hangs on what the question leaves out."""
    action, resource = question["ask"].split(" ", 1)
    request = AccessRequest.of(action, resource, facts(question), EXAMPLE_VALUES)
    found = evaluate([parse_document(document(policy))], request)
    assert (found.decision or "undetermined") == question["answer"], found.explanation([policy["page"]])


def test_no_documented_policy_is_refused_unless_it_is_dangerous(capsys: pytest.CaptureFixture[str]) -> None:
    """Every policy of the collection through the lint; the figures are printed."""
    errors: dict[str, set[str]] = {}
    for policy in COLLECTION:
        found = lint_bytes(policy["page"], json.dumps(document(policy)).encode(), LintContext())
        errors[policy["page"]] = {each.rule for each in found if each.severity is Severity.ERROR}
    assert {page: rules - DANGEROUS for page, rules in errors.items() if rules - DANGEROUS} == {}
    answers = {each: sum(question["answer"] == each for _, question in QUESTIONS) for each in
               ("allowed", "explicit_deny", "implicit_deny", "undetermined")}  # fmt: skip
    clean = sum(not rules for rules in errors.values())
    figures = f"{len(COLLECTION)} documented policies, {clean} without an error; {len(QUESTIONS)} questions: {answers}"
    with capsys.disabled():
        sys.stdout.write(f"\n{figures}\n")
    assert len(QUESTIONS) >= 60
    assert all(answers.values())
