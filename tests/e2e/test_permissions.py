"""The same with permissions enforced: the role's least privilege suffices, and the device's policy binds the device."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitr_local import pki
from jitr_local.device.reference_device import RunResult
from jitr_local.story.factory import Factory
from jitr_local.story.jitr_command import jitr
from jitr_local.story.observations import eventually
from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e

# As in test_enforcement.py: a scheduled sweep may be in the way of the one for the upload.
WITHIN = 100.0


def test_the_roles_permissions_suffice_for_an_activation(strict_world: World) -> None:
    """Every call of an activation is allowed: a good device gets in and publishes on its own topic."""
    device = strict_world.factory.make("strict-1")
    assert strict_world.connect(device).result is RunResult.DELIVERED
    assert strict_world.status(device) == "ACTIVE"


def test_the_roles_permissions_suffice_for_a_revocation(strict_world: World) -> None:
    """A listed device ends REVOKED."""
    device = strict_world.factory.make("strict-revoked-1")
    strict_world.factory.publish_crl(strict_world.instance, [device], number=2)
    assert strict_world.connect(device, timeout=8).result is RunResult.NOT_ADMITTED
    seen = eventually(lambda: strict_world.status(device), within=WITHIN, wanted=lambda status: status == "REVOKED")
    assert seen == "REVOKED"


def test_an_active_device_cannot_publish_on_anothers_topic(strict_world: World) -> None:
    """Its own topic works, a foreign one ends the connection without an acknowledgement."""
    device = strict_world.factory.make("strict-2")
    assert strict_world.connect(device).result is RunResult.DELIVERED
    foreign = strict_world.connect(device, topic="devices/strict-1/up", timeout=2)
    assert foreign.result is RunResult.UNACKNOWLEDGED
    assert strict_world.connect(device).result is RunResult.DELIVERED


def test_the_roles_permissions_suffice_for_the_devices_of_an_adopted_ca(strict_world: World, tmp_path: Path) -> None:
    """Its certificate is in no bundle: activation and enforcement both have to ask AWS IoT for it."""
    factory, instance = Factory.open("adopted", tmp_path), strict_world.instance
    (tmp_path / "ca.pem").write_text(pki.pem(factory.authority.certificate))
    ca = ("--ca-certificate-id", factory.authority.ca_certificate_id)
    factory.publish_crl(instance)
    crl = f"s3://{instance.crl_bucket}/{factory.crl_key}"
    for command in (["register", "--certificate", str(tmp_path / "ca.pem")], ["adopt", *ca, "--crl", crl]):
        done = jitr(instance, "ca", *command, "--yes")
        assert done.returncode == 0, done.stderr
    device = factory.make("strict-adopted-1")
    assert strict_world.connect(device).result is RunResult.DELIVERED
    factory.publish_crl(instance, [device], number=2)
    seen = eventually(lambda: strict_world.status(device), within=WITHIN, wanted=lambda status: status == "REVOKED")
    assert seen == "REVOKED"
    assert strict_world.connect(device, timeout=1).result is RunResult.NOT_ADMITTED
