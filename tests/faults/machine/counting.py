"""How many cases of the fault matrix ran, told at the end of every run, on however many workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest

_PROPERTY = "fault matrix"
Count = Callable[[str], None]


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Iterable[Count]:
    """Count one case of a function; the test's report carries the numbers to wherever the run is summed up."""
    cases: Counter[str] = Counter()

    def one_more(function: str) -> None:
        cases[function] += 1

    yield one_more
    request.node.user_properties.append((_PROPERTY, dict(cases)))


def summary(reports: Iterable[Any]) -> str | None:
    """Return one line about all reports, None where no case ran."""
    cases: Counter[str] = Counter()
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == _PROPERTY and report.when == "teardown":
                cases.update(value)
    if not cases:
        return None
    functions = ", ".join(f"{function} {number:,}" for function, number in sorted(cases.items()))
    return f"fault matrix: {sum(cases.values()):,} cases ({functions})"
