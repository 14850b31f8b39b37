"""Reviewed exceptions applied to findings: what is acknowledged stays visible, and is no error while it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

from jitr_fleet.policies.cases.exceptions import ReviewedException, read_exceptions
from jitr_fleet.policies.cases.file import cases_of, read_document
from jitr_fleet.policies.lint_rules import RULES
from jitr_fleet.policies.source import LintFinding, Severity


def acknowledge(template: Path, findings: list[LintFinding], *, today: date | None) -> list[LintFinding]:
    """Return a template's findings with those of its cases file's exceptions that hold today; never raises.

    Added are an error for each exception that cannot be read or has run out, a warning for each that nothing needs.
    """
    file = cases_of(template)
    if not file.is_file():
        return findings
    document, mistakes = read_document(file)
    exceptions = () if document is None else read_exceptions(document, mistakes)
    broken = [
        _finding("invalid-exception", str(file), each.line or 1, f"{each.key}: {each.found}; {each.allowed}")
        for each in mistakes.found
    ]
    day = today or date.today()  # noqa: DTZ011 - the day of whoever reviews, as the file says it
    return [*_marked(findings, exceptions, day), *broken, *_own(file, exceptions, findings, day)]


def exceptions_of(template: Path) -> tuple[ReviewedException, ...]:
    """Return the exceptions that a template's cases file acknowledges; those that cannot be read are left out."""
    file = cases_of(template)
    document, mistakes = read_document(file) if file.is_file() else (None, None)
    return () if document is None or mistakes is None else read_exceptions(document, mistakes)


def _marked(
    findings: Iterable[LintFinding], exceptions: Iterable[ReviewedException], day: date
) -> Iterator[LintFinding]:
    holding = {(each.rule, each.path): each for each in exceptions if each.until >= day}
    for finding in findings:
        found = holding.get((finding.rule, finding.path))
        if found is None or not RULES[finding.rule].has_exceptions:
            yield finding
        else:
            message = f"{finding.message} ({found})"
            yield replace(finding, severity=Severity.WARNING, message=message, acknowledged=found.as_data())


def _own(
    file: Path, exceptions: Iterable[ReviewedException], findings: Iterable[LintFinding], day: date
) -> Iterator[LintFinding]:
    """Yield what is wrong with the exceptions themselves."""
    places = {(finding.rule, finding.path) for finding in findings}
    for each in exceptions:
        if each.until < day:
            message = (
                f"the exception for {each.rule} at {each.path} ran out on {each.until}; review it, or mend the policy"
            )
            yield _finding("expired-exception", str(file), each.line, message)
        elif (each.rule, each.path) not in places:
            message = f"nothing is found by {each.rule} at {each.path}; remove the exception, or mend its path"
            yield _finding("unused-exception", str(file), each.line, message)


def _finding(rule: str, file: str, line: int, message: str) -> LintFinding:
    return LintFinding(rule=rule, severity=RULES[rule].severity, file=file, line=line, path="", message=message)
