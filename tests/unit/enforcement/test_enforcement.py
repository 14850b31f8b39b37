"""Enforcement: what gets onto the CRL after activation goes out of AWS IoT, and nothing irreversible by one mistake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from jitr.activation.steps import LEASE
from jitr.certificates import issuer_key
from jitr.crls.cache import scope_of
from jitr.enforcement.brake import SMALLEST_BRAKE
from jitr.enforcement.sweep import SWEEP_LEASE, Sweep, SweepOutcome
from jitr.enforcement.unknown_certificates import UnknownCertificates
from jitr.errors import Outcome, Reason, Undecided
from jitr.registry.row import RowState
from jitr.revocation import verify_crl
from jitr_local import pki
from tests.aws.aws_faults import CallLog, Killed, failing, unanswered
from tests.worlds.deployment import BUCKET, TestDeployment

HOLD = x509.ReasonFlags.certificate_hold


def active(deployment: TestDeployment, serial: int) -> pki.Device:
    """A device that is ACTIVE."""
    device = deployment.ca.issue(f"device-{serial}", serial=serial)
    assert deployment.knock(device).outcome is Outcome.ACTIVATED
    return device


def register_many(deployment: TestDeployment, serials: range) -> list[str]:
    """Rows and certificates of many ACTIVE devices, without the work of activating each."""
    ids = []
    for serial in serials:
        certificate_id = f"{serial:064x}"
        deployment.iot.add_active(certificate_id, deployment.ca.ca_certificate_id)
        key = f"{issuer_key(deployment.ca.certificate)}#{serial:x}"
        deployment.activation.rows.add_known(key, certificate_id=certificate_id, facts={"not_after": 4_000_000_000})
        ids.append(certificate_id)
    return ids


def test_a_newly_listed_device_is_revoked(deployment: TestDeployment) -> None:
    """Active, then on the CRL, then off; the others stay."""
    gone, stays = active(deployment, 1), active(deployment, 2)
    deployment.publish(deployment.ca.crl([1], number=2))
    sweep = deployment.sweep()
    assert (sweep.outcome, sweep.switched_off) == (SweepOutcome.ENFORCED, 1)
    assert (deployment.iot.status(gone), deployment.iot.status(stays)) == ("REVOKED", "ACTIVE")
    assert deployment.row_state(gone) == "REVOKED"


def test_an_enforced_crl_costs_nothing_again(deployment: TestDeployment) -> None:
    """The second sweep of one CRL asks AWS IoT for nothing."""
    active(deployment, 1)
    deployment.publish(deployment.ca.crl([1], number=2))
    deployment.sweep()
    deployment.iot.calls.clear()
    assert deployment.sweep().outcome is SweepOutcome.UNCHANGED
    assert deployment.iot.calls == []


def test_cost_grows_with_new_entries_only(deployment: TestDeployment) -> None:
    """Of ten thousand entries, one is new: one row is asked for."""
    old = list(range(10_000, 20_000))
    deployment.publish(deployment.ca.crl(old, number=2))
    deployment.sweep()
    device = active(deployment, 5)
    deployment.publish(deployment.ca.crl([*old, 5], number=3))
    log = CallLog(deployment.dynamodb, deployment.iot_client)
    deployment.sweep()
    assert deployment.iot.status(device) == "REVOKED"
    assert log.calls.count("BatchGetItem") <= 2
    assert log.calls.count("UpdateCertificate") == 1


def test_serials_that_were_never_activated_cost_no_call(deployment: TestDeployment) -> None:
    """They have no row, and will be refused when they knock."""
    deployment.publish(deployment.ca.crl(range(1, 500), number=2))
    assert deployment.sweep().switched_off == 0
    assert deployment.iot.calls == []


def test_a_hold_switches_off_and_can_become_final(deployment: TestDeployment) -> None:
    """INACTIVE while on hold, REVOKED when the hold becomes a revocation."""
    device = active(deployment, 1)
    deployment.publish(deployment.ca.crl([pki.revoked_entry(1, reason=HOLD)], number=2))
    deployment.sweep()
    assert deployment.iot.status(device) == "INACTIVE"
    deployment.publish(deployment.ca.crl([1], number=3))
    deployment.sweep()
    assert deployment.iot.status(device) == "REVOKED"


def test_both_certificates_of_one_serial_go(deployment: TestDeployment) -> None:
    """A CA that used a serial number twice revokes both by listing it; here others activated the second."""
    first = active(deployment, 1)
    second = deployment.ca.issue("device-other", serial=1)
    deployment.iot.add_active(second.certificate_id, deployment.ca.ca_certificate_id)
    key = f"{issuer_key(deployment.ca.certificate)}#1"
    deployment.activation.rows.add_known(key, certificate_id=second.certificate_id, facts={})
    deployment.publish(deployment.ca.crl([1], number=2))
    deployment.sweep()
    assert {deployment.iot.status(first), deployment.iot.status(second)} == {"REVOKED"}


def test_a_knock_of_one_switches_off_both(deployment: TestDeployment) -> None:
    """The first is ACTIVE when the second, of the same serial number, knocks and is listed."""
    first = active(deployment, 1)
    deployment.publish(deployment.ca.crl([1], number=2))
    second = deployment.ca.issue("device-other", serial=1)
    assert deployment.knock(second).reason == Reason.REVOKED
    assert {deployment.iot.status(first), deployment.iot.status(second)} == {"REVOKED"}


def test_a_certificate_that_is_gone_does_not_stop_the_others(deployment: TestDeployment) -> None:
    """Deleted from AWS IoT by somebody: off already."""
    gone, other = active(deployment, 1), active(deployment, 2)
    del deployment.iot.certificates[gone.certificate_id]
    deployment.publish(deployment.ca.crl([1, 2], number=2))
    assert deployment.sweep().outcome is SweepOutcome.ENFORCED
    assert deployment.iot.status(other) == "REVOKED"


def test_a_device_that_comes_back_after_revocation_is_refused(deployment: TestDeployment) -> None:
    """Deleted, registered again, and off the CRL by then: the registry remembers."""
    device = active(deployment, 1)
    deployment.publish(deployment.ca.crl([1], number=2))
    deployment.sweep()
    del deployment.iot.certificates[device.certificate_id]
    deployment.publish(deployment.ca.crl(number=3))
    assert deployment.knock(device).reason == Reason.REVOKED_BEFORE


class TestBrake:
    """I7: one file that lists too many switches off in a way that can be undone."""

    def test_too_many_at_once_become_inactive(self, deployment: TestDeployment) -> None:
        """One more than a hundred: equally off, but not for ever."""
        ids = register_many(deployment, range(1, SMALLEST_BRAKE + 2))
        deployment.publish(deployment.ca.crl(range(1, SMALLEST_BRAKE + 2), number=2))
        sweep = deployment.sweep()
        assert (sweep.outcome, sweep.switched_off) == (SweepOutcome.BRAKED, SMALLEST_BRAKE + 1)
        assert {deployment.iot.certificates[each].status for each in ids} == {"INACTIVE"}
        state = deployment.enforcement().versions.state(sweep.scope)
        assert (state.braked, state.braked_devices > SMALLEST_BRAKE) == (sweep.crl and sweep.crl.sha256, True)

    def test_a_hundred_are_revoked(self, deployment: TestDeployment) -> None:
        """The smallest brake is a hundred, however small the fleet."""
        ids = register_many(deployment, range(1, SMALLEST_BRAKE + 1))
        deployment.publish(deployment.ca.crl(range(1, SMALLEST_BRAKE + 1), number=2))
        assert deployment.sweep().outcome is SweepOutcome.ENFORCED
        assert {deployment.iot.certificates[each].status for each in ids} == {"REVOKED"}

    def test_one_per_cent_of_a_large_fleet_is_no_mistake(self, deployment: TestDeployment) -> None:
        """A hundred and fifty of twenty thousand."""
        register_many(deployment, range(1, 151))
        deployment.publish(deployment.ca.crl(range(1, 151), number=2))
        assert deployment.sweep(devices=20_000).outcome is SweepOutcome.ENFORCED

    def test_a_crash_in_the_middle_does_not_release_the_brake(self, deployment: TestDeployment) -> None:
        """Half of them done, the rest is below the limit: still braked."""
        ids = register_many(deployment, range(1, SMALLEST_BRAKE + 2))
        deployment.publish(deployment.ca.crl(range(1, SMALLEST_BRAKE + 2), number=2))
        log = CallLog(deployment.iot_client)
        log.kill_after = 60
        with pytest.raises(Killed):
            deployment.sweep(owner="first")
        log.kill_after = None
        deployment.clock.advance(seconds=SWEEP_LEASE.total_seconds() + 1)
        assert deployment.sweep(owner="second").outcome is SweepOutcome.BRAKED
        assert {deployment.iot.certificates[each].status for each in ids} == {"INACTIVE"}

    def test_confirmed_means_revoked(self, deployment: TestDeployment) -> None:
        """The operator says that the CRL is right."""
        ids = register_many(deployment, range(1, SMALLEST_BRAKE + 2))
        deployment.publish(deployment.ca.crl(range(1, SMALLEST_BRAKE + 2), number=2))
        sweep = deployment.sweep()
        assert sweep.crl is not None
        assert deployment.enforcement().versions.confirm(sweep.scope, sweep.crl.sha256, by="me", at=deployment.clock())
        assert deployment.sweep().outcome is SweepOutcome.ENFORCED
        assert {deployment.iot.certificates[each].status for each in ids} == {"REVOKED"}

    def test_what_an_operator_switched_off_is_not_the_brakes(self, deployment: TestDeployment) -> None:
        """Undoing the brake brings back what the brake switched off, and nothing else (I3)."""
        ids = register_many(deployment, range(1, SMALLEST_BRAKE + 2))
        deployment.iot.certificates[ids[0]].status = "INACTIVE"
        deployment.publish(deployment.ca.crl(range(1, SMALLEST_BRAKE + 2), number=2))
        assert deployment.sweep().outcome is SweepOutcome.BRAKED
        issuer = issuer_key(deployment.ca.certificate)
        rows = {row.certificate_ids[0]: row for row in deployment.activation.rows.rows([f"{issuer}#1", f"{issuer}#2"])}
        assert rows[ids[0]].braked_by is None
        assert rows[ids[1]].braked_by is not None

    def test_a_rejected_crl_is_not_enforced_again(self, deployment: TestDeployment) -> None:
        """The operator says that it is wrong; it lies there still."""
        register_many(deployment, range(1, SMALLEST_BRAKE + 2))
        deployment.publish(deployment.ca.crl(range(1, SMALLEST_BRAKE + 2), number=2))
        sweep = deployment.sweep()
        assert sweep.crl is not None
        assert deployment.enforcement().versions.reject(sweep.scope, sweep.crl.sha256, by="me", at=deployment.clock())
        assert deployment.sweep().outcome is SweepOutcome.REJECTED


class TestRollback:
    """An older CRL is refused, across containers, until an operator resets the scope."""

    def test_an_older_crl_switches_nobody_on_or_off(self, deployment: TestDeployment) -> None:
        """Refused with a reason, everything stays as it is."""
        device = active(deployment, 1)
        deployment.publish(deployment.ca.crl([1], number=5))
        deployment.sweep()
        deployment.publish(deployment.ca.crl([2], number=4))
        with pytest.raises(Undecided) as caught:
            deployment.sweep()
        assert caught.value.reason is Reason.ROLLBACK
        assert deployment.iot.status(device) == "REVOKED"

    def test_reset_is_the_way_back(self, deployment: TestDeployment) -> None:
        """After it, the older CRL is taken."""
        deployment.publish(deployment.ca.crl(number=5))
        scope = deployment.sweep().scope
        deployment.publish(deployment.ca.crl(number=4))
        deployment.enforcement().versions.reset(scope, by="me", at=deployment.clock())
        assert deployment.sweep().outcome is SweepOutcome.ENFORCED

    def test_a_device_that_vanishes_from_the_crl_is_counted(self, deployment: TestDeployment) -> None:
        """Listed before, unexpired, and listed no more: it stays off, and somebody has to look."""
        device = active(deployment, 1)
        deployment.publish(deployment.ca.crl([1], number=2))
        deployment.sweep()
        deployment.publish(deployment.ca.crl(number=3))
        assert deployment.sweep().vanished == 1
        assert deployment.iot.status(device) == "REVOKED"

    def test_an_expired_device_may_vanish(self, deployment: TestDeployment) -> None:
        """CAs drop expired certificates; nobody has to look."""
        device = deployment.ca.issue("device-1", serial=1, not_after=deployment.clock() + timedelta(hours=1))
        deployment.knock(device)
        deployment.publish(deployment.ca.crl([1], number=2))
        deployment.sweep()
        deployment.clock.advance(hours=2)
        deployment.publish(deployment.ca.crl(number=3))
        assert deployment.sweep().vanished == 0


class TestLeases:
    """Sweeps among themselves, and with activations."""

    def test_a_second_sweep_of_a_scope_waits_its_turn(self, deployment: TestDeployment) -> None:
        """Busy, until the first one is done or dead."""
        active(deployment, 1)
        deployment.publish(deployment.ca.crl([1], number=2))
        log = CallLog(deployment.iot_client)
        log.kill_after = 1
        with pytest.raises(Killed):
            deployment.sweep(owner="first")
        log.kill_after = None
        # The process is gone and could not give the lease back; the test's exception could, so it is taken again.
        scope = f"{issuer_key(deployment.ca.certificate)}#{deployment.configuration.cas[0].crl}"
        at = deployment.clock()
        deployment.enforcement().versions.lease(scope, owner="first", until=at + SWEEP_LEASE, at=at)
        assert deployment.sweep(owner="second").outcome is SweepOutcome.BUSY
        deployment.clock.advance(seconds=SWEEP_LEASE.total_seconds() + 1)
        assert deployment.sweep(owner="second").outcome is SweepOutcome.ENFORCED

    def test_an_activation_that_was_open_is_switched_off_once_more(self, deployment: TestDeployment) -> None:
        """It asks for ACTIVE after the sweep switched it off, and dies: the sweep looks again when its lease ended."""
        device = deployment.ca.issue("device-1", serial=1)
        event = deployment.iot.connect(device, deployment.ca)
        with unanswered(deployment.iot_client, "UpdateCertificate"), pytest.raises(Undecided):
            deployment.deliver(event, owner="activation")
        deployment.publish(deployment.ca.crl([pki.revoked_entry(1, reason=HOLD)], number=2))
        enforcement = deployment.enforcement()
        statuses: list[str] = []

        def late_activation(seconds: float) -> None:
            statuses.append(deployment.iot.status(device))
            deployment.iot.certificates[device.certificate_id].status = "ACTIVE"
            deployment.clock.advance(seconds=seconds)

        slow = type(enforcement)(**{**vars(enforcement), "sleep": late_activation})
        slow.sweep(deployment.configuration.cas[0].crl, deployment.ca.certificate, devices=1, owner="sweep")
        assert statuses == ["INACTIVE"]
        assert deployment.iot.status(device) == "INACTIVE"
        assert deployment.row_state(device) == RowState.INACTIVE

    def test_the_lease_of_an_activation_is_waited_for_and_no_longer(self, deployment: TestDeployment) -> None:
        """At most as long as a lease."""
        device = deployment.ca.issue("device-1", serial=1)
        with unanswered(deployment.iot_client, "UpdateCertificate"), pytest.raises(Undecided):
            deployment.deliver(deployment.iot.connect(device, deployment.ca), owner="activation")
        deployment.publish(deployment.ca.crl([1], number=2))
        before = deployment.clock()
        deployment.sweep()
        assert LEASE <= deployment.clock() - before <= LEASE + timedelta(seconds=2)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailureException"])
def test_a_failing_call_leaves_the_rest_to_the_next_sweep(deployment: TestDeployment, code: str) -> None:
    """Nothing is recorded as enforced before it is."""
    device = active(deployment, 1)
    deployment.publish(deployment.ca.crl([1], number=2))
    with failing(deployment.iot_client, "UpdateCertificate", code), pytest.raises(Undecided):
        deployment.sweep()
    assert deployment.iot.status(device) == "ACTIVE"
    assert deployment.sweep().outcome is SweepOutcome.ENFORCED
    assert deployment.iot.status(device) == "REVOKED"


def test_a_crash_after_any_call_ends_in_the_same_state(deployment: TestDeployment) -> None:
    """Killed after call 1, 2, 3, …; the next sweep finishes the work."""
    log = CallLog(deployment.iot_client, deployment.dynamodb, deployment.s3)
    rounds = 0
    killed = True
    while killed:
        rounds += 1
        devices = [active(deployment, rounds * 10 + n) for n in (1, 2)]
        listed = [serial for each in range(1, rounds + 1) for serial in (each * 10 + 1, each * 10 + 2)]
        deployment.publish(deployment.ca.crl(listed, number=rounds + 1))
        log.calls.clear()
        log.kill_after = rounds
        try:
            deployment.sweep(owner="first")
            killed = False
        except Killed:
            pass
        log.kill_after = None
        deployment.clock.advance(seconds=SWEEP_LEASE.total_seconds() + 1)
        deployment.sweep(owner="second")
        assert {deployment.iot.status(device) for device in devices} == {"REVOKED"}
        assert {deployment.row_state(device) for device in devices} == {"REVOKED"}
    assert rounds > 10


def test_a_tampered_copy_of_the_enforced_crl_hides_nothing(deployment: TestDeployment) -> None:
    """Somebody put a copy that lists the serial already: it is not what was enforced, so all is compared."""
    deployment.sweep()
    device = active(deployment, 1)
    (copy,) = deployment.s3.list_objects_v2(Bucket=BUCKET, Prefix="enforced/")["Contents"]
    deployment.s3.put_object(Bucket=BUCKET, Key=copy["Key"], Body=deployment.ca.crl([1], number=9))
    deployment.publish(deployment.ca.crl([1], number=2))
    deployment.sweep()
    assert deployment.iot.status(device) == "REVOKED"


def copies(deployment: TestDeployment) -> set[str]:
    """Return the CRLs (SHA-256) of which there are copies that the bucket's lifecycle leaves alone."""
    listed = deployment.s3.list_objects_v2(Bucket=BUCKET, Prefix="enforced/").get("Contents", ())
    keys = [each["Key"] for each in listed]
    kept = [key for key in keys if not deployment.s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]]
    return {key.rpartition("/")[2].removesuffix(".crl") for key in kept}


