"""Where the rules put what they find, and the words that findings share."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from jitr_fleet.policies.lint_rules import RULES
from jitr_fleet.policies.source import LintFinding, PolicySource, Severity


class LintReport:
    """Collects the findings of one file."""

    def __init__(self, source: PolicySource) -> None:
        self._source = source
        self.findings: list[LintFinding] = []

    def add(self, rule: str, pointer: str, message: str, *, severity: Severity | None = None) -> None:
        """Note a finding; the severity is the rule's own unless given."""
        self.findings.append(
            LintFinding(
                rule=rule,
                severity=severity or RULES[rule].severity,
                file=self._source.file,
                line=self._source.line_of(pointer),
                path=pointer,
                message=message,
            )
        )

    def line_of(self, pointer: str) -> int:
        """Return the line of a place in the file."""
        return self._source.line_of(pointer)

    def has(self, rule: str) -> bool:
        """Return whether a rule was broken so far."""
        return any(finding.rule == rule for finding in self.findings)


def nearest(found: str, known: Collection[str], *, otherwise: str) -> str:
    """Return the known name that was probably meant, whatever its case, or `otherwise`."""
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(found.casefold(), folded, n=1)
    return f"did you mean {folded[near[0]]}?" if near else otherwise
