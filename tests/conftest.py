"""What holds for every test: how they are spread over workers, and that none prints or logs a private key."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

from tests.aws import botocore_once
from tests.faults.machine import counting
from tests.worlds import race_depth
from tests.worlds.private_keys import judged

# jsii prints a page about Node's age at every synth unless told not to; the Makefile and app.py tell it the same.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")

botocore_once.install()

# How long an example takes says how busy the computer is, not whether the code is right.
settings.register_profile("any-computer", deadline=None)
settings.load_profile("any-computer")

# End-to-end tests by the stack that they share; what is not named here shares the one without permissions.
STACKS = {
    "enforcing permissions": (
        "tests/e2e/test_bulk_work.py",
        "tests/e2e/test_enforcement.py::test_the_enforcement_roles_permissions_suffice",
        "tests/e2e/test_permissions.py",
        "tests/e2e/test_policy_rollout.py::test_a_policy_that_was_changed_by_hand_is_measured_and_can_be_brought_back",
        "tests/e2e/test_walkthroughs.py",
        "tests/e2e/test_walkthroughs_private_ca.py",
    ),
    "queue": ("tests/e2e/test_queue_ingestion.py",),
    "none": ("tests/e2e/test_runtime_client.py",),
}


def group_of(nodeid: str) -> str:
    """Return the group that a test runs in: its stack, its synthesised templates, or itself alone."""
    if nodeid.startswith("tests/infra/"):
        return "tests/infra"
    if not nodeid.startswith("tests/e2e/"):
        return nodeid
    return next((name for name, tests in STACKS.items() if nodeid.startswith(tests)), "without permissions")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Group by file name instead of by mark: pytest-xdist 3.8 loses its marks' names under pytest 9.2."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class Together(LoadScopeScheduling):  # type: ignore[misc]
        """Tests of one group on one worker, all others wherever there is room."""

        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return Together(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Look through what each phase of each test printed and logged."""
    report = yield
    return judged(report)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run say how deep it searches."""
    race_depth.add_option(parser)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many cases of the fault matrix ran, and how much was searched, on all workers together."""
    reports = [report for each in terminalreporter.stats.values() for report in each]
    depth = terminalreporter.config.getoption(race_depth.OPTION)
    for line in (counting.summary(reports), race_depth.summary(reports, depth)):
        if line:
            terminalreporter.write_line(line)
