"""What tests of `jitr device …` share: one account."""

from __future__ import annotations

import pytest

from tests.aws.fake_iot import ACCOUNT


@pytest.fixture
def same_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the credentials belong to the account of the strict AWS IoT: moto's STS has an account of its own."""
    monkeypatch.setattr("jitr_cli.console.aws.Aws.account", lambda _: ACCOUNT)
