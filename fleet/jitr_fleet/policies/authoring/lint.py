"""The lint of policy templates: every finding at once, each with its line, its rule and what mends it.

Pure apart from `lint_file`, which reads the file. The rules are in `rules`, their list in its catalogue.
"""

from __future__ import annotations

from pathlib import Path

from jitr_fleet.policies.authoring.acknowledging import acknowledge
from jitr_fleet.policies.context import LintContext
from jitr_fleet.policies.rules.actions import check_actions
from jitr_fleet.policies.rules.breadth import check_breadth
from jitr_fleet.policies.rules.clients import check_clients
from jitr_fleet.policies.rules.conditions import check_conditions
from jitr_fleet.policies.rules.denials import check_denials
from jitr_fleet.policies.rules.grammar import check_grammar
from jitr_fleet.policies.rules.pairs import check_pairs
from jitr_fleet.policies.rules.reach import check_reach
from jitr_fleet.policies.rules.reading.report import LintReport
from jitr_fleet.policies.rules.reading.written import written_statements
from jitr_fleet.policies.rules.resources import check_resources
from jitr_fleet.policies.rules.topics import check_topics
from jitr_fleet.policies.rules.values import check_values
from jitr_fleet.policies.rules.variables import check_variables
from jitr_fleet.policies.source import LintFinding, PolicySource, read_policy_file, read_policy_source


def lint_file(path: Path, context: LintContext, *, name: str | None = None) -> list[LintFinding]:
    """Return the findings in a file, by line; a file that cannot be read is a finding. Never raises.

    What the file of cases beside it acknowledges is marked so, and no error.
    """
    source, findings = read_policy_file(path, name=name)
    found = [*findings, *(lint_policy(source, context) if source is not None else ())]
    return _sorted(acknowledge(path, found, today=context.today))


def lint_bytes(name: str, raw: bytes, context: LintContext) -> list[LintFinding]:
    """Return the findings in a file's bytes, by line; `name` is what the findings call the file. Never raises."""
    source, findings = read_policy_source(name, raw)
    return _sorted([*findings, *(lint_policy(source, context) if source is not None else ())])


def lint_policy(source: PolicySource, context: LintContext) -> list[LintFinding]:
    """Return the findings in a policy that was read, by line. Never raises.

    A template without an error is one that `jitr.policies.document` accepts, and that renders within AWS IoT's size.
    """
    report = LintReport(source)
    check_grammar(source.value, report)
    check_values(source.value, context, report)
    statements = written_statements(source.value)
    check_actions(statements, report)
    check_resources(statements, context, report)
    check_variables(statements, context, report)
    check_conditions(statements, report)
    check_breadth(statements, report)
    check_clients(statements, report)
    check_topics(statements, report)
    check_pairs(statements, report)
    if not report.has("too-long"):
        # These compare everything with everything.
        check_denials(statements, report)
        check_reach(statements, report)
    return _sorted(report.findings)


def _sorted(findings: list[LintFinding]) -> list[LintFinding]:
    return sorted(findings, key=lambda each: (each.line, each.path, each.rule))
