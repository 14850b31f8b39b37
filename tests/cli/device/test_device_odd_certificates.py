"""Odd certificates, and such as nobody can read, through the commands about devices: done, or refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization

from jitr.aws.iot import CertificateStatus
from jitr.registry.row import RowState, id_key, job_claim
from jitr.settings import ThingNameSource
from jitr_cli.console.failures import CommandFailed
from jitr_local import pki
from jitr_local.pki import Device
from tests.aws.aws_faults import refusing
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.ca_files import write_ca
from tests.cli.worlds.devices import active
from tests.worlds import odd_certificates as odd
from tests.worlds.deployment import TestDeployment

SERIAL = 0x1234
UNREADABLE_KINDS = pytest.mark.parametrize("kind", odd.UNREADABLE)
ODD_KINDS = pytest.mark.parametrize("kind", odd.KINDS)


pytestmark = pytest.mark.usefixtures("same_account", "not_waiting")


def registered(stack: TestDeployment, device: Device, status: str = "ACTIVE") -> Device:
    """Register a device past us."""
    stack.iot.connect(device, stack.ca)
    stack.iot.certificates[device.certificate_id].status = status
    return device


def unreadable(stack: TestDeployment, kind: str, status: str = "ACTIVE") -> Device:
    """A device with a certificate that nobody can read, registered past us."""
    return registered(stack, odd.unreadable_device(kind, stack.ca), status)


def der_file(device: Device, folder: Path) -> Path:
    """A device's certificate in a file, as it is."""
    file = folder / "device.der"
    file.write_bytes(device.certificate.public_bytes(serialization.Encoding.DER))
    return file


def revoke(jitr: Jitr, *what: object) -> Answer:
    """Revoke without questions, fast."""
    return jitr("device", "revoke", *what, "--yes", "--json", "--rate", "100")


