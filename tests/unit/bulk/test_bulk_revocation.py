"""Many devices switched off, made final, and brought back: nothing comes back that something else switched off."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509

from jitr.aws.iot import IotRegistry
from jitr.bulk.job import JobKind, JobState
from jitr.enforcement.sweep import SweepOutcome
from jitr.errors import Reason
from jitr.registry.row import RowState, job_claim
from jitr.registry.rows import Registry
from jitr_local import pki
from tests.aws.fake_iot import REGISTERED
from tests.worlds.bulk import ACTIVE, INACTIVE, REVOKED, BulkDeployment
from tests.worlds.deployment import TestDeployment

HOLD = x509.ReasonFlags.certificate_hold


@pytest.fixture
def bulk(deployment: TestDeployment) -> BulkDeployment:
    """Bulk work on the deployment."""
    return BulkDeployment(deployment)


def test_all_of_a_ca_are_switched_off_whoever_activated_them(bulk: BulkDeployment) -> None:
    """Ours, others', and those that wait for activation; each with a row that keeps late events out."""
    devices = [*bulk.knocked(1), *bulk.devices(2), *bulk.devices(1, status="PENDING_ACTIVATION", name="pending")]
    job = bulk.run("job", bulk.plan())
    assert (job.state, job.tally.done, job.tally.failed) == (JobState.DONE, 4, 0)
    assert bulk.statuses(devices) == ["INACTIVE"] * 4
    for device in devices:
        row = bulk.row(device)
        assert row is not None
        assert (row.state, row.wanted) == (RowState.INACTIVE, INACTIVE)


def test_no_late_event_brings_a_device_back(bulk: BulkDeployment) -> None:
    """The row refuses, and a certificate that is not pending is not looked at."""
    (device,) = bulk.knocked(1)
    event = bulk.deployment.iot.connect(device, bulk.deployment.ca)
    bulk.run("job", bulk.plan())
    bulk.deployment.deliver(event)
    del bulk.deployment.iot.certificates[device.certificate_id]
    assert bulk.deployment.knock(device).reason == Reason.REVOKED_BEFORE
    assert bulk.deployment.iot.status(device) == "INACTIVE"


def test_undo_brings_back_exactly_what_was_active(bulk: BulkDeployment) -> None:
    """Not what waited for activation, nor what was off before."""
    own, deactivated = bulk.knocked(2)
    active = [own, *bulk.devices(2)]
    off = bulk.devices(1, status="INACTIVE", name="off")
    pending = bulk.devices(1, status="PENDING_ACTIVATION", name="pending")
    bulk.deployment.iot.certificates[deactivated.certificate_id].status = "INACTIVE"
    bulk.run("job", bulk.plan())
    job = bulk.run("undo", bulk.plan(JobKind.UNDO, follows="job"))
    assert bulk.statuses(active) == ["ACTIVE"] * 3
    assert bulk.statuses([*off, *pending, deactivated]) == ["INACTIVE"] * 3
    assert (job.tally.done, job.tally.skipped) == (3, 3)
    row = bulk.row(active[0])
    assert row is not None
    assert (row.state, row.braked_by, row.wanted) == (RowState.ACTIVE, None, None)


def test_undoing_another_job_brings_nothing_back(bulk: BulkDeployment) -> None:
    """Claims carry the job's id."""
    devices = bulk.devices(2)
    bulk.run("job", bulk.plan())
    bulk.run("undo", bulk.plan(JobKind.UNDO, follows="another"))
    assert bulk.statuses(devices) == ["INACTIVE"] * 2


def test_confirming_makes_them_revoked_for_good(bulk: BulkDeployment) -> None:
    """Also those that were not ACTIVE before; undo then changes nothing."""
    devices = [*bulk.devices(2), *bulk.devices(1, status="INACTIVE", name="off")]
    bulk.run("job", bulk.plan())
    job = bulk.run("confirm", bulk.plan(JobKind.CONFIRM, follows="job"))
    assert (job.tally.done, bulk.statuses(devices)) == (3, ["REVOKED"] * 3)
    bulk.run("undo", bulk.plan(JobKind.UNDO, follows="job"))
    assert bulk.statuses(devices) == ["REVOKED"] * 3


