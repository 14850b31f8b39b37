"""What tests of the enforcement function share: the function as its container builds it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest

from jitr.handlers.enforce import EnforcementHandler, build_function
from tests.worlds.deployment import ENVIRONMENT, TestDeployment


@pytest.fixture
def function(deployment: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> EnforcementHandler:
    """The function as its container builds it, with the strict AWS IoT in place of the real one."""
    real = boto3.Session.client

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        return deployment.iot_client if service == "iot" else real(session, service, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(boto3.Session, "client", client)
    return build_function(replace(deployment.configuration, enforcement_tps=1000.0), ENVIRONMENT)
