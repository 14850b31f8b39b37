"""Where no private key may turn up: what is printed, logged, raised, passed as an argument or told CloudFormation."""

from __future__ import annotations

import json
import re

import pytest

# PEM's label, also where line breaks are escaped as in JSON and reprs; sentences about private keys have no dashes.
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")


def holds_private_key(*texts: object) -> bool:
    """Say whether a private key stands in one of the texts, or in the JSON of one that is none."""
    return any(_PRIVATE_KEY.search(text if isinstance(text, str) else json.dumps(text)) for text in texts)


def assert_no_private_key(*texts: object) -> None:
    """Fail where a private key stands in one of the texts, without repeating it."""
    if holds_private_key(*texts):
        pytest.fail("a private key left the process", pytrace=False)


def judged(report: pytest.TestReport) -> pytest.TestReport:
    """Turn the report of a test that passed into a failure if a private key was printed or logged meanwhile."""
    if report.passed and holds_private_key(*(text for _, text in report.sections)):
        report.outcome = "failed"
        report.longrepr = "a private key was printed or logged"
    return report
