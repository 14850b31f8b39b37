"""`jitr device reinstate`: from INACTIVE back to ACTIVE on an operator's word, after every check."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509

from jitr.activation.reinstatement import LEASE
from jitr.aws.iot import CertificateStatus
from jitr.crls.cache import scope_of
from jitr.registry.rows import Registry
from jitr.settings import CaStatus, Mode
from jitr_cli.console.aws import Aws
from jitr_cli.devices.services import verify_clock
from jitr_local import pki
from jitr_local.pki import Device
from tests.aws.aws_faults import CallLog, Killed, failing, killed_after, unanswered
from tests.cli.conftest import Jitr
from tests.cli.worlds.devices import active, end_lease, inactive, pending, reinstate, row_of, snapshot, written
from tests.worlds.deployment import TABLE, TestDeployment

pytestmark = pytest.mark.usefixtures("same_account")

HOLD = x509.ReasonFlags.certificate_hold


def switch_off(stack: TestDeployment, device: Device, wanted: CertificateStatus) -> None:
    """Switch a device off as enforcement does."""
    rows = stack.activation.rows
    rows.mark(row_of(stack, device), wanted=wanted, braked_by=None)
    stack.activation.registry.switch_off(device.certificate_id, wanted)
    rows.finish_revocation(row_of(stack, device).key, done=wanted)


def test_an_inactive_device_is_active_again(stack: TestDeployment, jitr: Jitr, tmp_path: Path) -> None:
    """Named by its file as well as by its id; its row says so, and holds no lease."""
    device = inactive(stack)
    answer = jitr("device", "reinstate", written(device, tmp_path), "--yes", "--json")
    assert (answer.exit_code, answer.json["outcome"]) == (0, "reinstated"), answer.err
    assert "account 000000000000 · Region us-east-1 · deployment test" in answer.err
    assert (stack.iot.status(device), stack.row_state(device)) == ("ACTIVE", "ACTIVE")
    assert row_of(stack, device).lease_owner is None


def test_a_device_whose_hold_was_lifted_comes_back(stack: TestDeployment, jitr: Jitr) -> None:
    """A CRL put it on hold, and the next one does not list it; nothing comes back by itself."""
    device = active(stack)
    stack.publish(stack.ca.crl([pki.revoked_entry(device.certificate.serial_number, reason=HOLD)], number=2))
    stack.sweep()
    held = reinstate(jitr, device)
    assert (held.exit_code, held.json["reason"], held.json["step"]) == (1, "certificate_hold", 5)
    stack.publish(stack.ca.crl(number=3))
    stack.sweep()
    assert stack.iot.status(device) == "INACTIVE"
    assert reinstate(jitr, device).exit_code == 0
    assert (stack.iot.status(device), stack.row_state(device)) == ("ACTIVE", "ACTIVE")


def test_what_is_listed_again_later_is_switched_off_again(stack: TestDeployment, jitr: Jitr) -> None:
    """Enforcement knows a reinstated device like any other."""
    device = inactive(stack)
    reinstate(jitr, device)
    stack.publish(stack.ca.crl([device.certificate.serial_number], number=2))
    stack.sweep()
    assert (stack.iot.status(device), stack.row_state(device)) == ("REVOKED", "REVOKED")


def listed(stack: TestDeployment, device: Device) -> None:
    """On the CRL."""
    stack.publish(stack.ca.crl([device.certificate.serial_number], number=2))


def deactivated(stack: TestDeployment, _: Device) -> None:
    """CA INACTIVE in the fleet file."""
    stack.configure(status=CaStatus.INACTIVE)


def without_crl(stack: TestDeployment, _: Device) -> None:
    """No CRL to be had."""
    stack.configure(crl="s3://jitr-test-crl/nothing.crl")


def marked_revoked(stack: TestDeployment, device: Device) -> None:
    """The row says REVOKED, AWS IoT INACTIVE: deleted and registered again."""
    switch_off(stack, device, CertificateStatus.REVOKED)
    stack.iot.certificates[device.certificate_id].status = "INACTIVE"


def being_revoked(stack: TestDeployment, device: Device) -> None:
    """A sweep marked the row and has not come further."""
    stack.activation.rows.mark(row_of(stack, device), wanted=CertificateStatus.INACTIVE, braked_by=None)


def of_another(stack: TestDeployment, device: Device) -> None:
    """The row of another certificate with this serial number."""
    key = {"pk": {"S": row_of(stack, device).key}, "sk": {"S": "certificate"}}
    stack.dynamodb.update_item(
        TableName=TABLE,
        Key=key,
        UpdateExpression="SET certificate_ids = :i",
        ExpressionAttributeValues={":i": {"SS": ["f" * 64]}},
    )


def taken(stack: TestDeployment, _: Device) -> None:
    """Its Thing belongs to another certificate."""
    stack.iot.things["device-1"].attributes["certificate_id"] = "e" * 64


def revoked(stack: TestDeployment, device: Device) -> None:
    """REVOKED in AWS IoT."""
    stack.iot.certificates[device.certificate_id].status = "REVOKED"


@pytest.mark.parametrize(
    ("prepare", "exit_code", "reason", "step"),
    [
        (listed, 1, "revoked", 5),
        (deactivated, 1, "ca_inactive", 3),
        (without_crl, 2, "no_crl", 5),
        (marked_revoked, 1, "revoked_before", 6),
        (being_revoked, 1, "revoked", 6),
        (of_another, 1, "serial_in_use", 6),
        (taken, 1, "thing_in_use", 7),
        (revoked, 1, "revoked", 2),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_what_must_not_come_back_does_not(
    stack: TestDeployment,
    jitr: Jitr,
    prepare: Callable[[TestDeployment, Device], None],
    exit_code: int,
    reason: str,
    step: int,
) -> None:
    """1 for a definite reason, 2 where nobody knows; nothing is written."""
    device = inactive(stack)
    prepare(stack, device)
    before = snapshot(stack)
    answer = reinstate(jitr, device)
    assert (answer.exit_code, answer.json["reason"], answer.json["step"]) == (exit_code, reason, step), answer.err
    assert snapshot(stack) == before


def test_an_expired_certificate_does_not_come_back(stack: TestDeployment, jitr: Jitr) -> None:
    """The clock is the real one here: it expired an hour ago."""
    stack.publish(stack.ca.crl(number=2, this_update=pki.now() - timedelta(hours=9)))
    stack.clock.advance(hours=-3)
    device = inactive(stack, not_after=pki.now() - timedelta(hours=1))
    answer = reinstate(jitr, device)
    assert (answer.exit_code, answer.json["reason"]) == (1, "certificate_expired")
    assert stack.iot.status(device) == "INACTIVE"


@pytest.mark.parametrize(("make", "exit_code", "outcome"), [(active, 0, "already_active"), (pending, 1, "rejected")])
def test_only_inactive_devices_are_reinstated(
    stack: TestDeployment, jitr: Jitr, make: Callable[[TestDeployment], Device], exit_code: int, outcome: str
) -> None:
    """ACTIVE needs nothing; a waiting one is the function's to decide."""
    device = make(stack)
    before = snapshot(stack)
    answer = reinstate(jitr, device)
    assert (answer.exit_code, answer.json["outcome"]) == (exit_code, outcome)
    assert snapshot(stack) == before