class TestCopies:
    """Copies of CRLs go when nothing names them, whatever their age."""

    def test_the_copy_of_a_crl_goes_when_the_next_one_is_enforced(self, deployment: TestDeployment) -> None:
        """Otherwise a CRL of each day would stay for ever; the one that the state names stays for years."""
        for number in (2, 3, 4):
            deployment.publish(deployment.ca.crl([], number=number))
            scope = deployment.sweep().scope
            assert copies(deployment) == {deployment.enforcement().versions.state(scope).enforced}

    def test_what_a_brake_may_be_undone_by_stays(self, deployment: TestDeployment) -> None:
        """Until its rejection is done, and while it is refused; `jitr crl reject` works from this copy."""
        serials = range(1, SMALLEST_BRAKE + 3)
        register_many(deployment, serials)
        deployment.publish(deployment.ca.crl(list(serials), number=2))
        braked = deployment.sweep()
        assert braked.outcome is SweepOutcome.BRAKED
        assert braked.crl is not None
        versions = deployment.enforcement().versions
        assert versions.reject(braked.scope, braked.crl.sha256, by="test", at=deployment.clock())
        deployment.publish(deployment.ca.crl([], number=3))
        deployment.sweep()
        state = deployment.enforcement().versions.state(braked.scope)
        assert copies(deployment) == {state.enforced, braked.crl.sha256}

    def test_a_copy_that_is_stored_again_is_kept_again(self, deployment: TestDeployment) -> None:
        """After `jitr crl reset` an older CRL may become the enforced one; what the reset left over goes days later."""
        first = deployment.ca.crl([], number=2)
        deployment.publish(first)
        scope = deployment.sweep().scope
        deployment.publish(deployment.ca.crl([], number=3))
        deployment.sweep()
        deployment.enforcement().versions.reset(scope, by="test", at=deployment.clock())
        deployment.publish(first)
        deployment.sweep()
        state = deployment.enforcement().versions.state(scope)
        assert state.enforced in copies(deployment)
        later = datetime.now(UTC) + timedelta(days=4)
        deployment.enforcement().enforced.give_up_others(scope, state.crls, before=(), at=later)
        assert copies(deployment) == {state.enforced}

    def test_another_addresss_copies_are_left_alone(self, deployment: TestDeployment) -> None:
        """Each scope has a folder of its own."""
        deployment.sweep()
        other, data = "other#s3://b/k", deployment.ca.crl([], number=9)
        crl = verify_crl(data, deployment.ca.certificate, at=deployment.clock())
        deployment.enforcement().enforced.store(other, crl)
        deployment.publish(deployment.ca.crl([], number=2))
        deployment.sweep()
        assert crl.sha256 in copies(deployment)

    def test_copies_that_cannot_be_given_up_end_no_sweep(self, deployment: TestDeployment) -> None:
        """What is to be switched off is off by then; a sweep that finds them days later gives them up."""
        deployment.sweep()
        device = active(deployment, 1)
        deployment.publish(deployment.ca.crl([1], number=2))
        with failing(deployment.s3, "PutObjectTagging", "AccessDenied"):
            assert deployment.sweep().outcome is SweepOutcome.ENFORCED
        assert deployment.iot.status(device) == "REVOKED"
        assert len(copies(deployment)) == 2
        (state,) = deployment.enforcement().versions.states()
        for days, left in ((1, 2), (4, 1)):
            at = datetime.now(UTC) + timedelta(days=days)
            deployment.enforcement().enforced.give_up_others(state.scope, state.crls, before=(), at=at)
            assert len(copies(deployment)) == left
        assert copies(deployment) == {state.enforced}


