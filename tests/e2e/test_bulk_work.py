"""Bulk work through the real queue, event source mapping and function, with permissions enforced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jitr_local.story.jitr_command import jitr
from jitr_local.story.observations import statuses
from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e


def test_the_account_switches_a_list_off_brings_it_back_and_revokes_it(strict_world: World, tmp_path: Path) -> None:
    """INACTIVE, all back by undo, a policy for them on the way, then REVOKED; each a job that the command follows."""
    world, factory = strict_world, strict_world.watched
    ca = factory.authority.ca_certificate_id
    fleet = factory.register_elsewhere(world.instance, (f"bulk-{number}" for number in range(6)))
    file = tmp_path / "fleet.csv"
    file.write_text("".join(f"{device.certificate_id}\n" for device in fleet), encoding="ascii")

    def done(*arguments: str) -> dict[str, object]:
        command = jitr(world.instance, *arguments, "--in-account", "--yes", "--json")
        assert command.returncode == 0, command.stderr
        answer: dict[str, object] = json.loads(command.stdout)
        assert answer["state"] == "done"
        return answer

    listed = ("ca", "revoke-devices", "--ca-certificate-id", ca, "--list", str(file))
    job = done(*listed, "--inactive")
    assert job["done"] == len(fleet)
    assert statuses(world.instance, ca, fleet) == {"INACTIVE": len(fleet)}
    assert done("bulk", "undo", str(job["job"]))["done"] == len(fleet)
    assert statuses(world.instance, ca, fleet) == {"ACTIVE": len(fleet)}
    done("policy", "reattach", "default", "--ca-certificate-id", ca)
    arn = world.client("iot").describe_certificate(certificateId=fleet[0].certificate_id)["certificateDescription"]
    attached = world.client("iot").list_attached_policies(target=arn["certificateArn"])["policies"]
    assert [each["policyName"].rpartition("_")[2] for each in attached] == ["default"]
    done(*listed)
    assert statuses(world.instance, ca, fleet) == {"REVOKED": len(fleet)}
