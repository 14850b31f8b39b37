"""`jitr policy test`: run the cases of policy templates.

Exit codes: 0 every case has the right answer; 1 one has not, a file has mistakes, a template has no cases, or there
are none at all; 2 nothing is wrong, but a case does not say what its answer depends on; 64 a file or deployment that is
not there. Nothing is asked of AWS.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from jitr_cli.console.call import Call, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.fleet import deployment_values, fleet_deployment_option, fleet_option, read_deployment
from jitr_cli.console.output import emit_table, printable, say
from jitr_cli.policy.junit import write_junit
from jitr_cli.policy.template_files import template_file
from jitr_fleet.policies.cases.case import CaseResult
from jitr_fleet.policies.cases.suite import SuiteResult, run_suite, suites_in


@local_command("test", fleet_deployment_option)
@click.argument("paths", nargs=-1, metavar="[NAME|PATH]...")
@fleet_option
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="write JUnit XML, for CI")
def command(call: Call, *, paths: tuple[str, ...], fleet: Path, junit: Path | None) -> ExitCode:
    """Run policies/*.cases.toml, or those of the given templates, files and folders.

    Every template needs cases. With --deployment, account and Region are those of the fleet file; without, examples.
    Exit code: 0 all answers are right, 1 not, 2 nothing is wrong but a case does not say what its answer depends on.
    """
    target = read_deployment(fleet, call.deployment) if call.deployment is not None else None
    values = deployment_values(target) if target is not None else None
    folder = target.policies_folder if target is not None else fleet.parent / "policies"
    if not paths and not folder.is_dir():
        raise CommandFailed(f"there is no folder {folder}; name files or a folder, or the fleet file with --fleet")
    suites = [
        run_suite(template, values)
        for template in suites_in([template_file(each, folder) for each in paths] or [folder])
    ]
    if junit is not None:
        _write(junit, suites)
    ending = _exit_code(suites)
    call.finish(_as_data(suites), words=lambda: _print(suites))
    if not suites:
        say("there are no cases; write policies/<name>.cases.toml, see docs/policy-evaluation.md")
    return ending


def _exit_code(suites: Sequence[SuiteResult]) -> ExitCode:
    if suites and all(suite.passed for suite in suites):
        return ExitCode.DONE
    open_only = all(not suite.mistakes and all(each.undetermined for each in suite.failed) for suite in suites)
    return ExitCode.UNDETERMINED if suites and open_only else ExitCode.NO


def _write(junit: Path, suites: Sequence[SuiteResult]) -> None:
    try:
        write_junit(junit, suites)
    except OSError as error:
        raise CommandFailed(f"{junit}: {error.strerror}") from error


def _as_data(suites: Sequence[SuiteResult]) -> dict[str, Any]:
    return {
        "passed": bool(suites) and all(suite.passed for suite in suites),
        "cases": [_case_as_data(suite, result) for suite in suites for result in suite.results],
        "mistakes": [
            {"file": str(each.file), "line": each.line, "key": each.key, "message": str(each)}
            for suite in suites
            for each in suite.mistakes
        ],
    }


def _case_as_data(suite: SuiteResult, result: CaseResult) -> dict[str, Any]:
    case = result.case
    return {
        "file": str(case.file),
        "line": case.line,
        "template": str(suite.template),
        "why": case.why,
        "device": case.device,
        "action": case.action,
        "resource": case.resource,
        "expect": case.expect.value,
        "decision": None if result.answer is None else result.answer.value,
        "passed": result.passed,
        "problem": result.problem or None,
        "explanation": list(result.explanation),
    }


def _print(suites: Sequence[SuiteResult]) -> None:
    failed = [result for suite in suites for result in suite.failed]
    if failed:
        emit_table(("case", "why", "device", "action", "resource", "expected", "got"), [_row(each) for each in failed])
    for result in failed:
        click.echo(f"{_place(result)}: {printable(result.case.question)}")
        for line in result.explanation:
            click.echo(f"  {printable(line)}")
    for suite in suites:
        for mistake in suite.mistakes:
            click.echo(printable(str(mistake)))
    passed = sum(len(suite.results) - len(suite.failed) for suite in suites)
    mistakes = sum(len(suite.mistakes) for suite in suites)
    say(f"{passed} passed, {len(failed)} failed" + (f", {mistakes} mistakes in the files" if mistakes else ""))


def _place(result: CaseResult) -> str:
    return f"{result.case.file}:{result.case.line}"


def _row(result: CaseResult) -> tuple[str, ...]:
    case = result.case
    got = "no answer" if result.answer is None else result.answer.value
    return (_place(result), case.why, case.device, case.action, case.resource or "", case.expect.value, got)
