"""The pages on lint and language are those that the code makes, and each rule's examples do what the page says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jitr.settings import ThingNameSource
from jitr_fleet.policies.authoring.examples import Example, RuleExamples, read_examples
from jitr_fleet.policies.authoring.lint import lint_file
from jitr_fleet.policies.authoring.pages import language_page, lint_page
from jitr_fleet.policies.context import LintContext, PolicyCa
from jitr_fleet.policies.language.actions import ACTIONS
from jitr_fleet.policies.language.keys import REQUEST_KEYS
from jitr_fleet.policies.language.variables import VARIABLES
from jitr_fleet.policies.lint_rules import RULES
from jitr_fleet.policies.source import LintFinding

DOCS = Path(__file__).parents[4] / "docs"
DEPLOYMENT = LintContext(
    account="111122223333",
    region="eu-west-1",
    partition="aws",
    cas=(
        PolicyCa(
            name="factory-1",
            thing_name=ThingNameSource.OFF,
            issuer_fields={"Organization": ("Example",), "CommonName": ("Factory CA 1",)},
        ),
    ),
)
EXAMPLES = [each for section in read_examples() for each in section.rules]


def findings(example: Example, folder: Path) -> list[LintFinding]:
    """Lint an example as the file that it stands for."""
    file = folder / "policy.json"
    if example.kind == "sh":
        subprocess.run(["bash", "-euc", example.text], cwd=folder, check=True)
    else:
        file.write_text(example.document, encoding="utf-8")
    return lint_file(file, DEPLOYMENT if "deployment" in example.kind else LintContext())


@pytest.mark.parametrize(("name", "text"), [("policy-lint.md", lint_page()), ("policy-language.md", language_page())])
def test_the_page_is_the_one_that_the_code_makes(name: str, text: str) -> None:
    """`python -m jitr_fleet.policies.authoring.pages` writes it again."""
    assert (DOCS / name).read_text(encoding="utf-8") == text


def test_every_rule_has_its_examples() -> None:
    """No rule more, none less, none twice."""
    assert sorted(each.rule for each in EXAMPLES) == sorted(RULES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.rule)
def test_each_bad_example_breaks_this_rule_and_no_other(example: RuleExamples, tmp_path: Path) -> None:
    """With the severity of the catalogue, and a message that says more than the rule's name."""
    found = findings(example.bad, tmp_path)
    assert {finding.rule for finding in found} == {example.rule}
    for finding in found:
        assert finding.severity is RULES[example.rule].severity
        assert finding.line >= 1
        assert len(finding.message) > 20


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.rule)
def test_each_good_example_breaks_no_rule_at_all(example: RuleExamples, tmp_path: Path) -> None:
    """What the page recommends is clean."""
    assert findings(example.good, tmp_path) == []


def test_every_row_of_the_tables_names_its_source_and_its_day() -> None:
    """So that somebody can look again."""
    sources = [row.source for row in ACTIONS.values()]
    sources += [key.source for key in REQUEST_KEYS.values()]
    sources += [variable.source for variable in VARIABLES.values()]
    for source in sources:
        assert source.page
        assert source.seen >= "2026-01-01"