def test_confirming_leaves_alone_what_is_active_again_or_came_later(bulk: BulkDeployment) -> None:
    """An operator reinstated one; another was registered after the job began."""
    back, gone = bulk.devices(2)
    until = int(REGISTERED.timestamp()) + 1
    bulk.run("job", bulk.plan(registered_until=until))
    row = bulk.row(back)
    assert row is not None
    rows = Registry(bulk.table)
    at = bulk.deployment.clock()
    assert rows.begin_reinstatement(
        row.key, certificate_id=back.certificate_id, owner="op", lease_until=at, at=at, facts={}
    )
    rows.finish_activation(row.key, owner="op", at=at)
    bulk.deployment.iot.certificates[back.certificate_id].status = "ACTIVE"
    (later,) = bulk.devices(1, status="INACTIVE", name="later")
    bulk.deployment.iot.certificates[later.certificate_id].registered_at = REGISTERED + timedelta(days=1)
    job = bulk.run("confirm", bulk.plan(JobKind.CONFIRM, follows="job", registered_until=until))
    assert bulk.statuses([back, gone, later]) == ["ACTIVE", "REVOKED", "INACTIVE"]
    assert (job.tally.done, job.tally.skipped) == (1, 2)
    bulk.run("undo", bulk.plan(JobKind.UNDO, follows="job"))
    assert bulk.statuses([back, gone, later]) == ["ACTIVE", "REVOKED", "INACTIVE"]


def test_a_list_is_taken_by_id_and_its_statuses_are_asked_for(bulk: BulkDeployment) -> None:
    """A list says nothing but ids."""
    listed, others = bulk.devices(2), bulk.devices(1, name="other")
    plan = bulk.plan(list_of="job", total=2, wanted=REVOKED)
    job = bulk.run("job", plan, listed)
    assert job.tally.done == 2
    assert bulk.statuses([*listed, *others]) == ["REVOKED", "REVOKED", "ACTIVE"]


def test_certificates_of_another_ca_and_unknown_ones_are_noted_and_left_alone(bulk: BulkDeployment) -> None:
    """With the reason, and the others are done all the same."""
    other = pki.CertificateAuthority.create("other")
    bulk.deployment.iot.register_ca(other)
    foreign = other.issue("foreign")
    bulk.deployment.iot.connect(foreign, other)
    (mine,) = bulk.devices(1)
    unknown = bulk.deployment.ca.issue("unknown")
    job = bulk.run("job", bulk.plan(list_of="job"), [foreign, unknown, mine])
    assert (job.tally.done, job.tally.failed) == (1, 2)
    assert bulk.statuses([foreign, mine]) == ["PENDING_ACTIVATION", "INACTIVE"]
    failed = {each.certificate_id: each.reason for each in bulk.jobs.failed("job")}
    assert failed == {
        foreign.certificate_id: Reason.CA_MISMATCH,
        unknown.certificate_id: Reason.CERTIFICATE_NOT_FOUND,
    }


def test_an_activation_that_was_under_way_is_switched_off_once_more(bulk: BulkDeployment) -> None:
    """It had the lease when its row was marked, so it may still ask for ACTIVE; the job waits for its end."""
    (device,) = bulk.knocked(1)
    row = bulk.row(device)
    assert row is not None
    begun = bulk.deployment.clock()
    assert Registry(bulk.table).begin_activation(
        row.key,
        certificate_id=device.certificate_id,
        owner="slow",
        lease_until=begun + timedelta(seconds=55),
        at=begun,
        facts={},
    )
    job = bulk.run("job", bulk.plan())
    assert job.tally.done == 1
    assert bulk.deployment.clock() > begun + timedelta(seconds=55)
    assert bulk.deployment.iot.history[-2:] == [(device.certificate_id, "INACTIVE")] * 2
    after = bulk.row(device)
    assert after is not None
    assert (after.state, after.lease_owner) == (RowState.INACTIVE, None)


def test_a_copy_with_a_devices_serial_number_does_not_switch_the_device_off(bulk: BulkDeployment) -> None:
    """Only the copy itself."""
    (device,) = bulk.knocked(1)
    copy = bulk.deployment.ca.issue("copy", serial=device.certificate.serial_number)
    bulk.deployment.iot.connect(copy, bulk.deployment.ca)
    bulk.run("job", bulk.plan(list_of="job"), [copy])
    assert bulk.statuses([device, copy]) == ["ACTIVE", "INACTIVE"]


def test_what_is_known_costs_one_describe_and_one_update(bulk: BulkDeployment) -> None:
    """Whether it was ACTIVE is asked right before, because undoing depends on it; a final step need not know."""
    bulk.knocked(3)
    bulk.deployment.iot.calls.clear()
    bulk.run("job", bulk.plan())
    calls = bulk.deployment.iot.calls
    assert (calls.count("DescribeCertificate"), calls.count("UpdateCertificate")) == (3, 3)
    assert bulk.calls == 3 + 3 + 1
    calls.clear()
    bulk.run("confirm", bulk.plan(JobKind.CONFIRM, follows="job"))
    assert (calls.count("DescribeCertificate"), calls.count("UpdateCertificate")) == (0, 3)


# Together with CRLs


def test_a_crl_that_lists_them_too_makes_them_revoked_and_undo_leaves_that(bulk: BulkDeployment) -> None:
    """I1: whatever the job wants."""
    listed, other = bulk.devices(2)
    bulk.run("job", bulk.plan())
    bulk.deployment.publish(bulk.deployment.ca.crl([listed.certificate.serial_number], number=2))
    assert bulk.deployment.sweep().switched_off == 1
    bulk.run("undo", bulk.plan(JobKind.UNDO, follows="job"))
    assert bulk.statuses([listed, other]) == ["REVOKED", "ACTIVE"]


