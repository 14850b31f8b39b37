"""A template and its cases together: what `jitr policy test` and `cdk synth` run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jitr.policies.document import parse_document
from jitr.policies.values import PolicyError
from jitr_fleet.files.mistakes import Mistake
from jitr_fleet.policies.cases.case import CaseResult, run_case
from jitr_fleet.policies.cases.file import SUFFIX, cases_of, read_cases, template_of
from jitr_fleet.policies.evaluation.request import EXAMPLE_VALUES, values_in
from jitr_fleet.policies.source import read_policy_file


@dataclass(frozen=True, kw_only=True)
class SuiteResult:
    """How one template's cases went; after a mistake in either file there are no results."""

    template: Path
    cases: Path
    results: tuple[CaseResult, ...] = ()
    mistakes: tuple[Mistake, ...] = ()

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        """The cases whose answer was not the right one."""
        return tuple(result for result in self.results if not result.passed)

    @property
    def passed(self) -> bool:
        """Whether every case had the right answer, and there was at least one."""
        return bool(self.results) and not self.failed and not self.mistakes


def suites_in(paths: Iterable[Path]) -> list[Path]:
    """Return the templates that paths are about, each once: a folder's, a template itself, or that of a cases file.

    Some may not exist; `run_suite` says so.
    """
    templates: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found = [*path.glob("*.json"), *(template_of(cases) for cases in path.glob(f"*{SUFFIX}"))]
            templates |= dict.fromkeys(sorted(found))
        else:
            templates[template_of(path) if path.name.endswith(SUFFIX) else path] = None
    return list(templates)


def run_suite(template: Path, values: Mapping[str, str] | None = None) -> SuiteResult:
    """Run a template's cases; without `values`, with the account and Region of its ARNs, or else with examples.

    A template without cases is a mistake, and so are cases without a template. Never raises for what is in them.
    """
    file = cases_of(template)
    if not template.exists():
        found = f"there is no template {template.name} beside it"
        return _mistaken(template, file, found, "name the cases after their template")
    if not file.exists():
        found = f"has no cases: there is no {file.name} beside it"
        return _mistaken(template, template, found, "write at least one; see docs/policy-evaluation.md")
    source, findings = read_policy_file(template)
    if source is None or findings:
        mistakes = tuple(
            Mistake(file=template, line=each.line, key="", found=each.message, allowed="") for each in findings
        )
        return SuiteResult(template=template, cases=file, mistakes=mistakes)
    cases, mistakes = read_cases(file)
    chosen = values or own_values(source.value)
    results = tuple(run_case(case, source.text, chosen, name=template.name) for case in cases)
    return SuiteResult(template=template, cases=file, results=results, mistakes=mistakes)


def own_values(document: object) -> Mapping[str, str]:
    """Return the account, Region and partition that a policy's own ARNs name, or examples; never raises.

    `document` is parsed JSON of any shape.
    """
    try:
        statements = parse_document(document).statements
    except PolicyError:
        return EXAMPLE_VALUES
    return values_in(text for statement in statements for text in statement.texts) or EXAMPLE_VALUES


def _mistaken(template: Path, file: Path, found: str, allowed: str) -> SuiteResult:
    mistake = Mistake(file=file, key="", found=found, allowed=allowed)
    return SuiteResult(template=template, cases=cases_of(template), mistakes=(mistake,))