@pytest.mark.usefixtures("stack")
def test_an_unknown_certificate_is_undetermined(jitr: Jitr) -> None:
    """It may be in another account or Region."""
    answer = jitr("device", "reinstate", "a" * 64, "--yes")
    assert (answer.exit_code, "certificate_not_found" in answer.err) == (2, True)


def test_a_dry_run_and_a_no_write_nothing(stack: TestDeployment, jitr: Jitr) -> None:
    """Both say what would be done; a no is an interruption."""
    device = inactive(stack)
    before = snapshot(stack)
    dry = jitr("device", "reinstate", device.certificate_id, "--dry-run", "--json")
    assert (dry.exit_code, dry.json["outcome"]) == (0, "would_reinstate")
    assert jitr("device", "reinstate", device.certificate_id).exit_code == 130
    assert snapshot(stack) == before


def test_a_deployment_that_only_observes_reinstates_nobody(stack: TestDeployment, jitr: Jitr) -> None:
    """Another handler owns the devices there."""
    device = inactive(stack)
    stack.configuration = dataclasses.replace(stack.configuration, mode=Mode.OBSERVE)
    assert reinstate(jitr, device).exit_code == 64
    assert stack.iot.status(device) == "INACTIVE"


def test_policy_and_thing_are_attached_first(stack: TestDeployment, jitr: Jitr) -> None:
    """Somebody detached everything while the device was off (I2)."""
    device = inactive(stack)
    certificate = stack.iot.certificates[device.certificate_id]
    certificate.policies, certificate.things = [], []
    assert reinstate(jitr, device).exit_code == 0
    assert (certificate.policies, certificate.things) == (["jitr-test_default"], ["device-1"])
    assert not certificate.ever_active_without_policy


