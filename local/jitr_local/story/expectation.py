"""What the demo expected beside what it observed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SummaryLine:
    """One line of the summary."""

    expected: str
    observed: str
    met: bool
