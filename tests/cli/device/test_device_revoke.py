"""`jitr device revoke`: off in the registry, in AWS IoT and at the CA, and no late event brings it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jitr.aws.iot import CertificateStatus
from jitr.certificates import issuer_key
from jitr.enforcement.brake import SMALLEST_BRAKE
from jitr.errors import Outcome, Reason
from jitr.registry.claims import Claims
from jitr_cli.signing.private_revocation import _written
from jitr_local import pki
from jitr_local.pki import Device
from tests.aws.aws_faults import CallLog, Killed, failing, killed_after
from tests.aws.fake_iot import REGION
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.ca_files import CaFiles, write_ca
from tests.cli.worlds.devices import (
    active,
    create_private_ca,
    inactive,
    pending,
    snapshot,
    written,
)
from tests.worlds.deployment import TestDeployment

pytestmark = pytest.mark.usefixtures("same_account")


def revoke(jitr: Jitr, *what: object) -> Answer:
    """Revoke without questions, fast."""
    return jitr("device", "revoke", *what, "--yes", "--json", "--rate", "100")


def listed(folder: Path, devices: list[Device]) -> Path:
    """The devices' ids in a CSV."""
    file = folder / "ids.csv"
    file.write_text("note,certificate_id\n" + "".join(f"x,{each.certificate_id}\n" for each in devices))
    return file


def test_a_revoked_device_is_off_everywhere(stack: TestDeployment, jitr: Jitr, tmp_path: Path) -> None:
    """In AWS IoT and in the registry; nothing is detached, so that nothing is lost if it was wrong."""
    device = active(stack)
    answer = revoke(jitr, written(device, tmp_path), "--reason", "keycompromise")
    assert answer.exit_code == 0, answer.err
    assert answer.json == {
        "switched_off": 1,
        "certificates": [
            {
                "certificate_id": device.certificate_id,
                "serial": f"{device.certificate.serial_number:x}",
                "was": "ACTIVE",
                "status": "REVOKED",
                "row": "REVOKED",
            }
        ],
    }
    assert (stack.iot.status(device), stack.row_state(device)) == ("REVOKED", "REVOKED")
    assert stack.iot.certificates[device.certificate_id].things == ["device-1"]
    assert "account 000000000000 · Region us-east-1 · deployment test" in answer.err


def test_no_late_event_brings_it_back(stack: TestDeployment, jitr: Jitr) -> None:
    """Deleted from AWS IoT, registered again, an old event delivered: it stays off."""
    device = active(stack)
    revoke(jitr, device.certificate_id)
    del stack.iot.certificates[device.certificate_id]
    result = stack.knock(device)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.REVOKED_BEFORE)
    assert stack.iot.status(device) == "INACTIVE"


def test_a_hold_can_be_ended_by_reinstating(stack: TestDeployment, jitr: Jitr) -> None:
    """certificateHold: INACTIVE, in both places."""
    device = active(stack)
    assert revoke(jitr, device.certificate_id, "--reason", "certificateHold").exit_code == 0
    assert (stack.iot.status(device), stack.row_state(device)) == ("INACTIVE", "INACTIVE")
    assert jitr("device", "reinstate", device.certificate_id, "--yes").exit_code == 0
    assert stack.iot.status(device) == "ACTIVE"


def test_a_hold_becomes_final_and_never_the_other_way(stack: TestDeployment, jitr: Jitr) -> None:
    """REVOKED is not made less."""
    device = active(stack)
    revoke(jitr, device.certificate_id, "--reason", "certificateHold")
    revoke(jitr, device.certificate_id)
    assert stack.iot.status(device) == "REVOKED"
    answer = revoke(jitr, device.certificate_id, "--reason", "certificateHold")
    assert (answer.exit_code, answer.json["certificates"][0]["row"]) == (0, "REVOKED")
    assert (stack.iot.status(device), stack.row_state(device)) == ("REVOKED", "REVOKED")


def test_a_waiting_device_is_kept_out(stack: TestDeployment, jitr: Jitr) -> None:
    """It has no row yet; its event comes later."""
    device = pending(stack)
    revoke(jitr, device.certificate_id)
    assert stack.knock(device).outcome is Outcome.ALREADY_DECIDED
    assert (stack.iot.status(device), stack.row_state(device)) == ("REVOKED", "REVOKED")


