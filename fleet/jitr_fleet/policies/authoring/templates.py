"""The policy templates of a deployment: read from a folder, and checked by lint and cases before they are deployed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from jitr_fleet.deployments.deployment import FleetCa
from jitr_fleet.deployments.names import POLICY_NAME
from jitr_fleet.files.mistakes import Mistakes
from jitr_fleet.policies.authoring.lint import lint_file
from jitr_fleet.policies.cases.suite import run_suite, suites_in
from jitr_fleet.policies.context import LintContext, PolicyCa
from jitr_fleet.policies.source import Severity


def read_policy_templates(folder: Path, *, key: str, mistakes: Mistakes) -> dict[str, str]:
    """Return the text of every <name>.json of a folder by name, in order of names; mistakes are noted at `key`.

    Checked: that the folder is there, and the names. What cannot be read or decoded is left to `note_policy_mistakes`.
    """
    if not folder.is_dir():
        mistakes.add(key, f"there is no folder {folder}", "expected: the folder with the policy templates")
        return {}
    templates: dict[str, str] = {}
    for file in sorted(folder.glob("*.json")):
        if not re.fullmatch(POLICY_NAME, file.stem):
            mistakes.add("", f"the name {file.stem!r}", "letters, digits and _+=,.@-, at most 98", file=file)
            continue
        try:
            templates[file.stem] = file.read_bytes().decode("utf-8", errors="replace")
        except OSError as error:
            mistakes.add("", f"cannot be read: {error.strerror}", "expected: an AWS IoT policy as JSON", file=file)
    return templates


def note_policy_mistakes(
    folder: Path,
    names: Iterable[str],
    *,
    place: tuple[str, str, str],
    cas: Sequence[FleetCa],
    mistakes: Mistakes,
) -> None:
    """Note what must not be deployed of a folder: errors of the lint, failing cases, templates without any.

    `names` are its templates, `place` the deployment's account, Region and partition. A template with an error of
    the lint is not asked its cases.
    """
    account, region, partition = place
    values = {"account": account, "region": region, "partition": partition}
    sound = set()
    for name in names:
        file = folder / f"{name}.json"
        facts = tuple(PolicyCa.of(ca) for ca in cas if ca.policy == name)
        context = LintContext(account=account, region=region, partition=partition, cas=facts)
        errors = [finding for finding in lint_file(file, context) if finding.severity is Severity.ERROR]
        for error in errors:
            found_in = Path(error.file)
            mistakes.add(
                "", f"{error.message} [{error.rule}]", "see docs/policy-lint.md", file=found_in, line=error.line
            )
        if not errors:
            sound.add(file)
    for template in suites_in([folder]):
        if template in sound or not template.exists():
            _note_cases(template, values, mistakes)


def _note_cases(template: Path, values: Mapping[str, str], mistakes: Mistakes) -> None:
    suite = run_suite(template, values)
    for each in suite.mistakes:
        mistakes.add(each.key, each.found, each.allowed, file=each.file, line=each.line)
    for line, failed in groupby(suite.failed, key=lambda result: result.case.line):
        first, *others = failed
        more = f", and {len(others)} more of its questions" if others else ""
        question = f"{first.case.why} ({first.case.question}): {first.summary}{more}"
        mend = "mend the template, or the case if it asks for the wrong thing; `jitr policy test` explains"
        mistakes.add("", f"{template.name} fails a case: {question}", mend, file=first.case.file, line=line)
