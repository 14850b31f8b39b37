"""The checks that others wrote: cdk-nag's AWS Solutions rules and cfn-lint, and that they really run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3
from cfnlint import api  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

from jitr_fleet.deployments.deployment import Deployment, Fleet
from jitr_infra.app import add_checks, add_deployments
from tests.infra.synthesis import (
    NAME,
    REGION,
    WITHOUT_BUNDLES,
    Synthesis,
    example_deployment,
    feature_flags,
    observing_deployment,
    private_deployment,
)

# Findings that stay, with their reasons.
ACCEPTED = {"W3005": "CDK makes every function depend on its role, although it refers to it anyway"}


def checked_app(folder: Path, deployment: Deployment | None = None) -> App:
    """Return the app as app.py makes it, without the function's code."""
    app = App(outdir=str(folder), context=feature_flags() | WITHOUT_BUNDLES)
    add_deployments(app, Fleet(deployments=(deployment or example_deployment(),)))
    add_checks(app)
    return app


@pytest.mark.parametrize("make", [example_deployment, private_deployment, observing_deployment])
def test_cdk_nag_finds_nothing(tmp_path: Path, make: Callable[[], Deployment]) -> None:
    """A finding without an acknowledgement stops the synth."""
    checked_app(tmp_path, make()).synth()
    report = json.loads((tmp_path / "validation-report.json").read_text(encoding="utf-8"))
    assert [each for each in report["pluginReports"] if each["pluginName"] == "AwsSolutions"] == []


def test_cdk_nag_really_runs(tmp_path: Path) -> None:
    """One plain bucket beside ours, and the synth stops."""
    app = checked_app(tmp_path)
    stack = app.node.find_child(NAME)
    assert isinstance(stack, Stack)
    s3.Bucket(stack, "Careless")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text(encoding="utf-8"))
    (findings,) = [each["violations"] for each in report["pluginReports"] if each["pluginName"] == "AwsSolutions"]
    assert {each["ruleName"] for each in findings} == {"AwsSolutions-S1", "AwsSolutions-S10"}


def lint(text: str) -> set[str]:
    """Return cfn-lint's errors and warnings for a template in its Region."""
    matches = api.lint(text, config=ManualArgs(regions=[REGION]))
    return {f"{match.rule.id}: {match.message}" for match in matches}


@pytest.mark.parametrize("deployment", ["stack", "private", "observing"])
def test_cfn_lint_finds_nothing(request: pytest.FixtureRequest, deployment: str) -> None:
    """Errors and warnings alike, but for those accepted above."""
    found = lint(json.dumps(request.getfixturevalue(deployment).document))
    assert {each for each in found if each.split(":")[0] not in ACCEPTED} == set()


def test_cfn_lint_really_runs(stack: Synthesis) -> None:
    """A retention of nine days does not exist."""
    text = json.dumps(stack.document).replace('"RetentionInDays": 90', '"RetentionInDays": 9')
    assert {each.split(":")[0] for each in lint(text)} - set(ACCEPTED) == {"E3030"}