def test_a_device_that_never_connected_is_kept_out_by_its_file(
    stack: TestDeployment, jitr: Jitr, tmp_path: Path
) -> None:
    """Stolen from the store: its row alone is written, and its first connect ends there."""
    device = stack.ca.issue("stolen")
    answer = revoke(jitr, written(device, tmp_path))
    assert (answer.exit_code, answer.json["certificates"][0]["was"]) == (0, None), answer.err
    assert stack.knock(device).reason is Reason.REVOKED_BEFORE
    assert stack.iot.status(device) == "INACTIVE"


def test_what_nobody_knows_stops_everything(stack: TestDeployment, jitr: Jitr, tmp_path: Path) -> None:
    """An id that is not registered, or a certificate of a foreign CA: nothing at all is switched off."""
    device = active(stack)
    foreign = pki.CertificateAuthority.create("Foreign").issue("x")
    for unknown in ("b" * 64, written(foreign, tmp_path)):
        answer = revoke(jitr, device.certificate_id, unknown)
        assert (answer.exit_code, "AWS IoT knows no certificate" in answer.err) == (64, True)
    assert stack.iot.status(device) == "ACTIVE"


def test_a_copy_of_a_devices_certificate_does_not_take_the_device_out(stack: TestDeployment, jitr: Jitr) -> None:
    """Another certificate with its serial number: that one goes, the device and its row stay."""
    device = active(stack, serial=7)
    copy = pending(stack, "device-1", serial=7)
    assert copy.certificate_id != device.certificate_id
    assert revoke(jitr, copy.certificate_id).exit_code == 0
    assert (stack.iot.status(copy), stack.iot.status(device)) == ("REVOKED", "ACTIVE")
    assert stack.row_state(device) == "ACTIVE"


def test_a_brake_that_is_undone_later_does_not_bring_it_back(stack: TestDeployment, jitr: Jitr) -> None:
    """An operator's word is not one CRL's."""
    device = active(stack)
    key = f"{issuer_key(stack.ca.certificate)}#{device.certificate.serial_number:x}"
    rows = stack.activation.rows
    row = rows.row(key)
    assert row is not None
    rows.mark(row, wanted=CertificateStatus.INACTIVE, braked_by="crl")
    stack.activation.registry.switch_off(device.certificate_id, CertificateStatus.INACTIVE)
    rows.finish_revocation(key, done=CertificateStatus.INACTIVE)
    revoke(jitr, device.certificate_id, "--reason", "certificateHold")
    assert not Claims(rows).begin_undoing(key, claim="crl", until=stack.clock())


