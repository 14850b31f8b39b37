"""The runbook has a section for everything that can go wrong, and none for what cannot."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jitr.errors import Reason
from jitr.messages.dead_letters import CRASHED
from jitr.telemetry import metric_names

ROOT = Path(__file__).parents[3]
REASONS = (ROOT / "docs" / "runbook" / "reasons.md").read_text(encoding="utf-8")
ALARMS = (ROOT / "docs" / "runbook" / "alarms.md").read_text(encoding="utf-8")
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
OBSERVABILITY = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^### (.+)$", REASONS, re.MULTILINE)


def test_every_reason_code_has_one_section_and_no_other_has() -> None:
    """The person on call searches for the code that the alarm or the log line names."""
    assert sorted(SECTIONS) == sorted([*Reason, "rule_failed", "unreadable", CRASHED])


def test_the_index_names_every_section_once() -> None:
    """Whoever knows a code or an alarm's name finds it from the first page."""
    index = RUNBOOK.partition("## Index")[2]
    assert sorted(re.findall(r"\(runbook/reasons\.md#(\w+)\)", index)) == sorted(SECTIONS)
    assert re.findall(r"\[([^\]]+)\]\(runbook/alarms\.md", index) == re.findall(r"^### (.+)$", ALARMS, re.MULTILINE)


@pytest.mark.parametrize("page", [RUNBOOK, ALARMS, REASONS], ids=["situations", "alarms", "reasons"])
def test_every_section_says_something(page: str) -> None:
    """A heading alone is no help at 3 a.m."""
    parts = re.split(r"^(#{2,3}) (.+)$", page, flags=re.MULTILINE)[1:]
    bodies = {parts[n + 1]: parts[n + 2].strip() for n in range(0, len(parts), 3) if parts[n] == "###"}
    assert [title for title, body in bodies.items() if len(body) < 60] == []


def test_every_alarm_in_the_code_has_its_section() -> None:
    """Whatever file it is defined in."""
    code = "\n".join(path.read_text() for path in (ROOT / "infra").rglob("*alarms.py"))
    sections = set(re.findall(r'section="([\w-]+)"', code))
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^### (.+)$", ALARMS, re.MULTILINE)}
    assert sections == headings
    assert len(sections) > 15


def test_every_reason_code_is_used() -> None:
    """A code that nothing raises would be a promise nobody keeps."""
    package = ROOT / "lambda" / "jitr"
    code = "\n".join(path.read_text() for path in package.rglob("*.py") if path.name != "errors.py")
    assert [reason.name for reason in Reason if f"Reason.{reason.name}" not in code] == []


def test_the_table_of_figures_lists_every_metric_and_no_other() -> None:
    """What the functions write, by the names that CloudWatch shows."""
    part = OBSERVABILITY.split("## Figures")[1].split("## Alarms")[0]
    listed = set(
        re.findall(r"`([A-Z]\w+)`", "\n".join(line.split("|")[1] for line in part.splitlines() if "|" in line))
    )
    names = {value for name, value in vars(metric_names).items() if name.isupper() and isinstance(value, str)}
    expected = {each for each in names if each[0].isupper()} | set(metric_names.OUTCOME_METRICS.values())
    assert listed == expected
