"""What tests of `jitr device …` share: one account."""

from __future__ import annotations

import pytest

from tests.cli.worlds.devices import in_the_same_account


@pytest.fixture
def same_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the credentials belong to the account of the strict AWS IoT."""
    in_the_same_account(monkeypatch)