def test_what_a_crl_holds_meanwhile_does_not_come_back(bulk: BulkDeployment) -> None:
    """It is INACTIVE already; the sweep takes the claim away all the same."""
    held, other = bulk.devices(2)
    bulk.run("job", bulk.plan())
    entry = pki.revoked_entry(held.certificate.serial_number, reason=HOLD)
    bulk.deployment.publish(bulk.deployment.ca.crl([entry], number=2))
    bulk.deployment.sweep()
    bulk.run("undo", bulk.plan(JobKind.UNDO, follows="job"))
    assert bulk.statuses([held, other]) == ["INACTIVE", "ACTIVE"]


def test_what_a_crl_held_before_does_not_come_back(bulk: BulkDeployment) -> None:
    """It was not ACTIVE."""
    (held,) = bulk.knocked(1)
    entry = pki.revoked_entry(held.certificate.serial_number, reason=HOLD)
    bulk.deployment.publish(bulk.deployment.ca.crl([entry], number=2))
    bulk.deployment.sweep()
    bulk.run("job", bulk.plan())
    bulk.run("undo", bulk.plan(JobKind.UNDO, follows="job"))
    assert bulk.statuses([held]) == ["INACTIVE"]


def test_a_brake_inherits_nothing_from_a_job(bulk: BulkDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else rejecting the wrong CRL would make ACTIVE what the operator's job switched off."""
    monkeypatch.setattr("jitr.enforcement.brake.SMALLEST_BRAKE", 1)
    devices = [*bulk.knocked(1), *bulk.devices(2)]
    bulk.run("job", bulk.plan())
    serials = [device.certificate.serial_number for device in devices]
    bulk.deployment.publish(bulk.deployment.ca.crl(serials, number=2))
    assert bulk.deployment.sweep().outcome is SweepOutcome.BRAKED
    for device in devices:
        row = bulk.row(device)
        assert row is not None
        assert (row.state, row.braked_by) == (RowState.INACTIVE, None)


def test_a_job_takes_devices_away_from_a_brake(bulk: BulkDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejecting the CRL must not bring them back, and undoing the job neither: they were off before."""
    monkeypatch.setattr("jitr.enforcement.brake.SMALLEST_BRAKE", 1)
    devices = bulk.knocked(2)
    bulk.deployment.publish(bulk.deployment.ca.crl([each.certificate.serial_number for each in devices], number=2))
    assert bulk.deployment.sweep().outcome is SweepOutcome.BRAKED
    braked = bulk.row(devices[0])
    assert braked is not None
    assert braked.braked_by is not None
    bulk.run("job", bulk.plan())
    rows = [bulk.row(device) for device in devices]
    assert [row.braked_by if row else "no row" for row in rows] == [None, None]
    bulk.run("undo", bulk.plan(JobKind.UNDO, follows="job"))
    assert bulk.statuses(devices) == ["INACTIVE"] * 2


def test_a_revocation_during_undo_wins(bulk: BulkDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Marked between the job's ACTIVE and its last write: switched off again at once."""
    (device,) = bulk.devices(1)
    bulk.run("job", bulk.plan())
    update = IotRegistry.update_certificate

    def marked_meanwhile(self: IotRegistry, certificate_id: str, status: object) -> None:
        update(self, certificate_id, status)  # type: ignore[arg-type]
        row = bulk.row(device)
        assert row is not None
        Registry(bulk.table).mark(row, wanted=INACTIVE, braked_by=None)

    monkeypatch.setattr(IotRegistry, "update_certificate", marked_meanwhile)
    job = bulk.run("undo", bulk.plan(JobKind.UNDO, follows="job"))
    assert (job.tally.done, bulk.statuses([device])) == (0, ["INACTIVE"])


def test_an_undo_that_was_killed_after_active_leaves_nothing_on_that_is_marked(bulk: BulkDeployment) -> None:
    """ACTIVE in AWS IoT, marked by somebody, no claim left: the repeated shift finds it in the list."""
    (device,) = bulk.devices(1)
    bulk.run("job", bulk.plan())
    row = bulk.row(device)
    assert row is not None
    Registry(bulk.table).mark(row, wanted=INACTIVE, braked_by=None)
    bulk.deployment.iot.certificates[device.certificate_id].status = ACTIVE.value
    bulk.run("undo", bulk.plan(JobKind.UNDO, follows="job"))
    assert bulk.statuses([device]) == ["INACTIVE"]


def test_a_jobs_claim_is_no_crls_hash() -> None:
    """So neither can be taken for the other."""
    assert job_claim("0" * 64).startswith("job#")
