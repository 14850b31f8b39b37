"""The stack in somebody else's CDK app: the example of docs/install.md, and a Stage."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import App, Stage

import jitr_infra
from jitr_infra import DeploymentStack, add_deployments
from tests.infra.synthesis import CHECKOUT, WITHOUT_BUNDLES, feature_flags

FLEET = f"""
[deployments.prod-eu]
account = "111122223333"
region = "eu-west-1"
policies = "{CHECKOUT / "policies"}"
"""


def test_a_stage_holds_the_stack_under_its_own_name(tmp_path: Path) -> None:
    """`jitr` and runbooks talk about the deployment's name, whatever the stage is called."""
    (tmp_path / "fleet.toml").write_text(FLEET, encoding="utf-8")
    app = App(outdir=str(tmp_path / "out"), context=feature_flags() | WITHOUT_BUNDLES)
    (stack,) = add_deployments(Stage(app, "Production"), tmp_path / "fleet.toml")
    assert isinstance(stack, DeploymentStack)
    assert stack.stack_name == "prod-eu"
    outputs = app.synth().get_nested_assembly("assembly-Production").get_stack_by_name("prod-eu").template["Outputs"]
    assert outputs["Deployment"]["Value"] == "prod-eu"


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    """Copied and pasted, but without bundles."""
    page = (CHECKOUT / "docs" / "install.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    context = repr(feature_flags() | WITHOUT_BUNDLES)
    (tmp_path / "app.py").write_text(example.replace("App()", f"App(outdir='out', context={context})"))
    (tmp_path / "fleet.toml").write_text(FLEET, encoding="utf-8")
    done = subprocess.run([sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "assembly-Production").is_dir()


def test_importing_the_package_loads_no_cdk() -> None:
    """`jitr` imports it too, and the on-call person has no CDK."""
    program = "import sys, jitr_infra; sys.exit('aws_cdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """As in any module."""
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(jitr_infra, "nonsense")  # noqa: B009 - the name is what is tested
