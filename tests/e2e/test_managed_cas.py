"""A CA leaves the fleet file: refused while it has ACTIVE devices, by the deploy itself, and undone as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from jitr_local.device.reference_device import RunResult
from tests.e2e.conftest import World
from tests.e2e.stack_templates import stack_template, update

pytestmark = pytest.mark.e2e


def properties(document: dict[str, Any], kind: str) -> dict[str, Any]:
    """The properties of the one resource of a type; what is changed in them is changed in the template."""
    (resource,) = [each for each in document["Resources"].values() if each["Type"] == kind]
    found: dict[str, Any] = resource["Properties"]
    return found


def test_a_ca_with_active_devices_does_not_leave_and_its_devices_notice_nothing(world: World) -> None:
    """The deploy is undone with a sentence; what was deployed before goes on working."""
    assert world.connect(world.factory.make("stays-1")).result is RunResult.DELIVERED
    without = stack_template(world)
    guard = properties(without, "Custom::JitrManagedCas")
    identifier = world.factory.authority.ca_certificate_id
    (name,) = [each["Name"] for each in guard["Cas"] if each["Id"] == identifier]
    guard["Cas"] = [each for each in guard["Cas"] if each["Id"] != identifier]
    status, failures = update(world, without)
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert f"CA {name} left the fleet file and has ACTIVE devices" in failures[0]
    assert world.connect(world.factory.make("stays-2")).result is RunResult.DELIVERED


def test_a_rollback_takes_a_ca_with_active_devices_out_again(world: World) -> None:
    """A deploy that adds one and fails later must be undone; refusing that would leave the stack in between."""
    assert world.connect(world.factory.make("added-1")).result is RunResult.DELIVERED
    before = stack_template(world)
    identifier = world.factory.authority.ca_certificate_id
    without = stack_template(world)
    guard = properties(without, "Custom::JitrManagedCas")
    guard["Cas"] = [each for each in guard["Cas"] if each["Id"] != identifier]
    guard["Released"] = [identifier]
    assert update(world, without)[0] == "UPDATE_COMPLETE"
    broken = stack_template(world)
    properties(broken, "Custom::JitrManagedCas")["Cas"] = properties(before, "Custom::JitrManagedCas")["Cas"]
    properties(broken, "Custom::JitrManagedCas")["Released"] = []
    properties(broken, "Custom::JitrPolicies")["Policies"][-1]["Document"] = "{"
    status, failures = update(world, broken)
    assert (status, len(failures)) == ("UPDATE_ROLLBACK_COMPLETE", 1)
    assert update(world, before)[0] == "UPDATE_COMPLETE"