def test_an_activation_on_its_way_is_looked_at_once_more(
    stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It held a lease when its row was marked, asked for ACTIVE after that, and died."""
    device = pending(stack)
    stack.clock.now = pki.now()
    with killed_after(stack.iot_client, "AttachPolicy"), pytest.raises(Killed):
        stack.knock(device)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        if seconds > 1:
            slept.append(seconds)
            stack.iot.certificates[device.certificate_id].status = "ACTIVE"

    monkeypatch.setattr("jitr_cli.device.revoke.time.sleep", sleep)
    assert revoke(jitr, device.certificate_id, "--reason", "certificateHold").exit_code == 0
    assert 30 < slept[-1] < 60
    assert stack.iot.status(device) == "INACTIVE"


def test_a_dry_run_and_a_no_write_nothing(stack: TestDeployment, jitr: Jitr) -> None:
    """Both say what would happen."""
    device = active(stack)
    before = snapshot(stack)
    dry = jitr("device", "revoke", device.certificate_id, "--dry-run")
    assert (dry.exit_code, "become REVOKED" in dry.err) == (0, True)
    assert jitr("device", "revoke", device.certificate_id).exit_code == 130
    assert snapshot(stack) == before


class TestMany:
    """Lists: paced, resumable, and nothing irreversible in one step (I7)."""

    @pytest.fixture
    def devices(self, stack: TestDeployment) -> list[Device]:
        """More than a brake lets through."""
        key = pki.new_key()
        made = [stack.ca.issue(f"d-{n}", key=key, serial=n + 1) for n in range(SMALLEST_BRAKE + 1)]
        for device in made:
            stack.knock(device)
        return made

    def test_more_than_a_hundred_are_inactive_first_and_revoked_second(
        self, stack: TestDeployment, jitr: Jitr, devices: list[Device], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A wrong list can be undone until the same command is run with --final."""
        monkeypatch.setattr("jitr_cli.device.revoke.time.sleep", lambda _: None)
        file = listed(tmp_path, devices)
        early = revoke(jitr, "--csv", file, "--final")
        assert (early.exit_code, "are not off yet" in early.err) == (64, True)
        assert {stack.iot.status(each) for each in devices} == {"ACTIVE"}
        assert revoke(jitr, "--csv", file).exit_code == 0
        assert {stack.iot.status(each) for each in devices} == {"INACTIVE"}
        assert revoke(jitr, "--csv", file, "--final").exit_code == 0
        assert {stack.iot.status(each) for each in devices} == {"REVOKED"}
        assert {stack.row_state(each) for each in devices} == {"REVOKED"}

    def test_more_than_a_thousand_are_work_for_the_account(self, jitr: Jitr, tmp_path: Path) -> None:
        """Said before anything is read."""
        file = tmp_path / "ids"
        file.write_text("".join(f"{n:064x}\n" for n in range(1001)))
        answer = revoke(jitr, "--csv", file)
        assert (answer.exit_code, "jitr ca revoke-devices" in answer.err) == (64, True)

    @pytest.mark.parametrize("text", ["certificate_id\nxyz\n", "id\n" + "a" * 64, "", "a" * 64 + "\nxyz\n"])
    def test_a_list_that_is_not_right_switches_nothing_off(self, jitr: Jitr, tmp_path: Path, text: str) -> None:
        """The line is named."""
        file = tmp_path / "ids.csv"
        file.write_text(text)
        assert revoke(jitr, "--csv", file).exit_code == 64

    def test_calls_are_paced(self, stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch) -> None:
        """The bulk share of the deployment: one call a second in these tests."""
        device = active(stack)
        slept: list[float] = []
        monkeypatch.setattr("jitr_cli.device.revoke.time.sleep", slept.append)
        jitr("device", "revoke", device.certificate_id, "--yes")
        assert len(slept) == 1
        assert 0.5 < slept[0] <= 1

    def test_an_interrupted_run_goes_on(self, stack: TestDeployment, jitr: Jitr, tmp_path: Path) -> None:
        """Killed after each call in turn: in the end all are off, in both places."""
        made = [active(stack, f"d-{n}") for n in range(3)]
        file = listed(tmp_path, made)
        log = CallLog(stack.iot_client)
        for kill_after in range(1, 40):
            log.calls.clear()
            log.kill_after = kill_after
            try:
                answer = revoke(jitr, "--csv", file)
            except Killed:
                continue
            finally:
                log.kill_after = None
            assert answer.exit_code == 0, answer.err
            break
        assert {(stack.iot.status(each), stack.row_state(each)) for each in made} == {("REVOKED", "REVOKED")}

    def test_throttled_it_says_so_and_can_be_run_again(self, stack: TestDeployment, jitr: Jitr) -> None:
        """69: not all are off."""
        device = active(stack)
        with failing(stack.iot_client, "UpdateCertificate", "ThrottlingException"):
            assert revoke(jitr, device.certificate_id).exit_code == 69
        assert stack.row_state(device) == "REVOKE_WANTED"
        assert revoke(jitr, device.certificate_id).exit_code == 0
        assert stack.iot.status(device) == "REVOKED"


class TestLocalCa:
    """The CA's own CRL, where its key is at hand."""

    @pytest.fixture
    def files(self, stack: TestDeployment, tmp_path: Path) -> CaFiles:
        """The deployment's CA in files, with a CRL that lists nobody."""
        files = write_ca(tmp_path, stack.ca)
        files.out.write_bytes(stack.ca.crl(number=4))
        return files

    def test_the_device_gets_onto_the_crl_too(self, stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
        """With a higher number; publishing it is the next command."""
        device = active(stack)
        local = ["--crl", files.out, "--issuer", files.issuer, "--key", files.key]
        answer = revoke(jitr, device.certificate_id, "--reason", "keyCompromise", *local)
        assert (answer.exit_code, "jitr crl publish" in answer.err) == (0, True), answer.err
        assert files.listed() == {device.certificate.serial_number}
        assert files.made().number == 5
        assert stack.iot.status(device) == "REVOKED"

    def test_a_wrong_ca_is_found_before_anything_is_done(
        self, stack: TestDeployment, jitr: Jitr, tmp_path: Path
    ) -> None:
        """Its CRL would list a stranger's serial number."""
        device = active(stack)
        folder = tmp_path / "other"
        folder.mkdir()
        other = write_ca(folder, pki.CertificateAuthority.create("Other"))
        other.out.write_bytes(other.ca.crl(number=1))
        local = ["--crl", other.out, "--issuer", other.issuer, "--key", other.key]
        answer = revoke(jitr, device.certificate_id, *local)
        assert (answer.exit_code, "not seen to have issued" in answer.err) == (64, True)
        assert (stack.iot.status(device), other.made().number) == ("ACTIVE", 1)

    def test_half_of_the_options_is_usage(self, stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
        """CRL, certificate and key belong together."""
        device = active(stack)
        assert revoke(jitr, device.certificate_id, "--crl", files.out).exit_code == 64
        assert stack.iot.status(device) == "ACTIVE"


class TestAtPrivateCa:
    """AWS Private CA's own list, as far as moto keeps one."""

    @pytest.fixture
    def arn(self, stack: TestDeployment) -> str:
        """A root CA in AWS Private CA."""
        return create_private_ca()

    @pytest.fixture
    def device(self, stack: TestDeployment, jitr: Jitr, arn: str, tmp_path: Path) -> tuple[Path, str, int]:
        """A device of a Private CA that is registered in AWS IoT: its file, id and serial number."""
        answer = jitr("device", "create", "--cn", "p-1", "--private-ca", arn, "--out", tmp_path, "--yes", "--json")
        (made,) = answer.json["devices"]
        file = tmp_path / "p-1" / "device.pem"
        stack.iot.add_active(made["certificate_id"], stack.ca.ca_certificate_id)
        stack.iot.certificates[made["certificate_id"]].pem = file.read_text()
        return file, made["certificate_id"], int(made["serial"], 16)

    def test_the_private_ca_is_told(
        self, stack: TestDeployment, jitr: Jitr, arn: str, device: tuple[Path, str, int]
    ) -> None:
        """By serial number, as it writes them, with the reason in its words."""
        file, certificate_id, serial = device
        answer = revoke(jitr, file, "--reason", "superseded", "--private-ca", arn)
        assert (answer.exit_code, "1 revoked" in answer.err) == (0, True), answer.err
        assert stack.iot.certificates[certificate_id].status == "REVOKED"
        from moto.acmpca.models import acmpca_backends

        backend: Any = acmpca_backends["123456789012"][REGION]
        told = backend.certificate_authorities[arn].revoked_certificates
        assert told[_written(serial)]["revocation_reason"] == "SUPERSEDED"

    def test_it_knows_no_hold(self, stack: TestDeployment, jitr: Jitr, arn: str, device: tuple[Path, str, int]) -> None:
        """What it revokes stays revoked."""
        answer = revoke(jitr, device[0], "--reason", "certificateHold", "--private-ca", arn)
        assert (answer.exit_code, "no certificateHold" in answer.err) == (64, True)
        assert stack.iot.certificates[device[1]].status == "ACTIVE"

    def test_a_certificate_of_another_ca_is_not_sent_to_it(self, stack: TestDeployment, jitr: Jitr, arn: str) -> None:
        """Found by the signature, before anything is done."""
        device = inactive(stack)
        answer = revoke(jitr, device.certificate_id, "--private-ca", arn)
        assert (answer.exit_code, "not seen to have issued" in answer.err) == (64, True)
        assert stack.iot.status(device) == "INACTIVE"


@pytest.mark.parametrize(("serial", "expected"), [(1, "01"), (0xABC, "0a:bc"), (0xABCD, "ab:cd")])
def test_serial_numbers_are_written_in_whole_octets(serial: int, expected: str) -> None:
    """As `openssl x509 -text` prints them."""
    assert _written(serial) == expected
