"""Two who want a device off, and one who changes his mind: what comes back, and what does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from jitr.aws.iot import IotRegistry
from jitr.bulk.job import JobKind
from jitr.bulk.queue import Shift
from jitr.crls.versions import CrlVersions
from jitr.enforcement.sweep import SweepOutcome
from jitr.enforcement.unknown_certificates import UnknownCertificates
from jitr.registry.row import RowState, job_claim
from jitr.registry.rows import Registry
from jitr.settings import OnExistingThing
from jitr_local import pki
from jitr_local.pki import Device
from tests.worlds.bulk import INACTIVE, BulkDeployment
from tests.worlds.deployment import TestDeployment

HOLD = x509.ReasonFlags.certificate_hold


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def bulk(deployment: TestDeployment) -> BulkDeployment:
    """Bulk work on the deployment."""
    return BulkDeployment(deployment)


def undo(bulk: BulkDeployment, job: str) -> int:
    """Undo a job about all of the CA, and return how many came back."""
    return bulk.run(f"undo-{job}", bulk.plan(JobKind.UNDO, follows=job)).tally.done


def importing(bulk: BulkDeployment) -> UnknownCertificates:
    """Enforcement's search for certificates that others activated."""
    return UnknownCertificates(
        registry=IotRegistry(bulk.deployment.iot_client),
        rows=Registry(bulk.table),
        versions=CrlVersions(bulk.table),
        pace=lambda: None,
        watch=lambda _ca, _certificate: None,
    )


def renewed(bulk: BulkDeployment, old: Device) -> Device:
    """A later certificate of the same device, which takes its Thing."""
    later = old.certificate.not_valid_before_utc + timedelta(hours=2)
    new = bulk.deployment.ca.issue("pump-1", not_before=later)
    bulk.deployment.knock(new)
    return new


@pytest.mark.parametrize("first", ["one", "two"])
def test_what_two_jobs_switched_off_comes_back_with_the_second_undoing(bulk: BulkDeployment, first: str) -> None:
    """Whichever is undone first; somebody who ran a command twice can take both back."""
    devices = bulk.knocked(3)
    bulk.run("one", bulk.plan())
    bulk.run("two", bulk.plan())
    assert (undo(bulk, first), bulk.statuses(devices)) == (0, ["INACTIVE"] * 3)
    second = "two" if first == "one" else "one"
    assert (undo(bulk, second), bulk.statuses(devices)) == (3, ["ACTIVE"] * 3)


def test_three_jobs_are_no_different(bulk: BulkDeployment) -> None:
    """The claim goes from one to the next."""
    devices = bulk.knocked(1)
    for name in ("one", "two", "three"):
        bulk.run(name, bulk.plan())
    came_back = [undo(bulk, name) for name in ("one", "three", "two")]
    assert (came_back, bulk.statuses(devices)) == ([0, 0, 1], ["ACTIVE"])
    row = bulk.row(devices[0])
    assert row is not None
    assert (row.state, row.braked_by, row.also_wanted_by) == (RowState.ACTIVE, None, ())


def test_a_job_that_was_undone_twice_takes_nothing_from_another(bulk: BulkDeployment) -> None:
    """A repeated shift finds the claim handed on."""
    devices = bulk.knocked(1)
    bulk.run("one", bulk.plan())
    bulk.run("two", bulk.plan())
    undo(bulk, "one")
    bulk.run("again", bulk.plan(JobKind.UNDO, follows="one"))
    row = bulk.row(devices[0])
    assert row is not None
    assert (row.braked_by, bulk.statuses(devices)) == (job_claim("two"), ["INACTIVE"])


def test_a_crl_ends_the_claims_of_both(bulk: BulkDeployment) -> None:
    """What is listed does not come back by any undoing."""
    (device,) = bulk.knocked(1)
    bulk.run("one", bulk.plan())
    bulk.run("two", bulk.plan())
    bulk.deployment.publish(bulk.deployment.ca.crl([device.certificate.serial_number], number=2))
    bulk.deployment.sweep()
    assert (undo(bulk, "one"), undo(bulk, "two"), bulk.statuses([device])) == (0, 0, ["REVOKED"])


def test_what_a_job_brings_into_the_registry_is_compared_with_the_crl(bulk: BulkDeployment) -> None:
    """It was listed and unknown for long: undoing makes it ACTIVE, and the next sweep ends that."""
    (device,) = bulk.devices(1)
    bulk.deployment.publish(bulk.deployment.ca.crl([device.certificate.serial_number], number=2))
    bulk.deployment.sweep()
    assert bulk.statuses([device]) == ["ACTIVE"]
    bulk.run("job", bulk.plan())
    undo(bulk, "job")
    assert bulk.deployment.sweep().outcome is SweepOutcome.ENFORCED
    assert bulk.statuses([device]) == ["REVOKED"]


@pytest.mark.parametrize("detached", [False, True], ids=["attached still", "detached as by rebind"])
def test_what_was_replaced_meanwhile_does_not_come_back(bulk: BulkDeployment, *, detached: bool) -> None:
    """Its Thing belongs to the renewed certificate."""
    bulk.deployment.configure(on_existing_thing=OnExistingThing.REPLACE)
    old = bulk.deployment.ca.issue("pump-1")
    bulk.deployment.knock(old)
    bulk.run("job", bulk.plan())
    new = renewed(bulk, old)
    if detached:
        bulk.deployment.iot.certificates[old.certificate_id].things.clear()
    assert (undo(bulk, "job"), bulk.statuses([old, new])) == (0, ["INACTIVE", "ACTIVE"])


