"""`jitr crl check` over CRLs and certificates as real CA software writes them (tests/cases/ca-software)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "cases" / "ca-software"
CASES = json.loads((FOLDER / "cases.json").read_text())


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"])
def test_verdict_is_acceptable(case: dict[str, Any], jitr: Callable[..., Any]) -> None:
    """The verdict is one of those that are right for what this software writes."""
    crls = [argument for crl in case["crls"] for argument in ("--crl", str(FOLDER / crl))]
    arguments = ["--certificate", str(FOLDER / case["certificate"]), "--issuer", str(FOLDER / case["issuer"])]
    answer = jitr("crl", "check", *arguments, *crls, "--at", CASES["at"], "--json")
    assert answer.json["verdict"] in case["acceptable"], answer.out


def test_no_case_is_lost() -> None:
    """All of them are there."""
    assert len(CASES["cases"]) == 154
