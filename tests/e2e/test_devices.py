"""The life of a device by the operator's commands: made, explained, switched off, brought back, renewed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jitr_local import pki
from jitr_local.device.device_identity import DeviceIdentity
from jitr_local.device.mqtt_attempt import Message
from jitr_local.device.reference_device import Endpoint, ReferenceDevice, RunResult
from jitr_local.story.jitr_command import jitr
from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e
NAME = "life-1"


class Operator:
    """Somebody with the CA's files and the command line."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        authority = world.factory.authority
        (folder / "ca.pem").write_text(pki.pem(authority.certificate))
        (folder / "ca.key").write_text(pki.private_pem(authority.key))
        (folder / "ca.key").chmod(0o600)

    def run(self, *arguments: str, expected: int = 0) -> Any:
        """Run a command with --json and return its data."""
        done = jitr(self.world.instance, "device", *arguments, "--json")
        assert done.returncode == expected, f"{done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def create(self, out: str) -> Path:
        """Make the device's folder below one of its own, so that the same name can be made twice."""
        ca = ("--ca-certificate", str(self.folder / "ca.pem"), "--ca-key", str(self.folder / "ca.key"))
        self.run("create", "--cn", NAME, "--out", str(self.folder / out), *ca)
        return self.folder / out / NAME

    def explained(self, certificate: Path, *, expected: int) -> Sequence[Any]:
        """What `explain` says: verdict, step, reason."""
        found = self.run("explain", str(certificate / "device.pem"), expected=expected)
        return found["verdict"], found["step"], found["reason"]

    def connect(self, certificate: Path, *, timeout: float) -> RunResult:
        """Let the device connect with a certificate and publish."""
        instance = self.world.instance
        device = ReferenceDevice(
            identity=DeviceIdentity.load(certificate / "chain.pem", certificate / "device.key"),
            endpoint=Endpoint(host=instance.mqtt_host, port=instance.mqtt_port, server_ca=Path(instance.server_ca)),
            client_id=NAME,
        )
        return device.run(Message(topic=f"devices/{NAME}/up", payload=b"{}"), timeout=timeout).result


def test_a_device_from_its_making_to_its_end(world: World, tmp_path: Path) -> None:
    """Each command against the real stack, each answer beside what the device sees."""
    operator = Operator(world, tmp_path)
    first = operator.create("first")
    assert operator.explained(first, expected=1) == ("not_active", 2, "not_registered")

    assert operator.connect(first, timeout=30) is RunResult.DELIVERED
    assert operator.explained(first, expected=0) == ("active", 8, None)
    told = operator.run("explain", str(first / "device.pem"))
    assert [line["outcome"] for line in told["log"]][-1] in ("activated", "already_decided")
    assert told["not_read"] == []

    operator.run("revoke", str(first / "device.pem"), "--reason", "certificateHold", "--rate", "100", "--yes")
    assert operator.explained(first, expected=1) == ("not_active", 6, "switched_off")
    assert operator.connect(first, timeout=1) is RunResult.NOT_ADMITTED
    assert operator.run("reinstate", str(first / "device.pem"), "--yes")["outcome"] == "reinstated"
    assert operator.connect(first, timeout=10) is RunResult.DELIVERED

    second = operator.create("second")
    assert operator.connect(second, timeout=5) is RunResult.NOT_ADMITTED
    assert operator.explained(second, expected=1) == ("not_active", 7, "thing_in_use")
    assert operator.run("rebind", str(second / "device.pem"), "--yes")["thing"] == NAME
    assert operator.connect(second, timeout=10) is RunResult.DELIVERED
    assert operator.connect(first, timeout=1) is RunResult.NOT_ADMITTED
    assert operator.explained(second, expected=0) == ("active", 8, None)

    operator.run("revoke", str(second / "device.pem"), "--reason", "keyCompromise", "--rate", "100", "--yes")
    assert operator.run("reinstate", str(second / "device.pem"), "--yes", expected=1)["reason"] == "revoked"
    assert operator.connect(second, timeout=1) is RunResult.NOT_ADMITTED
