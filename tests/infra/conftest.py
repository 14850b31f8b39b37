"""What the tests of the CDK app share: one synth of a deployment that uses every feature, made once."""

from __future__ import annotations

import os

import pytest

from tests.infra.synthesis import (
    Synthesis,
    example_deployment,
    observing_deployment,
    private_deployment,
    queued_deployment,
    synthesise,
)

os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")


@pytest.fixture(scope="session")
def stack() -> Synthesis:
    """The example deployment as CloudFormation gets it, without the function's code."""
    return synthesise(example_deployment())


@pytest.fixture(scope="session")
def private() -> Synthesis:
    """A deployment with CAs in AWS Private CA."""
    return synthesise(private_deployment())


@pytest.fixture(scope="session")
def observing() -> Synthesis:
    """A deployment that only observes."""
    return synthesise(observing_deployment())


@pytest.fixture(scope="session")
def queued() -> Synthesis:
    """A deployment with a queue between rule and function."""
    return synthesise(queued_deployment())
