"""Certificates that nobody can read as a whole: they never get in, and can be switched off like any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.aws.state_table import StateTable
from jitr.bulk.job import JobKind, JobState
from jitr.certificates import issuer_key
from jitr.enforcement.passes import Passes, PassKind
from jitr.errors import Outcome, Reason
from jitr.handlers.enforce import EnforcementHandler, build_function
from jitr.registry.device_revocation import DeviceRevocation
from jitr.registry.row import RegistryRow, RowState, id_key, row_key
from jitr.registry.rows import Registry
from jitr_local import pki
from tests.aws.emf import follow_stdout, logged, written
from tests.worlds import odd_certificates as odd
from tests.worlds.bulk import BulkDeployment
from tests.worlds.deployment import ENVIRONMENT, TABLE, TestDeployment

SCHEDULE = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
WITH_SERIAL = [kind for kind in odd.UNREADABLE if kind != odd.WITHOUT_SERIAL]


@pytest.fixture
def function(deployment: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> EnforcementHandler:
    """The enforcement function, on the strict AWS IoT."""
    real = boto3.Session.client

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        return deployment.iot_client if service == "iot" else real(session, service, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(boto3.Session, "client", client)
    return build_function(replace(deployment.configuration, enforcement_tps=1000.0), ENVIRONMENT)


def unreadable(deployment: TestDeployment, kind: str, *, status: str = "ACTIVE") -> pki.Device:
    """A device that somebody else registered."""
    device = odd.unreadable_device(kind, deployment.ca)
    deployment.iot.connect(device, deployment.ca)
    deployment.iot.certificates[device.certificate_id].status = status
    return device


def key_of(deployment: TestDeployment, kind: str, device: pki.Device) -> str:
    """The key of its row: by what can be read of its serial number, else by its id."""
    if kind == odd.WITHOUT_SERIAL:
        return id_key(device.certificate_id)
    return row_key(issuer_key(deployment.ca.certificate), odd.UNREADABLE_SERIAL)


def rows(deployment: TestDeployment) -> Registry:
    """The registry."""
    return Registry(StateTable(deployment.dynamodb, TABLE))


def row_of(deployment: TestDeployment, kind: str, device: pki.Device) -> RegistryRow:
    """Its row, which is there."""
    row = rows(deployment).row(key_of(deployment, kind, device))
    assert row is not None
    return row


def revoke(deployment: TestDeployment, device: pki.Device, wanted: CertificateStatus) -> None:
    """Do what `jitr device revoke` does."""
    revocation = DeviceRevocation(
        registry=IotRegistry(deployment.iot_client),
        rows=rows(deployment),
        pace=lambda: None,
        clock=deployment.clock,
        sleep=lambda _: None,
    )
    revocation.switch_off(revocation.target(device.certificate_id), wanted)


def due(deployment: TestDeployment) -> None:
    """Let all passes have ended long ago, so that the next schedule begins new ones."""
    passes = Passes(StateTable(deployment.dynamodb, TABLE))
    for kind in PassKind:
        found = passes.state(deployment.ca.ca_certificate_id, kind)
        assert passes.take(found, owner="test", at=datetime.now(UTC)) is not None
        passes.record(replace(found, ended_at=datetime.now(UTC) - timedelta(days=2)), owner="test")
        passes.release(found, owner="test")


@pytest.mark.parametrize("kind", WITH_SERIAL)
def test_what_others_activated_goes_off_when_its_serial_number_is_listed(
    deployment: TestDeployment, function: EnforcementHandler, kind: str
) -> None:
    """One reading of the serial number is enough to switch off."""
    device = unreadable(deployment, kind)
    function.run(SCHEDULE, request_id="r1")
    assert row_of(deployment, kind, device).state is RowState.ACTIVE
    deployment.publish(deployment.ca.crl([odd.UNREADABLE_SERIAL], number=2))
    function.run(SCHEDULE, request_id="r2")
    assert deployment.iot.status(device) == "REVOKED"


@pytest.mark.parametrize("kind", odd.UNREADABLE)
def test_it_is_named_and_counted_in_each_pass_until_it_is_off(
    deployment: TestDeployment,
    function: EnforcementHandler,
    kind: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when it has a row: what cannot be read stays a worry for as long as it may connect."""
    device = unreadable(deployment, kind)
    function.run(SCHEDULE, request_id="r1")
    for run in ("r2", "r3"):
        due(deployment)
        follow_stdout(monkeypatch)
        function.run(SCHEDULE, request_id=run)
        lines = [each for each in logged(written(capsys)) if each.get("outcome") == "unreadable"]
        assert [(each["certificate_id"], each["reason"]) for each in lines] == [
            (device.certificate_id, "malformed_certificate")
        ]
        assert "byte" in lines[0]["message"]
        assert found(deployment) == 1
    revoke(deployment, device, CertificateStatus.INACTIVE)
    due(deployment)
    function.run(SCHEDULE, request_id="r4")
    assert found(deployment) == 0


def found(deployment: TestDeployment) -> int:
    """How many unreadable ones the last complete pass found."""
    passes = Passes(StateTable(deployment.dynamodb, TABLE))
    counts = passes.state(deployment.ca.ca_certificate_id, PassKind.UNKNOWN).found
    assert counts is not None
    return counts.unreadable


