"""How deep the races are searched in this run (`--race-depth`), and the line at its end that says how much was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

OPTION = "--race-depth"
PROPERTY = "race search"


def add_option(parser: pytest.Parser) -> None:
    """Add --race-depth."""
    told = "how deep races are searched: bounded, deep, or with so many preemptions (`all`: any number)"
    parser.addoption(OPTION, default="bounded", metavar="DEPTH", help=told)


def summary(reports: Iterable[Any], depth: str) -> str | None:
    """Return one line about all reports, None where nothing was searched."""
    counted: Counter[str] = Counter()
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY and report.when == "teardown":
                counted.update(value)
    if not counted:
        return None
    return (
        f"race search ({depth}): {counted['states']:,} states in {counted['searches']} searches "
        f"({counted['schedules']:,} schedules, {counted['cut short']:,} more cut short)"
    )