def test_a_newer_crl_that_lists_it_while_the_operator_thinks_keeps_it_out(
    stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checked again after the question."""
    device = inactive(stack)

    def thinking(*_: Any) -> bool:
        listed(stack, device)
        return True

    monkeypatch.setattr("jitr_cli.console.call.Call.confirm", thinking)
    answer = reinstate(jitr, device)
    assert (answer.exit_code, answer.json["reason"]) == (1, "revoked")
    assert stack.iot.status(device) == "INACTIVE"


def test_a_crl_that_is_enforced_between_check_and_row_keeps_it_out(
    stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep sees no lease yet; the second look at the accepted version sees the sweep."""
    device = inactive(stack)
    hold = pki.revoked_entry(device.certificate.serial_number, reason=HOLD)
    real = Registry.begin_reinstatement
    swept: list[bool] = []

    def begin(rows: Registry, key: str, **options: Any) -> bool:
        if not swept:
            swept.append(True)
            stack.publish(stack.ca.crl([hold], number=2))
            stack.sweep()
        return real(rows, key, **options)

    monkeypatch.setattr(Registry, "begin_reinstatement", begin)
    answer = reinstate(jitr, device)
    assert (answer.exit_code, answer.json["reason"]) == (1, "certificate_hold"), answer.err
    assert (stack.iot.status(device), stack.row_state(device)) == ("INACTIVE", "INACTIVE")


def test_a_revocation_that_is_marked_meanwhile_wins(stack: TestDeployment, jitr: Jitr) -> None:
    """Marked between UpdateCertificate and the row: off again at once, for good."""
    device = inactive(stack)

    def mark(*, params: dict[str, Any], **_: Any) -> None:
        if '"ACTIVE"' in json.dumps(params):
            stack.activation.rows.mark(row_of(stack, device), wanted=CertificateStatus.REVOKED, braked_by=None)

    stack.iot_client.meta.events.register("provide-client-params.iot.UpdateCertificate", mark)
    answer = reinstate(jitr, device)
    assert (answer.exit_code, answer.json["reason"]) == (1, "revoked")
    assert (stack.iot.status(device), stack.row_state(device)) == ("REVOKED", "REVOKED")


def test_a_brakes_claim_ends_with_the_reinstatement(stack: TestDeployment, jitr: Jitr) -> None:
    """Undoing the brake later must not touch a device that an operator switched off after that."""
    device = active(stack)
    row = row_of(stack, device)
    stack.activation.rows.mark(row, wanted=CertificateStatus.INACTIVE, braked_by="crl")
    stack.activation.registry.switch_off(device.certificate_id, CertificateStatus.INACTIVE)
    stack.activation.rows.finish_revocation(row.key, done=CertificateStatus.INACTIVE)
    assert reinstate(jitr, device).exit_code == 0
    assert row_of(stack, device).braked_by is None


def test_refused_by_aws_it_is_as_it_was(stack: TestDeployment, jitr: Jitr) -> None:
    """Throttled at the last call: INACTIVE in both places, and the next try needs not wait."""
    device = active(stack)
    switch_off(stack, device, CertificateStatus.INACTIVE)
    with failing(stack.iot_client, "UpdateCertificate", "ThrottlingException"):
        assert reinstate(jitr, device).exit_code == 69
    assert (stack.iot.status(device), stack.row_state(device)) == ("INACTIVE", "INACTIVE")
    assert reinstate(jitr, device).exit_code == 0


def test_a_row_never_says_inactive_about_a_certificate_that_is_active(
    stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody made it ACTIVE while the operator thought: enforcement must still see the row."""
    device = active(stack)
    switch_off(stack, device, CertificateStatus.INACTIVE)

    def made_active(*_: Any) -> bool:
        stack.iot.certificates[device.certificate_id].status = "ACTIVE"
        return True

    monkeypatch.setattr("jitr_cli.console.call.Call.confirm", made_active)
    assert reinstate(jitr, device).exit_code == 2
    hold = pki.revoked_entry(device.certificate.serial_number, reason=HOLD)
    stack.publish(stack.ca.crl([hold], number=2))
    stack.sweep()
    assert (stack.iot.status(device), stack.row_state(device)) == ("INACTIVE", "INACTIVE")


def test_without_an_answer_nobody_else_may_try_until_the_lease_ends(
    stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS may have done it; then the same command goes on."""
    device = inactive(stack)
    with unanswered(stack.iot_client, "UpdateCertificate"):
        assert reinstate(jitr, device).exit_code == 69
    again = reinstate(jitr, device)
    assert (again.exit_code, again.json["reason"]) == (1, "lease_held")
    end_lease(stack, device)
    assert reinstate(jitr, device).exit_code == 0
    assert (stack.iot.status(device), stack.row_state(device)) == ("ACTIVE", "ACTIVE")


def test_a_crash_after_any_call_is_resumed(stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after call 1, 2, 3, …: started again it ends ACTIVE, with its policy, and with a closed row."""
    device = inactive(stack)
    log = CallLog(stack.iot_client)
    log.watch_dynamodb(monkeypatch)
    killed = 0
    for kill_after in range(1, 60):
        log.calls.clear()
        log.kill_after = kill_after
        try:
            answer = reinstate(jitr, device)
        except Killed:
            killed += 1
            continue
        finally:
            log.kill_after = None
            end_lease(stack, device)
        assert answer.exit_code == 0, answer.err
        if answer.json["outcome"] == "already_active" and kill_after > len(log.calls):
            break
    assert killed > 10
    assert (stack.iot.status(device), stack.row_state(device)) == ("ACTIVE", "ACTIVE")


def test_a_crash_right_after_active_is_closed_by_the_next_run(stack: TestDeployment, jitr: Jitr) -> None:
    """ACTIVE in AWS IoT, on its way in the registry."""
    device = inactive(stack)
    with killed_after(stack.iot_client, "UpdateCertificate"), pytest.raises(Killed):
        reinstate(jitr, device)
    assert (stack.iot.status(device), stack.row_state(device)) == ("ACTIVE", "ACTIVATING")
    end_lease(stack, device)
    answer = reinstate(jitr, device)
    assert (answer.exit_code, "closed now" in answer.err) == (0, True)
    assert stack.row_state(device) == "ACTIVE"


def test_enforcement_waits_for_the_lease_of_a_reinstatement(stack: TestDeployment, jitr: Jitr) -> None:
    """One that died between its lease and ACTIVE: the sweep comes back once the lease has ended."""
    device = inactive(stack)
    with killed_after(stack.iot_client, "AttachPolicy"), pytest.raises(Killed):
        reinstate(jitr, device)
    stack.clock.now = pki.now()
    began = stack.clock()
    listed(stack, device)
    stack.sweep()
    assert stack.clock() - began >= LEASE - timedelta(seconds=5)
    assert stack.iot.status(device) == "REVOKED"


def test_a_clock_that_is_off_is_refused(stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases are written with it."""
    device = inactive(stack)
    monkeypatch.setattr("jitr_cli.device.reinstate.verify_clock", _off_by_a_minute)
    answer = reinstate(jitr, device)
    assert (answer.exit_code, "clock is" in answer.err) == (64, True)
    assert stack.iot.status(device) == "INACTIVE"


def _off_by_a_minute(aws: Aws) -> None:
    """The real check, of an answer whose date is a minute behind."""
    identity = replace(aws.identity, date=aws.identity.asked_at - timedelta(minutes=1))
    verify_clock(SimpleNamespace(identity=identity))  # type: ignore[arg-type]


def test_the_scope_is_accepted_as_an_activation_does(stack: TestDeployment, jitr: Jitr) -> None:
    """A CRL that the reinstatement is the first to see counts as accepted from then on; explaining never writes it."""
    device = inactive(stack)
    stack.publish(stack.ca.crl(number=9))
    scope = scope_of(stack.ca.certificate, stack.configuration.cas[0].crl)
    reinstate(jitr, device)
    accepted = stack.activation.crls.versions.accepted(scope)
    assert accepted is not None
    assert accepted.number == 9
