"""docs/policies.md can be followed to the letter: its commands, workflows and documents are what the program takes."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml  # type: ignore[import-untyped]

from jitr.policies.template import render_policy
from jitr.policies.values import DEPLOYMENT_VALUES, DEVICE_VALUES
from jitr_cli.tree import COMMANDS, CommandGroup, root
from jitr_fleet.policies.authoring.diff import DiffStatus, Side, diff_policies
from jitr_fleet.policies.authoring.diff_report import summary
from jitr_fleet.policies.authoring.lint import lint_policy
from jitr_fleet.policies.context import LintContext
from jitr_fleet.policies.source import read_policy_source

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the page's code blocks in a language."""
    return [text for name, text in re.findall(r"^ *```(\w*)\n(.*?)^ *```", PAGE, re.DOTALL | re.M) if name == language]


WORKFLOWS: list[dict[Any, Any]] = [yaml.safe_load(text) for text in blocks("yaml")]


def steps() -> Iterator[dict[str, Any]]:
    """Yield the steps of all jobs."""
    for workflow in WORKFLOWS:
        for job in workflow["jobs"].values():
            yield from job["steps"]


def calls() -> list[list[str]]:
    """Return each call of jitr on the page, as the shell would split it."""
    lines = "\n".join([*blocks("sh"), *(step["run"] for step in steps() if "run" in step)]).replace("\\\n", " ")
    words = (shlex.split(line, comments=True) for line in re.split(r"\n|&&|\|\|", lines))
    return [each for each in words if each and Path(each[0]).name == "jitr"]


def test_the_page_calls_jitr() -> None:
    """What is looked for below is found."""
    assert {call[2] for call in calls()} == {"lint", "test", "diff", "simulate"}
    assert len(WORKFLOWS) == 2


@pytest.mark.parametrize("call", calls(), ids=" ".join)
def test_every_call_has_options_that_exist(call: list[str]) -> None:
    """Typed as it stands, it is no usage error."""
    _, group, name, *arguments = call
    assert name in COMMANDS[group]
    made = CommandGroup(group).get_command(click.Context(root), name)
    assert made is not None
    known = {option for parameter in made.params for option in parameter.opts}
    assert {each for each in arguments if each.startswith("--")} <= known


def test_workflows_pin_their_actions_and_ask_for_no_more_than_they_need() -> None:
    """A job's token can do what its job says, and nothing else."""
    assert all(re.search(r"@v\d+$", step["uses"]) for step in steps() if "uses" in step)
    for workflow in WORKFLOWS:
        assert workflow["permissions"] == {}
        for job in workflow["jobs"].values():
            rights = job["permissions"]
            assert rights["contents"] == "read"
            assumes = any("configure-aws-credentials" in step.get("uses", "") for step in job["steps"])
            assert ("id-token" in rights) == assumes
            comments = any("gh pr comment" in step.get("run", "") for step in job["steps"])
            assert ("pull-requests" in rights) == comments


def test_nothing_from_a_pull_request_is_pasted_into_a_shell() -> None:
    """A branch's name or a title is data, whatever it holds."""
    assert not any("${{" in step["run"] for step in steps() if "run" in step)


def test_the_role_of_the_diff_reads_policies_of_the_deployment_only() -> None:
    """What a pull request runs may do no more."""
    (role,) = (json.loads(text) for text in blocks("json") if "Statement" in text)
    (statement,) = role["Statement"]
    assert statement["Action"] == "iot:GetPolicy"
    assert statement["Resource"].endswith(":policy/jitr-prod-eu_*")


def test_the_example_of_a_statement_is_one() -> None:
    """It renders, and the lint has nothing against it."""
    (statement,) = (json.loads(text) for text in blocks("json") if "Statement" not in text)
    connect = json.loads((ROOT / "policies" / "default.json").read_text(encoding="utf-8"))["Statement"][0]
    text = json.dumps({"Version": "2012-10-17", "Statement": [connect, statement]})
    source, findings = read_policy_source("example.json", text.encode())
    assert source is not None
    assert [*findings, *lint_policy(source, LintContext())] == []
    assert render_policy(text, {"account": "1" * 12, "region": "eu-west-1", "partition": "aws"})


def test_the_page_lists_exactly_the_values_there_are() -> None:
    """No more, no less, in the table of the three kinds."""
    named = set(re.findall(r"`@\{([a-z_.]+)\}`", PAGE))
    assert named == {*DEPLOYMENT_VALUES, *DEVICE_VALUES}


def test_code_owners_own_what_exists() -> None:
    """A pattern for nothing protects nothing."""
    (owners,) = (text for text in blocks("") if "@example/" in text)
    patterns = [line.split()[0] for line in owners.splitlines() if line.startswith("/")]
    # The workflows are the reader's.
    assert [each for each in patterns if not (ROOT / each.strip("/")).exists()] == ["/.github/"]


def test_the_words_that_the_page_explains_are_those_of_the_diff() -> None:
    """Quoted from the program."""
    statement = {"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"}
    once, twice = (
        json.dumps({"Version": "2012-10-17", "Statement": [statement, {**statement, "Resource": each}]})
        for each in ("a", "b")
    )
    found = diff_policies("x", Side(label="a", text=once), Side(label="b", text=twice))
    assert found.status is DiffStatus.REWRITTEN
    assert f"`{summary(found).partition(';')[0]}`" in PAGE
