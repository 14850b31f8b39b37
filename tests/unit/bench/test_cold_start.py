"""What a cold container of the activation function reads before its first event: no more than an activation needs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Whole packages, and modules of ours that only other functions or rare events need.
NEVER = (
    "aws_cdk",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.data_classes",
    "aws_lambda_powertools.utilities.parser",
    "aws_lambda_powertools.utilities.validation",
    "aws_xray_sdk",
    "click",
    "jitr.bulk.work",
    "jitr.messages.custom_resource",
    "jitr.enforcement.sweep",
    "jitr.policies.comparison",
    "jitr.policies.rollout",
    "jitr.authorities.private_ca",
    "jitr.enforcement.unknown_certificates",
    "jitr.authorities.verification_certificate",
    "jitr_cli",
    "jitr_fleet",
    "moto",
    "pydantic",
    "rich",
)


@pytest.fixture(scope="module")
def modules() -> set[str]:
    """The modules that are loaded after the handler's import, in a process of its own."""
    code = "import json, sys, jitr.handlers.activate; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_import_reaches_the_handler_and_its_libraries(modules: set[str]) -> None:
    """Or the absence of anything would prove nothing."""
    assert {"jitr.activation.steps", "boto3", "cryptography.x509", "aws_lambda_powertools.logging"} <= modules


@pytest.mark.parametrize("name", NEVER)
def test_the_handler_does_not_import(modules: set[str], name: str) -> None:
    """Neither the module nor anything inside it."""
    assert sorted(each for each in modules if each == name or each.startswith(f"{name}.")) == []
