"""`jitr policy lint`: everything that is wrong with policy templates, each with file, line, rule and mend.

Exit codes: 0 without errors (warnings do not count), 1 with errors, 64 a file or deployment that is not there. A file
whose content cannot be used is a finding. Nothing is asked of AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from jitr_cli.console.call import Call, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.fleet import fleet_option, read_deployment
from jitr_cli.console.output import printable, say
from jitr_cli.policy.template_files import template_file
from jitr_fleet.deployments.deployment import Deployment
from jitr_fleet.deployments.names import partition_of
from jitr_fleet.policies.authoring.lint import lint_file
from jitr_fleet.policies.context import LintContext, context_of
from jitr_fleet.policies.source import LintFinding, Severity


@local_command(
    "lint",
    click.option(
        "--deployment", metavar="NAME", help="compare with this deployment of the fleet file, and with its CAs"
    ),
)
@click.argument("paths", nargs=-1, metavar="[NAME|PATH]...")
@fleet_option
def command(call: Call, *, paths: tuple[str, ...], fleet: Path) -> ExitCode:
    """Check policy templates: grammar, size, actions, resources, variables, and what Device Defender would find.

    Takes templates by name, files and folders; without any it checks policies/*.json beside the fleet file. Each
    finding names file, line, rule and mend; the rules are in docs/policy-lint.md. Exit code: 0 without errors, 1 with.
    """
    chosen = read_deployment(fleet, call.deployment) if call.deployment is not None else None
    folder = chosen.policies_folder if chosen is not None else fleet.parent / "policies"
    templates = _templates([template_file(each, folder) for each in paths] or [folder])
    context = _contexts(chosen)
    findings = [finding for file in templates for finding in lint_file(file, context(file))]
    ending = ExitCode.NO if any(finding.severity is Severity.ERROR for finding in findings) else ExitCode.DONE
    data = {"findings": [_as_data(finding) for finding in findings]}
    return call.finish(data, ending, words=lambda: _print(findings, templates))


def _templates(paths: Sequence[Path]) -> list[Path]:
    """Return the templates that the paths name, those of a folder in order of their names."""
    found: dict[Path, None] = {}
    for path in paths:
        # A pipe is no folder; the folder that is meant without any path may not be there.
        is_file = path.exists() and not path.is_dir()
        found |= dict.fromkeys([path] if is_file else sorted(path.glob("*.json")))
    if not found:
        folders = ", ".join(map(str, paths))
        raise CommandFailed(f"there is no template *.json in {folders}; name a file, or the fleet file with --fleet")
    return list(found)


def _contexts(deployment: Deployment | None) -> Callable[[Path], LintContext]:
    """Return what is known of the deployment that a template is for, by the template's file."""
    if deployment is None:
        return lambda _: LintContext()
    partition = partition_of(deployment.region)
    return lambda file: context_of(deployment, file.stem, partition=partition)


def _as_data(finding: LintFinding) -> dict[str, Any]:
    data = {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "file": finding.file,
        "line": finding.line,
        "path": finding.path,
        "message": finding.message,
    }
    return data if finding.acknowledged is None else {**data, "acknowledged": dict(finding.acknowledged)}


def _print(findings: Sequence[LintFinding], templates: Sequence[Path]) -> None:
    for finding in findings:
        click.echo(printable(str(finding)))
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    files = "1 file" if len(templates) == 1 else f"{len(templates)} files"
    acknowledged = sum(finding.acknowledged is not None for finding in findings)
    warnings = _count(len(findings) - errors, "warning")
    reviewed = f", {acknowledged} acknowledged" if acknowledged else ""
    say(f"{files}: {_count(errors, 'error')}, {warnings}{reviewed}")


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
