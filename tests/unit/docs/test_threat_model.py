"""The threat model: every threat says who, what stops it, what is left, and names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
THREATS = dict(re.findall(r"^### (.+?)\n(.+?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
PARTS = ("Try", "Stops it", "Left", "Shown by")


@pytest.mark.parametrize("threat", sorted(THREATS))
def test_every_threat_has_its_four_parts_in_order(threat: str) -> None:
    """None of them empty."""
    found = re.findall(r"^\*\*(.+?)\.\*\* \S", THREATS[threat], re.MULTILINE)
    assert tuple(found) == PARTS


@pytest.mark.parametrize("threat", sorted(THREATS))
def test_every_test_that_is_named_is_there(threat: str) -> None:
    """And every threat has at least one."""
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", THREATS[threat].partition("**Shown by.**")[2])
    assert named
    for file, test in named:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^ *def {test or 'test_'}\b" if test else r"^ *def test_", text, re.MULTILINE), (file, test)


def test_everybody_who_could_try_something_is_there() -> None:
    """Those whom any reader would look for first."""
    wanted = "stolen CA key|leaked device key|forged|dead letter|poisoned|withheld|subject|template|iot:|table"
    for each in wanted.split("|"):
        assert any(each in threat for threat in THREATS), each
