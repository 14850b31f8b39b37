"""The runbook has a section for everything that can go wrong, and none for what cannot."""

from __future__ import annotations

import re
from pathlib import Path

from jitr.errors import Reason

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^### ([a-z_]+)$", RUNBOOK, re.MULTILINE)


def test_every_reason_code_has_one_section_and_no_other_has() -> None:
    """The person on call searches for the code that the alarm or the log line names."""
    assert sorted(SECTIONS) == sorted([*Reason, "rule_failed", "unreadable"])


def test_every_reason_code_is_used() -> None:
    """A code that nothing raises would be a promise nobody keeps."""
    package = Path(__file__).parents[2] / "lambda" / "jitr"
    code = "\n".join(path.read_text() for path in package.rglob("*.py") if path.name != "errors.py")
    assert [reason.name for reason in Reason if f"Reason.{reason.name}" not in code] == []
