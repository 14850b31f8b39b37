"""The cookbook: templates that can be copied as they are, each clean under the lint and with cases that hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from jitr.settings import ThingNameSource
from jitr_fleet.policies.authoring.lint import lint_file
from jitr_fleet.policies.cases.case import Expectation
from jitr_fleet.policies.cases.suite import run_suite
from jitr_fleet.policies.context import LintContext, PolicyCa

ROOT = Path(__file__).parents[3]
COOKBOOK = ROOT / "docs" / "cookbook"
NAMES = ["bootstrap-only", "command-and-control", "fleet-broadcast", "gateway-with-children", "telemetry-only"]
# The day on which the cookbook's exceptions were reviewed.
REVIEWED = date(2026, 11, 30)


def without_things() -> LintContext:
    """Return a context whose devices have no Thing."""
    return LintContext(cas=(PolicyCa(name="factory-1", thing_name=ThingNameSource.OFF),))


def test_every_template_has_cases_and_a_line_in_the_readme() -> None:
    """Nothing is here that is not listed, and nothing is listed that is not here."""
    assert sorted(file.name.removesuffix(".json") for file in COOKBOOK.glob("*.json")) == NAMES
    assert sorted(file.name.removesuffix(".cases.toml") for file in COOKBOOK.glob("*.toml")) == NAMES
    readme = (COOKBOOK / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"| [{name}]({name}.json) |" in readme


@pytest.mark.parametrize("name", NAMES)
def test_every_template_is_clean_under_the_lint(name: str) -> None:
    """No warning either but a reviewed one, and nothing in it that is one deployment's."""
    found = lint_file(COOKBOOK / f"{name}.json", LintContext(literal_is_error=True, today=REVIEWED))
    assert [each for each in found if each.acknowledged is None] == []
    assert {each.rule for each in found} <= {"wildcard-after-variable"}


@pytest.mark.parametrize("name", NAMES)
def test_every_templates_cases_hold(name: str) -> None:
    """With something that must work and something that must not."""
    result = run_suite(COOKBOOK / f"{name}.json")
    assert [each.summary for each in result.failed] == []
    assert result.mistakes == ()
    expected = {each.case.expect for each in result.results}
    assert expected == {Expectation.ALLOWED, Expectation.DENIED}


@pytest.mark.parametrize("name", NAMES)
def test_only_the_bootstrap_template_works_without_things(name: str) -> None:
    """As the readme says."""
    found = lint_file(COOKBOOK / f"{name}.json", replace(without_things(), today=REVIEWED))
    rules = {finding.rule for finding in found if finding.acknowledged is None}
    assert rules == (set() if name == "bootstrap-only" else {"empty-variable"})


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_cookbook_is_deployed(name: str) -> None:
    """It is for copying; policies/ is what a deploy reads."""
    assert not (ROOT / "policies" / f"{name}.json").exists()
