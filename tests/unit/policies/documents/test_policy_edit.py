"""The demo's policy edit, without the demo: wrong in one way, and right once it is mended."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jitr_fleet.policies.authoring.diff import ChangeKind, Side, diff_policies
from jitr_fleet.policies.authoring.lint import lint_file
from jitr_fleet.policies.cases.suite import SuiteResult, run_suite
from jitr_fleet.policies.context import LintContext
from jitr_local.stack.local_fleet import POLICIES
from jitr_local.story.policy_edit import CASES, MENDED, MISTAKEN, TEMPLATE, edited


def suite_with(folder: Path, alerts: str) -> SuiteResult:
    """Run the cases of the edit."""
    shutil.copytree(POLICIES, folder)
    cases = folder / f"{TEMPLATE}.cases.toml"
    cases.write_text(cases.read_text(encoding="utf-8") + CASES, encoding="utf-8")
    (folder / f"{TEMPLATE}.json").write_text(edited(alerts), encoding="utf-8")
    return run_suite(folder / f"{TEMPLATE}.json")


def test_the_mistaken_edit_fails_the_one_case_that_names_the_mistake(tmp_path: Path) -> None:
    """And none of the default's own cases."""
    suite = suite_with(tmp_path / "policies", MISTAKEN)
    assert [result.case.why for result in suite.failed] == ["No device raises another one's alert."]


def test_the_mended_edit_passes_every_case_and_the_lint(tmp_path: Path) -> None:
    """So it can be deployed."""
    assert suite_with(tmp_path / "policies", MENDED).passed
    assert lint_file(tmp_path / "policies" / f"{TEMPLATE}.json", LintContext()) == []


@pytest.mark.parametrize("kind", [ChangeKind.NEWLY_ALLOWED, ChangeKind.NEWLY_DENIED])
def test_the_edit_gives_one_right_and_takes_one(kind: ChangeKind) -> None:
    """Which is what the connected device feels."""
    checkout = (POLICIES / f"{TEMPLATE}.json").read_text(encoding="utf-8")
    found = diff_policies(TEMPLATE, Side(label="a", text=checkout), Side(label="b", text=edited(MENDED)))
    assert [atom.action for atom in found.of(kind)] == ["iot:Publish"]
