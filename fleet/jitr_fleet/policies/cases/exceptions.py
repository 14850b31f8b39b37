"""Reviewed exceptions: findings of the lint that a reviewer let stay, written beside the cases.

Each names the rule, the place, the reason, the role that reviewed it and the last day on which it holds. The lint shows
what is acknowledged, and takes one that has run out for an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from jitr_fleet.files.mistakes import Mistakes
from jitr_fleet.files.tables import did_you_mean, read_table
from jitr_fleet.policies.cases.keys import EXCEPTION_KEYS
from jitr_fleet.policies.lint_rules import RULES


@dataclass(frozen=True, kw_only=True)
class ReviewedException:
    """One finding that may stay until the end of a day; `line` is where the file says so."""

    rule: str
    path: str
    reason: str
    reviewer: str
    until: date
    line: int

    def __str__(self) -> str:
        """Return what was acknowledged by whom, until when and why."""
        return f"acknowledged until {self.until} by {self.reviewer}: {self.reason}"

    def on(self, day: date) -> str:
        """Return the same as it stands on a day: from the one after `until` on it acknowledges nothing."""
        return str(self) if self.until >= day else f"ran out on {self.until}, was {self}"

    def as_data(self) -> dict[str, str]:
        """Return it as JSON shows it."""
        return {
            "rule": self.rule,
            "path": self.path,
            "reason": self.reason,
            "reviewer": self.reviewer,
            "until": self.until.isoformat(),
        }


def read_exceptions(document: Mapping[str, Any], mistakes: Mistakes) -> tuple[ReviewedException, ...]:
    """Return the exceptions of a file of cases; mistakes are noted, and what they concern acknowledges nothing.

    Not checked: whether the lint finds these findings, and what day it is.
    """
    tables = document.get("exceptions", [])
    if not isinstance(tables, list):
        mistakes.add("exceptions", "found no list of tables", "expected: [[exceptions]]")
        return ()
    found = (_read(table, f"exceptions[{index}]", mistakes) for index, table in enumerate(tables))
    return tuple(each for each in found if each is not None)


def _read(table: object, path: str, mistakes: Mistakes) -> ReviewedException | None:
    before = len(mistakes)
    values = read_table(table, EXCEPTION_KEYS, path=path, mistakes=mistakes)
    if len(mistakes) > before:
        return None
    rule = RULES.get(values["rule"])
    if rule is None:
        mistakes.add(f"{path}.rule", f'there is no rule "{values["rule"]}"', did_you_mean(values["rule"], RULES))
        return None
    if not rule.has_exceptions:
        mistakes.add(
            f"{path}.rule", f"{rule.id} has no exceptions: AWS IoT would refuse the policy", "mend the template"
        )
        return None
    try:
        until = date.fromisoformat(values["until"])
    except ValueError:
        mistakes.add(
            f"{path}.until", f'there is no such day as "{values["until"]}"', "expected: one such as 2027-06-30"
        )
        return None
    line = mistakes.line_of(path) if mistakes.line_of else 1
    return ReviewedException(
        rule=rule.id,
        path=values["path"],
        reason=values["reason"],
        reviewer=values["reviewer"],
        until=until,
        line=line,
    )
