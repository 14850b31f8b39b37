"""A device by what somebody knows of it: file, id, its beginning, Thing, serial number, common name; and the list."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitr_cli.devices import search
from jitr_local.pki import Device
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.devices import active, in_the_same_account, pending, written
from tests.worlds.deployment import TestDeployment


@pytest.fixture(autouse=True)
def _at_once(not_waiting: None, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_same_account(monkeypatch)


@pytest.fixture
def device(stack: TestDeployment) -> Device:
    """One that is ACTIVE, among others."""
    active(stack, "other-1")
    return active(stack, "pump-7")


def openssl(device: Device) -> str:
    """A serial number as `openssl x509 -serial` prints it."""
    digits = f"{device.certificate.serial_number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


@pytest.mark.parametrize("way", ["file", "id", "upper", "beginning", "thing", "serial", "colons"])
def test_a_device_is_found_by_what_is_known_of_it(
    stack: TestDeployment, device: Device, jitr: Jitr, tmp_path: Path, way: str
) -> None:
    """Each leads to the same certificate."""
    serial = openssl(device)
    said = {
        "file": str(written(device, tmp_path)),
        "id": device.certificate_id,
        "upper": device.certificate_id.upper(),
        "beginning": device.certificate_id[:12],
        "thing": "pump-7",
        "serial": serial,
        "colons": ":".join(serial[at : at + 2] for at in range(0, len(serial), 2)),
    }[way]
    answer = jitr("device", "explain", said, "--json")
    assert answer.exit_code == 0, answer.err
    assert answer.json["certificate_id"] == device.certificate_id


def test_a_common_name_is_searched_among_the_newest(
    stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a device that has no Thing yet; the search ends, and says how far it went."""
    waiting = pending(stack, "late-1")
    answer = jitr("device", "explain", "late-1", "--json")
    assert answer.json["certificate_id"] == waiting.certificate_id
    pending(stack, "newest-1")
    monkeypatch.setattr(search, "READ_AT_MOST", 1)
    answer = jitr("device", "explain", "nobody-1")
    assert answer.exit_code == 64
    assert "no device here is called 'nobody-1'" in answer.err
    assert "the common names of the newest 1 certificates" in answer.err


def test_what_may_be_several_devices_is_none(
    stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are named, and nothing is done."""
    devices = [active(stack, f"pump-{number}") for number in (1, 2)]
    ids = [each.certificate_id for each in devices]
    monkeypatch.setattr(search._Search, "by_beginning", lambda *_: iter(ids))
    answer = jitr("device", "revoke", "abcdef", "--yes")
    assert (answer.exit_code, all(each in answer.err for each in ids)) == (64, True)
    assert [stack.iot.status(each) for each in devices] == ["ACTIVE", "ACTIVE"]


def test_a_path_that_is_no_file_is_no_things_name(stack: TestDeployment, jitr: Jitr) -> None:
    """A slip at the keyboard asks nobody."""
    stack.iot.calls.clear()
    answer = jitr("device", "explain", "./pump-7.pem")
    assert (answer.exit_code, "is no file" in answer.err, stack.iot.calls) == (64, True, [])


def test_several_devices_are_revoked_by_their_names(stack: TestDeployment, jitr: Jitr) -> None:
    """Also mixed with ids."""
    devices = [active(stack, f"pump-{number}") for number in (1, 2)]
    answer = jitr("device", "revoke", "pump-1", devices[1].certificate_id, "--yes")
    assert answer.exit_code == 0, answer.err
    assert [stack.iot.status(each) for each in devices] == ["REVOKED", "REVOKED"]


class TestList:
    """`jitr device list`."""

    def listed(self, jitr: Jitr, *options: object) -> Answer:
        """List as JSON."""
        answer = jitr("device", "list", "--json", *options)
        assert answer.exit_code == 0, answer.err
        return answer

    def test_it_shows_what_people_know_devices_by(self, stack: TestDeployment, device: Device, jitr: Jitr) -> None:
        """Common name, Thing, serial number as openssl prints it, status and CA."""
        pending(stack, "waiting-1")
        found = {each["common_name"]: each for each in self.listed(jitr).json["devices"]}
        assert set(found) == {"other-1", "pump-7", "waiting-1"}
        assert (found["pump-7"]["thing"], found["pump-7"]["serial"]) == ("pump-7", openssl(device))
        assert (found["pump-7"]["status"], found["pump-7"]["ca"]) == ("ACTIVE", "factory-1")
        assert (found["waiting-1"]["thing"], found["waiting-1"]["status"]) == (None, "PENDING_ACTIVATION")

    def test_it_is_filtered_and_bounded(self, stack: TestDeployment, device: Device, jitr: Jitr) -> None:
        """And says that there is more."""
        pending(stack, "waiting-1")
        only = self.listed(jitr, "--status", "PENDING_ACTIVATION").json
        assert [each["common_name"] for each in only["devices"]] == ["waiting-1"]
        assert only["more"] is False
        short = self.listed(jitr, "--limit", 1, "--ca-certificate-id", "factory-1").json
        assert (len(short["devices"]), short["more"]) == (1, True)

    def test_what_it_shows_is_what_other_commands_take(self, stack: TestDeployment, device: Device, jitr: Jitr) -> None:
        """Every cell that names a device."""
        for row in self.listed(jitr).json["devices"]:
            for key in ("certificate_id", "thing", "serial"):
                answer = jitr("device", "explain", row[key], "--json")
                assert answer.json["certificate_id"] == row["certificate_id"], key