class TestRevoke:
    """`jitr device revoke`."""

    @UNREADABLE_KINDS
    @pytest.mark.parametrize("by_file", [True, False])
    def test_what_nobody_can_read_is_switched_off(
        self, stack: TestDeployment, jitr: Jitr, tmp_path: Path, kind: str, *, by_file: bool
    ) -> None:
        """By its id, or by its file: the id is the hash of what it holds."""
        device = unreadable(stack, kind)
        answer = revoke(jitr, der_file(device, tmp_path) if by_file else device.certificate_id)
        assert answer.exit_code == 0, answer.err
        (row,) = answer.json["certificates"]
        serial = None if kind == odd.WITHOUT_SERIAL else f"{odd.UNREADABLE_SERIAL:x}"
        assert (row["serial"], row["status"], row["row"]) == (serial, "REVOKED", "REVOKED")
        assert "cannot be read (" in answer.err
        assert "byte" in answer.err
        assert stack.iot.status(device) == "REVOKED"

    @UNREADABLE_KINDS
    def test_one_in_a_list_does_not_end_it_and_its_line_is_named(
        self, stack: TestDeployment, jitr: Jitr, tmp_path: Path, kind: str
    ) -> None:
        """Those before and behind it go off too."""
        devices = [active(stack, "d-1"), unreadable(stack, kind), active(stack, "d-2")]
        file = tmp_path / "ids.csv"
        file.write_text("certificate_id\n" + "".join(f"{each.certificate_id}\n" for each in devices))
        answer = revoke(jitr, "--csv", file)
        assert answer.exit_code == 0, answer.err
        assert [stack.iot.status(each) for each in devices] == ["REVOKED"] * 3
        assert f"line 3, {devices[1].certificate_id}: it cannot be read" in answer.err

    def test_one_that_aws_refuses_does_not_keep_the_others_on(
        self, stack: TestDeployment, jitr: Jitr, tmp_path: Path
    ) -> None:
        """69, and which: the others are off."""
        devices = [active(stack, f"d-{number}") for number in range(3)]
        file = tmp_path / "ids.csv"
        file.write_text("".join(f"{each.certificate_id}\n" for each in devices))
        denied = ClientError({"Error": {"Code": "UnauthorizedException", "Message": "no"}}, "UpdateCertificate")
        with refusing(stack.iot_client, "UpdateCertificate", devices[0].certificate_id, denied):
            answer = revoke(jitr, "--csv", file)
        assert answer.exit_code == 69
        assert [stack.iot.status(each) for each in devices] == ["ACTIVE", "REVOKED", "REVOKED"]
        assert f"{devices[0].certificate_id}: not switched off" in answer.err
        assert "2 of 3 are off" in answer.err
        assert revoke(jitr, "--csv", file).exit_code == 0
        assert {stack.iot.status(each) for each in devices} == {"REVOKED"}

    def test_a_certificate_without_a_ca_is_kept_out_by_its_id(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Registered without one: the wish is kept all the same."""
        device = registered(stack, stack.ca.issue("device-1"))
        stack.iot.certificates[device.certificate_id].ca_certificate_id = None
        answer = revoke(jitr, device.certificate_id)
        assert answer.exit_code == 0, answer.err
        assert "its CA is not known here" in answer.err
        row = stack.activation.rows.row(id_key(device.certificate_id))
        assert row is not None
        assert (row.state, stack.iot.status(device)) == (RowState.REVOKED, "REVOKED")

    @UNREADABLE_KINDS
    def test_a_file_that_nobody_can_read_and_aws_does_not_know_is_no_success(
        self, stack: TestDeployment, jitr: Jitr, tmp_path: Path, kind: str
    ) -> None:
        """It may be damaged: then its id is not the device's."""
        answer = revoke(jitr, der_file(odd.unreadable_device(kind, stack.ca), tmp_path))
        assert answer.exit_code == 64
        assert "may be damaged" in answer.err
        assert "byte" in answer.err

    @UNREADABLE_KINDS
    def test_its_ca_is_not_told_of_what_cannot_be_read(
        self, stack: TestDeployment, jitr: Jitr, tmp_path: Path, kind: str
    ) -> None:
        """Refused before anything is done, with what to do instead."""
        device = unreadable(stack, kind)
        files = write_ca(tmp_path, stack.ca)
        files.out.write_bytes(stack.ca.crl(number=4))
        local = ["--crl", files.out, "--issuer", files.issuer, "--key", files.key]
        answer = revoke(jitr, device.certificate_id, *local)
        assert (answer.exit_code, "--serial" in answer.err) == (64, True)
        assert stack.iot.status(device) == "ACTIVE"

    @ODD_KINDS
    def test_an_odd_one_is_revoked_by_its_file(
        self, stack: TestDeployment, jitr: Jitr, tmp_path: Path, kind: str
    ) -> None:
        """Never connected: its row keeps it out at its first connect."""
        device = odd.odd_device(kind, stack.ca, SERIAL)
        answer = revoke(jitr, der_file(device, tmp_path))
        assert (answer.exit_code, answer.json["certificates"][0]["serial"]) == (0, f"{SERIAL:x}"), answer.err
        stack.knock(device)
        assert stack.iot.status(device) == "INACTIVE"


class TestWithoutThings:
    """The connection of a device without a Thing, whose policy lets it alone use its client id."""

    @pytest.fixture
    def client_id(self, stack: TestDeployment, jitr: Jitr) -> tuple[Device, str]:
        """A device that is connected by its certificate's id."""
        stack.configuration.connects["default"] = ("@{device.certificate_id}",)  # type: ignore[index]
        stack.configure(thing_name=ThingNameSource.OFF)
        device = active(stack)
        stack.clock.advance(minutes=-2)
        stack.clients.connect(device.certificate_id, device.certificate_id)
        stack.clock.advance(minutes=2)
        return device, device.certificate_id

    def test_device_revoke_ends_it(self, stack: TestDeployment, jitr: Jitr, client_id: tuple[Device, str]) -> None:
        """As the functions do, by the deployed configuration."""
        device, name = client_id
        answer = revoke(jitr, device.certificate_id)
        assert answer.exit_code == 0, answer.err
        assert not stack.clients.is_connected(name)

    def test_bulk_work_on_this_computer_ends_it(
        self, stack: TestDeployment, jitr: Jitr, client_id: tuple[Device, str]
    ) -> None:
        """The same rule."""
        ca = stack.ca.ca_certificate_id
        answer = jitr(
            "ca", "revoke-devices", "--ca-certificate-id", ca, "--all", "--inactive", "--yes", "--rate", "100"
        )
        assert answer.exit_code == 0, answer.err
        assert not stack.clients.is_connected(client_id[1])

    def test_where_the_configuration_cannot_be_read_it_is_left_and_said(
        self, stack: TestDeployment, jitr: Jitr, client_id: tuple[Device, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The device is off all the same."""

        def denied(*_: object, **__: object) -> object:
            raise CommandFailed("no right")

        monkeypatch.setattr("jitr_cli.devices.services.deployed_configuration", denied)
        answer = revoke(jitr, client_id[0].certificate_id)
        assert answer.exit_code == 0, answer.err
        assert "devices without a Thing are left to AWS IoT" in answer.err
        assert stack.clients.is_connected(client_id[1])
        assert stack.iot.status(client_id[0]) == "REVOKED"


class TestExplain:
    """`jitr device explain`."""

    @UNREADABLE_KINDS
    @pytest.mark.parametrize("by_file", [True, False])
    def test_what_nobody_can_read_is_explained_with_its_row(
        self, stack: TestDeployment, jitr: Jitr, tmp_path: Path, kind: str, *, by_file: bool
    ) -> None:
        """The reader's own words, and that an operator switched it off."""
        device = unreadable(stack, kind)
        revoke(jitr, device.certificate_id, "--reason", "certificateHold")
        answer = jitr("device", "explain", der_file(device, tmp_path) if by_file else device.certificate_id, "--json")
        assert answer.exit_code == 1, answer.err
        found = answer.json
        assert (found["reason"], found["step"]) == ("malformed_certificate", 2)
        assert "byte" in found["message"]
        assert found["row"]["state"] == "INACTIVE"
        assert {each["step"]: each["reason"] for each in found["steps"]}[6] == "switched_off"

    @UNREADABLE_KINDS
    def test_a_file_that_aws_does_not_know_is_explained_by_what_is_wrong_with_it(
        self, stack: TestDeployment, jitr: Jitr, tmp_path: Path, kind: str
    ) -> None:
        """Not only that AWS IoT does not know it."""
        file = der_file(odd.unreadable_device(kind, stack.ca), tmp_path)
        answer = jitr("device", "explain", file, "--json")
        assert answer.exit_code == 1, answer.err
        assert any("byte" in note for note in answer.json["notes"])

    @ODD_KINDS
    def test_an_odd_one_is_explained_like_any_other(
        self, stack: TestDeployment, jitr: Jitr, tmp_path: Path, kind: str
    ) -> None:
        """ACTIVE, and everything as it should be."""
        device = odd.odd_device(kind, stack.ca, SERIAL)
        stack.knock(device)
        answer = jitr("device", "explain", der_file(device, tmp_path), "--json")
        assert (answer.exit_code, answer.json["verdict"]) == (0, "active"), answer.out

    def test_an_undoing_that_was_left_says_what_finishes_it(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Killed in the middle, and nobody repeated it."""
        device = active(stack)
        rows = stack.activation.rows
        key = rows.key_of(device.certificate_id) or ""
        row = rows.row(key)
        assert row is not None
        claim = job_claim("revoke-1")
        rows.mark(row, wanted=CertificateStatus.INACTIVE, braked_by=claim)
        rows.write(key, "SET undoing_until = :long_ago", {":long_ago": {"N": "1"}}, "attribute_exists(pk)")
        answer = jitr("device", "explain", device.certificate_id, "--json")
        assert answer.json["step"] == 6
        assert "`jitr bulk undo revoke-1` once more" in answer.json["message"]


class TestImport:
    """`jitr device import`."""

    @UNREADABLE_KINDS
    def test_what_nobody_can_read_is_imported_and_named(self, stack: TestDeployment, jitr: Jitr, kind: str) -> None:
        """And a second run has nothing left to do."""
        devices = [unreadable(stack, kind), registered(stack, stack.ca.issue("readable"))]
        command = ["device", "import", "--ca-certificate-id", stack.ca.ca_certificate_id, "--rate", "100", "--yes"]
        answer = jitr(*command, "--json")
        assert answer.exit_code == 0, answer.err
        assert answer.json == {"unknown": 2, "imported": 2}
        assert f"{devices[0].certificate_id}: the certificate cannot be read" in answer.err
        assert jitr(*command, "--json").json["unknown"] == 0

    @ODD_KINDS
    def test_an_odd_one_is_imported(self, stack: TestDeployment, jitr: Jitr, kind: str) -> None:
        """And goes off when it is listed."""
        device = registered(stack, odd.odd_device(kind, stack.ca, SERIAL))
        command = ["device", "import", "--ca-certificate-id", stack.ca.ca_certificate_id, "--rate", "100", "--yes"]
        assert jitr(*command).exit_code == 0
        stack.publish(stack.ca.crl([SERIAL], number=2))
        stack.sweep()
        assert stack.iot.status(device) == "REVOKED"


class TestBulk:
    """`jitr ca revoke-devices` and `jitr bulk undo`, on this computer."""

    @UNREADABLE_KINDS
    def test_undoing_leaves_off_what_nobody_can_read_and_names_it(
        self, stack: TestDeployment, jitr: Jitr, kind: str
    ) -> None:
        """Exit code 1: not all came back."""
        device, readable = unreadable(stack, kind), active(stack)
        ca = stack.ca.ca_certificate_id
        command = ["ca", "revoke-devices", "--ca-certificate-id", ca, "--all", "--inactive", "--yes", "--rate", "100"]
        answer = jitr(*command, "--json")
        assert (answer.exit_code, answer.json["done"]) == (0, 2), answer.err
        undo = jitr("bulk", "undo", answer.json["job"], "--yes", "--rate", "100", "--json")
        assert (undo.exit_code, undo.json["done"], undo.json["failed"]) == (1, 1, 1), undo.err
        assert [stack.iot.status(each) for each in (device, readable)] == ["INACTIVE", "ACTIVE"]
        status = jitr("bulk", "status", undo.json["job"], "--failed")
        assert device.certificate_id in status.out + status.err


class TestReinstate:
    """`jitr device reinstate`."""

    @UNREADABLE_KINDS
    def test_what_nobody_can_read_does_not_come_back(self, stack: TestDeployment, jitr: Jitr, kind: str) -> None:
        """Refused in the reader's words."""
        device = unreadable(stack, kind, "INACTIVE")
        answer = jitr("device", "reinstate", device.certificate_id, "--yes")
        assert answer.exit_code == 1, answer.err
        assert "byte" in answer.err
        assert stack.iot.status(device) == "INACTIVE"

    def test_what_was_switched_off_by_its_id_comes_back_when_every_check_passes(
        self, stack: TestDeployment, jitr: Jitr
    ) -> None:
        """Its CA was not known when it was switched off."""
        device = registered(stack, stack.ca.issue("device-1"))
        ca = stack.iot.certificates[device.certificate_id].ca_certificate_id
        stack.iot.certificates[device.certificate_id].ca_certificate_id = None
        assert revoke(jitr, device.certificate_id, "--reason", "certificateHold").exit_code == 0
        stack.iot.certificates[device.certificate_id].ca_certificate_id = ca
        answer = jitr("device", "reinstate", device.certificate_id, "--yes")
        assert answer.exit_code == 0, answer.err
        assert stack.iot.status(device) == "ACTIVE"
        row = stack.activation.rows.row(id_key(device.certificate_id))
        assert row is not None
        assert row.state is RowState.ACTIVE


def test_the_same_key_does_not_make_two_devices_one(stack: TestDeployment, jitr: Jitr) -> None:
    """An unreadable copy of a readable certificate: whatever becomes of it, the device stays ACTIVE."""
    key = pki.new_key()
    device = stack.ca.issue("device-1", key=key, serial=SERIAL)
    stack.knock(device)
    der = device.certificate.public_bytes(serialization.Encoding.DER) + b"\x00"
    copy = registered(stack, odd.device(der, SERIAL, key))
    assert revoke(jitr, copy.certificate_id).exit_code == 0
    assert (stack.iot.status(copy), stack.iot.status(device)) == ("REVOKED", "ACTIVE")
    assert stack.row_state(device) == "ACTIVE"
