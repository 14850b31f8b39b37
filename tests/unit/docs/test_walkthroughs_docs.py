"""The walk-throughs' page: every way that it names is a command with those options, and its template is as it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from jitr_cli.tree import root
from jitr_fleet.policies.authoring.lint import lint_file
from jitr_fleet.policies.cases.case import Expectation
from jitr_fleet.policies.cases.suite import run_suite
from jitr_fleet.policies.context import LintContext
from jitr_local.stack.local_fleet import OWN_POLICIES, POLICIES

PAGE = (Path(__file__).parents[3] / "docs" / "walkthroughs.md").read_text(encoding="utf-8")
TEMPLATE = OWN_POLICIES / "walkthrough.json"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| .* \| (000|002|003|004)\b.* \|", line)
]
COMMANDS = sorted(set(re.findall(r"^ *(jitr .*?)$|`(jitr .+?)`", PAGE, re.MULTILINE)))


def test_every_document_has_its_steps_and_every_step_a_way() -> None:
    """A row is a step: where it is from, what to do here, and how that differs."""
    assert {len(row) for row in ROWS} == {4}
    assert {document for row in ROWS for document in re.findall(r"\b00\d\b", row[1])} == {"000", "002", "003", "004"}
    assert [row[0] for row in ROWS if not row[2]] == []


@pytest.mark.parametrize("command", [one or other for one, other in COMMANDS])
def test_every_command_on_the_page_is_one(command: str) -> None:
    """Group, command and options exist; values and files are the reader's."""
    group_name, name, *arguments = shlex.split(command)[1:]
    if name == "register" and not arguments:
        return
    group = root.get_command(click.Context(root), group_name)
    assert isinstance(group, click.Group)
    found = group.get_command(click.Context(group), name)
    assert found is not None, command
    options = {option for parameter in found.params for option in parameter.opts}
    assert {each for each in arguments if each.startswith("--")} <= options


def test_the_template_has_the_one_finding_that_the_page_explains() -> None:
    """And that one is a warning, or it would not be deployed."""
    assert [(each.rule, each.severity) for each in lint_file(TEMPLATE, LintContext(literal_is_error=True))] == [
        ("client-id-free", "warning")
    ]
    assert "`client-id-free`" in PAGE


def test_the_templates_cases_hold() -> None:
    """With something that must work and something that must not."""
    result = run_suite(TEMPLATE)
    assert [each.summary for each in result.failed] == []
    assert result.mistakes == ()
    assert {each.case.expect for each in result.results} == {Expectation.ALLOWED, Expectation.DENIED}


def test_no_real_deployment_has_the_template() -> None:
    """The folder that fleet files name has none of the local stack's own."""
    assert {file.name for file in OWN_POLICIES.iterdir()} & {file.name for file in POLICIES.iterdir()} == set()
