"""Arrows point down only: who may import whom, checked over the real import graph."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_import_contracts_are_kept() -> None:
    """The contracts stand in pyproject.toml."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_rules_import_neither_boto3_nor_the_network() -> None:
    """Certificates, revocation and policies are decided without AWS at hand."""
    code = (
        "import sys, jitr.certificates, jitr.revocation, jitr.policies.template, jitr.messages.event, jitr.settings\n"
        "found = {'boto3', 'botocore', 'urllib3', 'http.client', 'aws_lambda_powertools'} & set(sys.modules)\n"
        "sys.exit(f'imported: {found}' if found else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