@pytest.mark.parametrize("wanted", [CertificateStatus.REVOKED, CertificateStatus.INACTIVE])
@pytest.mark.parametrize("kind", odd.UNREADABLE)
def test_an_operator_switches_it_off_and_it_stays_off(
    deployment: TestDeployment, function: EnforcementHandler, kind: str, wanted: CertificateStatus
) -> None:
    """Set ACTIVE in the console, it goes off with the next pass: the wish is kept in its row."""
    device = unreadable(deployment, kind)
    revoke(deployment, device, wanted)
    assert deployment.iot.status(device) == wanted
    assert row_of(deployment, kind, device).state is RowState(wanted.value)
    deployment.iot.certificates[device.certificate_id].status = "ACTIVE"
    function.run(SCHEDULE, request_id="r")
    assert deployment.iot.status(device) == wanted


@pytest.mark.parametrize("kind", odd.UNREADABLE)
def test_a_job_switches_it_off_and_undoing_leaves_it_off_and_names_it(deployment: TestDeployment, kind: str) -> None:
    """No CRL can be asked whether it was revoked meanwhile (I4); the readable ones come back."""
    bulk = BulkDeployment(deployment)
    device = unreadable(deployment, kind)
    (readable,) = bulk.devices(1)
    job = bulk.run("job", bulk.plan())
    assert (job.state, job.tally.done, job.tally.failed) == (JobState.DONE, 2, 0)
    assert bulk.statuses([device, readable]) == ["INACTIVE", "INACTIVE"]
    undo = bulk.run("undo", bulk.plan(JobKind.UNDO, follows="job"))
    assert bulk.statuses([device, readable]) == ["INACTIVE", "ACTIVE"]
    assert (undo.state, undo.tally.done, undo.tally.failed) == (JobState.DONE, 1, 1)
    (named,) = bulk.jobs.failed("undo")
    assert (named.certificate_id, named.reason) == (device.certificate_id, "malformed_certificate")
    assert "stays off" in named.message


@pytest.mark.parametrize("kind", odd.UNREADABLE)
def test_a_job_over_a_ca_that_cannot_be_read_switches_its_devices_off(deployment: TestDeployment, kind: str) -> None:
    """By their ids: nobody can say by which key their rows would be found."""
    bulk = BulkDeployment(deployment)
    device = unreadable(deployment, kind)
    (readable,) = bulk.devices(1)
    ca = deployment.iot.cas[deployment.ca.ca_certificate_id]
    ca.pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
    job = bulk.run("job", bulk.plan())
    assert (job.state, job.tally.done) == (JobState.DONE, 2)
    for each in (device, readable):
        row = rows(deployment).row(id_key(each.certificate_id))
        assert row is not None
        assert (deployment.iot.status(each), row.state) == ("INACTIVE", RowState.INACTIVE)


def test_what_was_switched_off_by_its_id_never_becomes_active_by_an_event(deployment: TestDeployment) -> None:
    """Its CA was not known then; later it is, and every other check passes."""
    device = deployment.ca.issue("device-1")
    deployment.iot.connect(device, deployment.ca)
    ca = deployment.iot.cas.pop(deployment.ca.ca_certificate_id)
    revoke(deployment, device, CertificateStatus.INACTIVE)
    deployment.iot.cas[deployment.ca.ca_certificate_id] = ca
    del deployment.iot.certificates[device.certificate_id]
    result = deployment.knock(device)
    assert (result.outcome, result.reason, result.step) == (Outcome.REJECTED, Reason.REVOKED_BEFORE, 6)
    assert deployment.iot.status(device) == "INACTIVE"
    assert deployment.row(device) is None


def test_a_wish_by_id_that_was_interrupted_is_carried_out_by_the_next_event(deployment: TestDeployment) -> None:
    """Marked, and killed before AWS IoT was asked."""
    device = deployment.ca.issue("device-1")
    key = id_key(device.certificate_id)
    rows(deployment).want_revocation(
        key, certificate_id=device.certificate_id, wanted=CertificateStatus.REVOKED, facts={}
    )
    assert deployment.knock(device).reason is Reason.REVOKED
    row = rows(deployment).row(key)
    assert row is not None
    assert (deployment.iot.status(device), row.state) == ("REVOKED", RowState.REVOKED)


def test_a_copy_that_was_switched_off_stays_off(deployment: TestDeployment, function: EnforcementHandler) -> None:
    """The device's row is not the copy's: the copy has one by its id, and the device stays ACTIVE."""
    device = deployment.ca.issue("device-1", serial=7)
    assert deployment.knock(device).outcome is Outcome.ACTIVATED
    copy = deployment.ca.issue("device-1", serial=7)
    deployment.iot.connect(copy, deployment.ca)
    revoke(deployment, copy, CertificateStatus.INACTIVE)
    deployment.iot.certificates[copy.certificate_id].status = "ACTIVE"
    function.run(SCHEDULE, request_id="r")
    assert (deployment.iot.status(copy), deployment.iot.status(device)) == ("INACTIVE", "ACTIVE")
    assert deployment.row_state(device) == "ACTIVE"


def test_keys_by_id_are_beside_the_keys_that_there_are(deployment: TestDeployment) -> None:
    """What is stored stays: rows by serial number are keyed as they always were."""
    issuer = issuer_key(deployment.ca.certificate)
    assert row_key(issuer, 0x1F) == f"{issuer}#1f"
    assert id_key("ab" * 32) == f"id#{'ab' * 32}"
    assert len(issuer) == 64