def test_a_braked_device_that_was_replaced_keeps_no_claim(
    bulk: BulkDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So rejecting the CRL leaves it off."""
    monkeypatch.setattr("jitr.enforcement.brake.SMALLEST_BRAKE", 0)
    bulk.deployment.configure(on_existing_thing=OnExistingThing.REPLACE)
    old = bulk.deployment.ca.issue("pump-1")
    bulk.deployment.knock(old)
    bulk.deployment.publish(bulk.deployment.ca.crl([old.certificate.serial_number], number=2))
    assert bulk.deployment.sweep().outcome is SweepOutcome.BRAKED
    assert bulk.row(old).braked_by is not None  # type: ignore[union-attr]
    new = renewed(bulk, old)
    assert bulk.statuses([old, new]) == ["INACTIVE", "ACTIVE"]
    assert bulk.row(old).braked_by is None  # type: ignore[union-attr]


@pytest.mark.parametrize("listed", [False, True], ids=["all of the CA", "a list"])
def test_an_undo_that_was_killed_behind_active_while_a_hold_came_leaves_it_off(
    bulk: BulkDeployment, monkeypatch: pytest.MonkeyPatch, *, listed: bool
) -> None:
    """Also where only a list names it, and so nobody says that it is ACTIVE."""
    (device,) = bulk.knocked(1)
    list_of: dict[str, Any] = {"list_of": "job"} if listed else {}
    bulk.run("job", bulk.plan(**list_of), [device] if listed else None)
    update = IotRegistry.update_certificate

    def dying(self: IotRegistry, certificate_id: str, status: Any) -> None:
        monkeypatch.setattr(IotRegistry, "update_certificate", update)
        held = pki.revoked_entry(device.certificate.serial_number, reason=HOLD)
        bulk.deployment.publish(bulk.deployment.ca.crl([held], number=2))
        bulk.deployment.sweep()
        update(self, certificate_id, status)
        raise Killed

    monkeypatch.setattr(IotRegistry, "update_certificate", dying)
    bulk.create("undo", bulk.plan(JobKind.UNDO, follows="job", **list_of))
    with pytest.raises(Killed):
        bulk.take(Shift("undo", 1))
    assert bulk.statuses([device]) == ["ACTIVE"]
    bulk.deployment.clock.advance(minutes=60)
    bulk.take(Shift("undo", 1), owner="another", attempt=2)
    assert bulk.statuses([device]) == ["INACTIVE"]


def test_a_twin_that_is_gone_keeps_no_device_on(bulk: BulkDeployment) -> None:
    """Two certificates of one serial number, one deleted in AWS IoT: the other is switched off all the same."""
    (device,) = bulk.knocked(1)
    twin = bulk.deployment.ca.issue("own-0", serial=device.certificate.serial_number)
    bulk.deployment.iot.connect(twin, bulk.deployment.ca)
    bulk.deployment.iot.certificates[twin.certificate_id].status = "ACTIVE"
    bulk.run("import", bulk.plan(JobKind.IMPORT))
    del bulk.deployment.iot.certificates[twin.certificate_id]
    job = bulk.run("job", bulk.plan())
    assert (job.tally.failed, bulk.statuses([device])) == (0, ["INACTIVE"])


def test_an_import_that_goes_on_during_a_job_leaves_it_its_claim(
    bulk: BulkDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had found the certificate unknown before the job came."""
    (device,) = bulk.devices(1)
    unknown = Registry.unknown

    def job_comes(self: Registry, certificate_ids: Any) -> list[str]:
        found = unknown(self, certificate_ids)
        monkeypatch.setattr(Registry, "unknown", unknown)
        bulk.run("job", bulk.plan())
        return found

    monkeypatch.setattr(Registry, "unknown", job_comes)
    ca = bulk.deployment.ca
    assert importing(bulk).import_newest(ca.ca_certificate_id, ca.certificate, at_most=100) == 1
    assert bulk.statuses([device]) == ["INACTIVE"]
    assert (undo(bulk, "job"), bulk.statuses([device])) == (1, ["ACTIVE"])


def test_a_twin_that_is_added_while_its_row_is_marked_is_switched_off_too(
    bulk: BulkDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark does not hold for a row that has another certificate by now."""
    (device,) = bulk.knocked(1)
    twin = bulk.deployment.ca.issue("own-0", serial=device.certificate.serial_number)
    bulk.deployment.iot.connect(twin, bulk.deployment.ca)
    bulk.deployment.iot.certificates[twin.certificate_id].status = "ACTIVE"
    bulk.deployment.publish(bulk.deployment.ca.crl([device.certificate.serial_number], number=2))
    mark, ca = Registry.mark, bulk.deployment.ca

    def imported_meanwhile(self: Registry, row: Any, **options: Any) -> bool:
        monkeypatch.setattr(Registry, "mark", mark)
        importing(bulk).import_newest(ca.ca_certificate_id, ca.certificate, at_most=100)
        return mark(self, row, **options)

    monkeypatch.setattr(Registry, "mark", imported_meanwhile)
    bulk.deployment.sweep()
    assert bulk.statuses([device, twin]) == ["REVOKED", "REVOKED"]


def test_a_twin_that_comes_later_ends_the_jobs_claim(bulk: BulkDeployment) -> None:
    """Nobody knows whether undoing may switch it on: it may have been off before."""
    (device,) = bulk.knocked(1)
    bulk.run("job", bulk.plan())
    twin = bulk.deployment.ca.issue("own-0", serial=device.certificate.serial_number)
    bulk.deployment.iot.connect(twin, bulk.deployment.ca)
    bulk.deployment.iot.certificates[twin.certificate_id].status = INACTIVE.value
    bulk.run("import", bulk.plan(JobKind.IMPORT))
    assert (undo(bulk, "job"), bulk.statuses([device, twin])) == (0, ["INACTIVE"] * 2)
