"""The same with permissions enforced: the role's least privilege suffices, and the device's policy binds the device."""

from __future__ import annotations

import pytest

from jitr_local.reference_device import Result
from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e


def test_the_roles_permissions_suffice_for_an_activation(strict_world: World) -> None:
    """Every call of an activation is allowed: a good device gets in and publishes on its own topic."""
    device = strict_world.factory.make("strict-1")
    assert strict_world.connect(device).result is Result.DELIVERED
    assert strict_world.status(device) == "ACTIVE"


def test_the_roles_permissions_suffice_for_a_revocation(strict_world: World) -> None:
    """A listed device ends REVOKED."""
    device = strict_world.factory.make("strict-revoked-1")
    strict_world.factory.publish_crl(strict_world.instance, [device], number=2)
    assert strict_world.connect(device, timeout=8).result is Result.NOT_ADMITTED
    assert strict_world.status(device) == "REVOKED"


def test_an_active_device_cannot_publish_on_anothers_topic(strict_world: World) -> None:
    """Its own topic works, a foreign one ends the connection without an acknowledgement."""
    device = strict_world.factory.make("strict-2")
    assert strict_world.connect(device).result is Result.DELIVERED
    foreign = strict_world.connect(device, topic="devices/strict-1/up", timeout=2)
    assert foreign.result is Result.UNACKNOWLEDGED
    assert strict_world.connect(device).result is Result.DELIVERED
