"""Reviewed exceptions: acknowledged findings stay visible, and run out."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from jitr_fleet.fleet_file.reader import read_fleet
from jitr_fleet.fleet_file.warnings import notes_of
from jitr_fleet.policies.authoring.acknowledging import exceptions_of
from jitr_fleet.policies.authoring.diff import PolicyDiff, Side, diff_policies
from jitr_fleet.policies.authoring.diff_report import as_data, markdown
from jitr_fleet.policies.authoring.lint import lint_file
from jitr_fleet.policies.context import LintContext
from jitr_fleet.policies.source import Severity
from tests.unit.policies.lint.linted import ARN, ATTACHED, THING, statement

EXCEPTION = """
[[exceptions]]
rule = "client-id-of-others"
path = "/Statement/0/Resource"
reason = "No Thing has a name that begins with another one's."
reviewer = "fleet security lead"
until = "2027-06-30"
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A template with one error, and its exception."""
    file = tmp_path / "core.json"
    allow = statement("iot:Connect", f"{ARN}client/{THING}-*", Condition=ATTACHED)
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [allow]}), encoding="utf-8")
    (tmp_path / "core.cases.toml").write_text(EXCEPTION, encoding="utf-8")
    return file


def test_an_acknowledged_error_is_a_warning_that_says_who_and_why(template: Path) -> None:
    """Until the day it names, that day included."""
    (finding,) = lint_file(template, LintContext(today=date(2027, 6, 30)))
    assert finding.severity is Severity.WARNING
    assert "acknowledged until 2027-06-30 by fleet security lead: No Thing" in finding.message
    assert finding.acknowledged is not None
    assert finding.acknowledged["reviewer"] == "fleet security lead"
    (found,) = exceptions_of(template)
    assert found.until == date(2027, 6, 30)


def test_the_diff_shows_it_to_whoever_reviews(template: Path) -> None:
    """As data, and in a pull request's comment."""
    text = template.read_text(encoding="utf-8")
    side = Side(label="p", text=text)
    diff = replace(diff_policies("core", side, side), exceptions=exceptions_of(template))
    (data,) = as_data(diff)["exceptions"]
    assert (data["rule"], data["until"]) == ("client-id-of-others", "2027-06-30")
    assert "acknowledged until 2027-06-30 by fleet" in _comment(diff, date(2027, 6, 30))
    assert "ran out on 2027-06-30" in _comment(diff, date(2027, 7, 1))


def _comment(diff: PolicyDiff, today: date) -> str:
    return html.unescape(markdown([diff], title="t", today=today))


def test_synth_says_it_again(template: Path) -> None:
    """Among the notes of the deployment."""
    (deployment,) = read_fleet(Path(__file__).parents[4] / "fleet.toml", check_policies=False).deployments[:1]
    own = replace(deployment, policies_folder=template.parent, policies={"core": template.read_text(encoding="utf-8")})
    assert any("policy core, client-id-of-others at /Statement/0/Resource: ack" in each for each in notes_of(own))


def test_an_expired_one_is_an_error_and_so_is_the_finding(template: Path) -> None:
    """From the next day on."""
    found = lint_file(template, LintContext(today=date(2027, 7, 1)))
    assert {each.rule for each in found} == {"client-id-of-others", "expired-exception"}
    assert {each.severity for each in found} == {Severity.ERROR}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("/Statement/0/Resource", "/Statement/1/Resource", "unused-exception"),
        ('rule = "client-id-of-others"', 'rule = "too-long"', "invalid-exception"),
        ('rule = "client-id-of-others"', 'rule = "no-such-rule"', "invalid-exception"),
        ('until = "2027-06-30"', 'until = "2027-02-30"', "invalid-exception"),
        ('until = "2027-06-30"', "", "invalid-exception"),
        ('reviewer = "fleet security lead"', "", "invalid-exception"),
        ("[[exceptions]]", "[exceptions]", "invalid-exception"),
    ],
)
def test_what_is_wrong_with_an_exception_acknowledges_nothing(template: Path, old: str, new: str, rule: str) -> None:
    """The error stays, and the exception is a finding of its own."""
    file = template.with_name("core.cases.toml")
    file.write_text(EXCEPTION.replace(old, new), encoding="utf-8")
    found = {each.rule: each.severity for each in lint_file(template, LintContext(today=date(2027, 1, 1)))}
    assert found["client-id-of-others"] is Severity.ERROR
    assert rule in found