class TestMeanwhile:
    """What happens while a sweep runs, or between two, is not lost: a sweep records only what it looked at."""

    def during(self, deployment: TestDeployment, happens: Callable[[], object]) -> Sweep:
        """Sweep, and let something happen before its first call to AWS IoT."""
        pending = [happens]

        def pace() -> None:
            while pending:
                pending.pop()()

        enforcement = replace(deployment.enforcement(), pace=pace)
        location = deployment.configuration.cas[0].crl
        return enforcement.sweep(location, deployment.ca.certificate, devices=0, owner="sweep")

    def imported(self, deployment: TestDeployment, serial: int) -> pki.Device:
        """A certificate that somebody else activated, not in the registry."""
        device = deployment.ca.issue(f"foreign-{serial}", serial=serial)
        deployment.iot.connect(device, deployment.ca)
        deployment.iot.certificates[device.certificate_id].status = "ACTIVE"
        return device

    def test_a_certificate_imported_during_a_sweep_goes_with_the_next(self, deployment: TestDeployment) -> None:
        """The sweep had read the rows already; the CRL stays the same."""
        active(deployment, 1)
        foreign = self.imported(deployment, 2)
        deployment.publish(deployment.ca.crl([1, 2], number=2))
        unknown = unknown_certificates(deployment)
        ca_id = deployment.ca.ca_certificate_id
        self.during(deployment, lambda: unknown.import_newest(ca_id, deployment.ca.certificate, at_most=100))
        deployment.sweep()
        assert deployment.iot.status(foreign) == "REVOKED"

    def test_an_import_that_dies_after_any_call_is_found_again(self, deployment: TestDeployment) -> None:
        """Killed between the row and the note to the next sweep, it is unknown still."""
        log = CallLog(deployment.iot_client, deployment.dynamodb)
        ca_id, ca = deployment.ca.ca_certificate_id, deployment.ca.certificate
        killed = 0
        for serial in range(2, 40):
            foreign = self.imported(deployment, serial)
            deployment.publish(deployment.ca.crl(range(2, serial + 1), number=serial))
            deployment.sweep()
            log.calls.clear()
            log.kill_after = serial - 1
            try:
                unknown_certificates(deployment).import_newest(ca_id, ca, at_most=100)
            except Killed:
                killed += 1
            else:
                break
            finally:
                log.kill_after = None
            unknown_certificates(deployment).import_newest(ca_id, ca, at_most=100)
            deployment.sweep()
            assert deployment.iot.status(foreign) == "REVOKED", f"killed after {log.calls}"
        assert killed > 3

    def test_one_certificate_that_cannot_be_read_keeps_no_other_back(self, deployment: TestDeployment) -> None:
        """The first is imported, the second throttled."""
        first, second = self.imported(deployment, 2), self.imported(deployment, 3)
        deployment.publish(deployment.ca.crl([2], number=2))
        deployment.sweep()
        unknown = unknown_certificates(deployment)
        seen: list[str] = []

        def throttle(*, params: dict[str, object], **_: object) -> None:
            seen.append(str(params["certificateId"]))
            if params["certificateId"] == second.certificate_id:
                raise ConnectionError("throttled")

        deployment.iot_client.meta.events.register("provide-client-params.iot.DescribeCertificate", throttle)
        ids = [first.certificate_id, second.certificate_id]
        with pytest.raises(Undecided, match="ConnectionError"):
            unknown.import_these(ids, deployment.ca.ca_certificate_id, deployment.ca.certificate)
        deployment.sweep()
        assert deployment.iot.status(first) == "REVOKED"

    def test_a_confirmation_during_the_braked_sweep_counts(
        self, deployment: TestDeployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The operator was faster than the sweep that braked."""
        monkeypatch.setattr("jitr.enforcement.brake.SMALLEST_BRAKE", 1)
        devices = [active(deployment, serial) for serial in (1, 2)]
        deployment.publish(deployment.ca.crl([1, 2], number=2))
        scope = scope_of(deployment.ca.certificate, deployment.configuration.cas[0].crl)
        versions = deployment.enforcement().versions

        def confirm() -> None:
            braked = versions.state(scope).braked
            assert versions.confirm(scope, braked or "", by="operator", at=deployment.clock())

        assert self.during(deployment, confirm).outcome is SweepOutcome.BRAKED
        deployment.sweep()
        assert [deployment.iot.status(device) for device in devices] == ["REVOKED", "REVOKED"]


def unknown_certificates(deployment: TestDeployment) -> UnknownCertificates:
    """The import, as a cold container would build it."""
    enforcement = deployment.enforcement()
    return UnknownCertificates(
        registry=enforcement.registry,
        rows=enforcement.rows,
        versions=enforcement.versions,
        pace=lambda: None,
        watch=lambda _ca, _certificate: None,
    )
