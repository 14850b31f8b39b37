"""The page on the lint keeps its word: its rules are the code's, and each example does what the page says."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from jitr.settings import ThingNameSource
from jitr_fleet.policies.authoring.lint import lint_file
from jitr_fleet.policies.context import CaFacts, LintContext
from jitr_fleet.policies.language.actions import ACTIONS
from jitr_fleet.policies.lint_rules import RULES
from jitr_fleet.policies.source import Finding

PAGE = (Path(__file__).parents[4] / "docs" / "policy-lint.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^(Bad|Good):\n\n```([\w ]+)\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
DEPLOYMENT = LintContext(
    account="111122223333",
    region="eu-west-1",
    partition="aws",
    cas=(
        CaFacts(
            name="factory-1",
            thing_name=ThingNameSource.OFF,
            issuer_fields={"Organization": ("Example",), "CommonName": ("Factory CA 1",)},
        ),
    ),
)


@dataclass(frozen=True)
class Section:
    """One rule's section of the page."""

    rule: str
    text: str

    def findings(self, kind: str, folder: Path) -> list[Finding]:
        """Lint the section's example of a kind."""
        ((_, language, example),) = [match for match in EXAMPLE.findall(self.text) if match[0] == kind]
        file = folder / "policy.json"
        if language == "sh":
            subprocess.run(["bash", "-euc", example], cwd=folder, check=True)
        elif "statement" in language:
            file.write_text(f'{{"Version": "2012-10-17", "Statement": [{example}]}}', encoding="utf-8")
        else:
            file.write_text(example, encoding="utf-8")
        return lint_file(file, DEPLOYMENT if "deployment" in language else LintContext())


SECTIONS = [Section(*match) for match in re.findall(r"^### ([\w-]+)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)]


def test_page_and_code_list_the_same_rules() -> None:
    """No rule more, none less, none twice."""
    assert sorted(section.rule for section in SECTIONS) == sorted(RULES)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.rule)
def test_each_section_says_what_the_code_says(section: Section) -> None:
    """How bad it is, and why it is a rule, in the same sentence."""
    rule = RULES[section.rule]
    assert section.text.startswith(f"\n{rule.severity.capitalize()}. {rule.why}\n")


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.rule)
def test_each_bad_example_breaks_this_rule_and_no_other(section: Section, tmp_path: Path) -> None:
    """With the severity of the catalogue, and a message that says more than the rule's name."""
    findings = section.findings("Bad", tmp_path)
    assert {finding.rule for finding in findings} == {section.rule}
    for finding in findings:
        assert finding.severity is RULES[section.rule].severity
        assert finding.line >= 1
        assert len(finding.message) > 20


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.rule)
def test_each_good_example_breaks_no_rule_at_all(section: Section, tmp_path: Path) -> None:
    """What the page recommends is clean."""
    assert section.findings("Good", tmp_path) == []


def test_the_page_lists_every_action() -> None:
    """In the words that editors show."""
    rows = re.findall(r"^\| `(\S+:\S+)` \| .* \| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [(action.name, action.about) for action in ACTIONS.values()]
