"""What unit tests share: one deployment in memory, with moto's S3 and DynamoDB and the strict AWS IoT."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.aws import moto_once
from tests.aws.cloudformation import CloudFormation, listening
from tests.faults.machine.containers import aws as aws  # noqa: PLC0414 - fixture of the fault matrix
from tests.faults.machine.counting import count as count  # noqa: PLC0414 - fixture of the fault matrix
from tests.worlds.deployment import TestDeployment, create_deployment
from tests.worlds.race_search import search

__all__ = ["search"]

moto_once.install()


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestDeployment]:
    """A deployment with one CA, a CRL that lists nobody, and no devices yet."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield create_deployment()


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    """CloudFormation, as functions behind custom resources see it: a server on loopback."""
    with listening() as found:
        yield found
