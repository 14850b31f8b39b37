"""`jitr crl confirm`, `reject`, `reset` and `forget`: what an operator decides about a CRL that is in trouble."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import boto3
import pytest
from cryptography import x509

from jitr.authorities.managed import MOST_LOCATIONS
from jitr.aws.iot import CertificateStatus
from jitr.bulk.job import JobState
from jitr.bulk.queue import Shift
from jitr.bulk.work import ShiftEnd
from jitr.certificates import issuer_key
from jitr.crls.cache import scope_of
from jitr.crls.versions import CrlVersion
from jitr.enforcement.sweep import SWEEP_LEASE, SweepOutcome
from jitr.errors import Outcome, Reason, Undecided
from jitr_cli.crl.scopes import address
from jitr_local import pki
from jitr_local.pki import Device
from tests.aws.aws_faults import CallLog, Killed, killed_after
from tests.cli.conftest import Answer, Jitr
from tests.worlds.bulk import BulkDeployment
from tests.worlds.deployment import TestDeployment

DEVICES = range(1, 6)


@pytest.fixture(autouse=True)
def invocations(stack: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A brake that a few devices trip, and a Lambda that notes what it is asked to run."""
    monkeypatch.setattr("jitr.enforcement.brake.SMALLEST_BRAKE", 2)
    noted: list[dict[str, Any]] = []
    real = boto3.Session.client

    class Lambda:
        def invoke(self, **request: Any) -> None:
            noted.append(request)

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        return Lambda() if service == "lambda" else real(session, service, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(boto3.Session, "client", client)
    return noted


@pytest.fixture
def devices(stack: TestDeployment) -> list[Device]:
    """Five active devices that one CRL switched off at once."""
    made = [stack.ca.issue(f"device-{serial}", serial=serial) for serial in DEVICES]
    for device in made:
        stack.knock(device)
    stack.publish(stack.ca.crl(DEVICES, number=2))
    assert stack.sweep(devices=len(made)).outcome is SweepOutcome.BRAKED
    assert statuses(stack, made) == ["INACTIVE"] * 5
    return made


def statuses(stack: TestDeployment, devices: list[Device]) -> list[str]:
    """The devices' statuses in AWS IoT."""
    return [stack.iot.status(device) for device in devices]


def reject(jitr: Jitr, *more: str) -> Answer:
    """Reject what is braked, fast."""
    return jitr("crl", "reject", "--rate", "100", "--yes", *more)


def end_lease(stack: TestDeployment) -> None:
    """Let the time pass that a killed command's lease takes to end."""
    scope = scope_of(stack.ca.certificate, stack.configuration.cas[0].crl)
    key = {"pk": {"S": "crl"}, "sk": {"S": scope}}
    stack.enforcement().versions.table.update(key, "REMOVE sweep_owner, sweep_until", {})


def row_key(stack: TestDeployment, serial: int) -> str:
    """The key of a device's registry row."""
    return f"{issuer_key(stack.ca.certificate)}#{serial:x}"


class TestConfirm:
    """The CRL is right: REVOKED, for good."""

    def test_the_next_sweep_revokes(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr, invocations: list[dict[str, Any]]
    ) -> None:
        """Confirmed by a named person, and begun at once."""
        answer = jitr("crl", "confirm", "--yes", "--json")
        assert answer.exit_code == 0, answer.err
        assert "Region us-east-1 · deployment test" in answer.err
        assert answer.json["confirmed"] is True
        assert [(each["FunctionName"], each["InvocationType"]) for each in invocations] == [
            ("jitr-test-Enforce", "Event")
        ]
        assert stack.sweep(devices=5).outcome is SweepOutcome.ENFORCED
        assert statuses(stack, devices) == ["REVOKED"] * 5

    def test_what_is_confirmed_is_not_offered_again(self, devices: list[Device], jitr: Jitr) -> None:
        """There is nothing left to decide."""
        jitr("crl", "confirm", "--yes")
        again = jitr("crl", "confirm", "--yes")
        assert (again.exit_code, "no CRL is braked" in again.err) == (64, True)

    @pytest.mark.parametrize("options", [["--dry-run"], []])
    def test_without_a_yes_nothing_is_written(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr, options: list[str]
    ) -> None:
        """A dry run only tells; nobody there to answer ends as interrupted."""
        answer = jitr("crl", "confirm", *options)
        assert answer.exit_code == (0 if options else 130)
        assert "newly listed" in answer.err
        assert stack.sweep(devices=5).outcome is not SweepOutcome.ENFORCED
        assert statuses(stack, devices) == ["INACTIVE"] * 5


class TestReject:
    """The CRL is wrong: refused, and its devices are back."""

    def test_the_devices_are_back(self, stack: TestDeployment, devices: list[Device], jitr: Jitr) -> None:
        """ACTIVE, their rows too; the CRL is refused; a corrected one is enforced."""
        answer = reject(jitr, "--json")
        assert answer.exit_code == 0, answer.err
        assert answer.json["back"] == 5
        assert statuses(stack, devices) == ["ACTIVE"] * 5
        assert {stack.row_state(device) for device in devices} == {"ACTIVE"}
        assert stack.sweep(devices=5).outcome is SweepOutcome.REJECTED
        stack.publish(stack.ca.crl([3], number=3))
        assert stack.sweep(devices=5).outcome is SweepOutcome.ENFORCED
        assert statuses(stack, devices) == ["ACTIVE", "ACTIVE", "REVOKED", "ACTIVE", "ACTIVE"]

    def test_what_was_off_before_stays_off(self, stack: TestDeployment, jitr: Jitr) -> None:
        """A device on hold before the brake is not switched on by undoing it."""
        made = [stack.ca.issue(f"device-{serial}", serial=serial) for serial in DEVICES]
        for device in made:
            stack.knock(device)
        row = stack.activation.rows.row(row_key(stack, 1))
        assert row is not None
        stack.activation.rows.mark(row, wanted=CertificateStatus.INACTIVE, braked_by=None)
        stack.activation.registry.switch_off(made[0].certificate_id, CertificateStatus.INACTIVE)
        stack.activation.rows.finish_revocation(row.key, done=CertificateStatus.INACTIVE)
        stack.publish(stack.ca.crl(DEVICES, number=2))
        assert stack.sweep(devices=5).outcome is SweepOutcome.BRAKED
        answer = reject(jitr, "--json")
        assert (answer.json["back"], answer.json["not_active_before"]) == (4, 1)
        assert statuses(stack, made) == ["INACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE"]

    def test_a_crash_after_any_call_is_resumed(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Killed after call 1, 2, 3, …: started again, all come back, and those that were back cost nothing."""
        log = CallLog(stack.iot_client)
        log.watch_dynamodb(monkeypatch)
        killed = 0
        for kill_after in range(1, 60):
            log.calls.clear()
            log.kill_after = kill_after
            try:
                answer = reject(jitr)
            except Killed:
                killed += 1
                continue
            finally:
                log.kill_after = None
                end_lease(stack)
            # Killed after its very last writes, it has nothing left to do.
            assert answer.exit_code == 0 or "no CRL is braked" in answer.err
            break
        assert killed > 10
        assert statuses(stack, devices) == ["ACTIVE"] * 5
        assert {stack.row_state(device) for device in devices} == {"ACTIVE"}

    def test_a_command_that_dies_leaves_nothing_active_that_a_new_crl_lists(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr
    ) -> None:
        """Killed between ACTIVE and its row; then the corrected CRL puts this device on hold."""
        with killed_after(stack.iot_client, "UpdateCertificate"), pytest.raises(Killed):
            reject(jitr)
        (switched_on,) = (each for each in devices if stack.iot.status(each) == "ACTIVE")
        end_lease(stack)
        hold = pki.revoked_entry(switched_on.certificate.serial_number, reason=x509.ReasonFlags.certificate_hold)
        stack.publish(stack.ca.crl([hold], number=3))
        assert stack.sweep(devices=5).outcome is SweepOutcome.ENFORCED
        assert stack.iot.status(switched_on) == "INACTIVE"

    def test_the_devices_of_a_second_wrong_crl_are_back_too(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr
    ) -> None:
        """The CA went on publishing wrong CRLs before anybody looked: the last one owns what the first switched off."""
        stack.publish(stack.ca.crl(list(DEVICES), number=3))
        assert stack.sweep(devices=5).outcome is SweepOutcome.BRAKED
        answer = reject(jitr, "--json")
        assert (answer.exit_code, answer.json["back"]) == (0, 5)
        assert statuses(stack, devices) == ["ACTIVE"] * 5

    def test_what_a_corrected_crl_has_on_hold_does_not_come_back(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr
    ) -> None:
        """INACTIVE by the brake and wanted INACTIVE by a right CRL: undoing the one leaves the other."""
        hold = pki.revoked_entry(3, reason=x509.ReasonFlags.certificate_hold)
        stack.publish(stack.ca.crl([hold], number=3))
        stack.sweep(devices=5)
        assert reject(jitr, "--json").json["back"] == 4
        assert statuses(stack, devices) == ["ACTIVE", "ACTIVE", "INACTIVE", "ACTIVE", "ACTIVE"]

    def test_devices_that_knock_wait_for_a_corrected_crl(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr
    ) -> None:
        """Listed on a CRL that was refused: neither let in nor REVOKED on its word."""
        late = stack.ca.issue("late", serial=99)
        stack.publish(stack.ca.crl([*DEVICES, 99], number=3))
        stack.sweep(devices=5)
        reject(jitr)
        result = stack.knock(late)
        assert (result.outcome, result.reason) == (Outcome.WAITING, Reason.CRL_REJECTED)
        assert stack.iot.status(late) == "PENDING_ACTIVATION"
        stack.publish(stack.ca.crl([3], number=4))
        assert stack.knock(late).outcome is Outcome.ACTIVATED

    def test_a_second_run_finds_nothing_braked(self, devices: list[Device], jitr: Jitr) -> None:
        """The brake is off."""
        reject(jitr)
        again = reject(jitr)
        assert (again.exit_code, "no CRL is braked" in again.err) == (64, True)

    def test_what_was_marked_meanwhile_is_switched_off_again(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr
    ) -> None:
        """Another CRL revokes one device between its UpdateCertificate and its row."""
        key = row_key(stack, 3)
        marked: list[bool] = []

        def mark(*, params: dict[str, Any], **_: Any) -> None:
            wants = json.dumps(params, default=str)
            if devices[2].certificate_id in wants and '"ACTIVE"' in wants and not marked:
                marked.append(True)
                row = stack.activation.rows.row(key)
                assert row is not None
                stack.activation.rows.mark(row, wanted=CertificateStatus.REVOKED, braked_by=None)

        stack.iot_client.meta.events.register("provide-client-params.iot.UpdateCertificate", mark)
        answer = reject(jitr, "--json")
        assert (answer.json["back"], answer.json["decided_since"]) == (4, 1)
        assert statuses(stack, devices) == ["ACTIVE", "ACTIVE", "REVOKED", "ACTIVE", "ACTIVE"]
        assert stack.row_state(devices[2]) != "ACTIVE"

    def test_a_certificate_that_is_gone_does_not_stop_the_others(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr
    ) -> None:
        """Deleted, or REVOKED by hand."""
        del stack.iot.certificates[devices[0].certificate_id]
        stack.iot.certificates[devices[1].certificate_id].status = "REVOKED"
        answer = reject(jitr, "--json")
        assert (answer.exit_code, answer.json["back"], answer.json["gone"]) == (0, 3, 2)
        assert statuses(stack, devices[1:]) == ["REVOKED", "ACTIVE", "ACTIVE", "ACTIVE"]

    def test_what_came_back_is_compared_with_the_crl_of_now(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr
    ) -> None:
        """A corrected CRL was enforced before the old one was rejected: what it lists goes again at the next sweep."""
        stack.publish(stack.ca.crl([3], number=3))
        stack.sweep(devices=5)
        answer = reject(jitr)
        assert answer.exit_code == 0, answer.err
        stack.sweep(devices=5)
        assert statuses(stack, devices) == ["ACTIVE", "ACTIVE", "REVOKED", "ACTIVE", "ACTIVE"]

    def test_a_running_sweep_is_not_raced(self, stack: TestDeployment, devices: list[Device], jitr: Jitr) -> None:
        """It holds the scope; nothing is switched on under it."""
        scope = scope_of(stack.ca.certificate, stack.configuration.cas[0].crl)
        at = stack.clock()
        stack.enforcement().versions.lease(scope, owner="sweep", until=at + SWEEP_LEASE, at=at)
        answer = reject(jitr)
        assert (answer.exit_code, "a sweep of it is running" in answer.err) == (69, True)
        assert statuses(stack, devices) == ["INACTIVE"] * 5

    def test_without_its_copy_nothing_is_guessed(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr
    ) -> None:
        """The bucket holds the copy no more."""
        for each in stack.s3.list_objects_v2(Bucket="jitr-test-crl", Prefix="enforced/")["Contents"]:
            stack.s3.delete_object(Bucket="jitr-test-crl", Key=each["Key"])
        answer = reject(jitr)
        assert (answer.exit_code, "is gone from the bucket" in answer.err) == (64, True)
        assert statuses(stack, devices) == ["INACTIVE"] * 5

    def test_a_dry_run_writes_nothing(self, stack: TestDeployment, devices: list[Device], jitr: Jitr) -> None:
        """It says how many, and how long."""
        answer = jitr("crl", "reject", "--dry-run")
        assert (answer.exit_code, "5 devices to bring back" in answer.err) == (0, True)
        assert statuses(stack, devices) == ["INACTIVE"] * 5
        assert stack.sweep(devices=5).outcome is not SweepOutcome.REJECTED


class TestReset:
    """A CA that had to start again."""

    def test_an_older_crl_is_taken_again(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Refused before, accepted after; who did it is kept."""
        stack.publish(stack.ca.crl(number=5))
        scope = stack.sweep().scope
        stack.publish(stack.ca.crl(number=4))
        with pytest.raises(Undecided) as caught:
            stack.sweep()
        assert caught.value.reason is Reason.ROLLBACK
        answer = jitr("crl", "reset", "--yes", "--json")
        assert (answer.exit_code, answer.json["number"]) == (0, 5)
        assert address(answer.json["scope"]) == stack.configuration.cas[0].crl
        assert stack.sweep().outcome is SweepOutcome.ENFORCED
        item = stack.activation.crls.versions.table.get({"pk": {"S": "crl"}, "sk": {"S": scope}})
        assert item is not None
        assert "arn:aws:" in item["reset_by"]["S"]

    def test_one_of_several_scopes_has_to_be_named(self, stack: TestDeployment, jitr: Jitr) -> None:
        """By its address, or by its CA."""
        stack.sweep()
        stack.publish(stack.ca.crl(number=7), key="other.crl")
        other = stack.configuration.cas[0].crl.replace("factory-1", "other")
        stack.enforcement().sweep(other, stack.ca.certificate, devices=0, owner="sweep")
        unnamed = jitr("crl", "reset", "--yes")
        assert (unnamed.exit_code, unnamed.err.count("s3://")) == (64, 2)
        both = jitr("crl", "reset", "--yes", "--ca-certificate-id", stack.ca.ca_certificate_id)
        assert both.exit_code == 64
        assert jitr("crl", "reset", "--yes", "--scope", other, "--json").json["number"] == 7

    def test_a_dry_run_forgets_nothing(self, stack: TestDeployment, jitr: Jitr) -> None:
        """It shows what is accepted."""
        scope = stack.sweep().scope
        answer = jitr("crl", "reset", "--dry-run", "--json")
        assert (answer.exit_code, answer.json["reset"]) == (0, False)
        assert stack.enforcement().versions.accepted(scope) is not None


class TestRejectInTheAccount:
    """What is more than one computer should do: a job, as for other bulk work."""

    def started(self, stack: TestDeployment, jitr: Jitr) -> tuple[BulkDeployment, str]:
        """Refuse the braked CRL, have the account bring its devices back, and return the job."""
        answer = reject(jitr, "--in-account", "--no-wait", "--json")
        assert (answer.exit_code, answer.json["kind"], answer.json["total"]) == (0, "reject", 5), answer.err
        return BulkDeployment(stack), answer.json["job"]

    def finish(self, bulk: BulkDeployment, job: str, *, looks: int | None = None) -> None:
        """Do the job's shifts, each in a cold container, until it ends."""
        shift = 1
        while bulk.take(Shift(job, shift), looks=looks).end is ShiftEnd.MORE:
            shift += 1

    def test_all_come_back_and_the_brake_is_forgotten(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr
    ) -> None:
        """In as many shifts as it takes; the refused CRL stays refused."""
        bulk, job = self.started(stack, jitr)
        self.finish(bulk, job, looks=3)
        assert statuses(stack, devices) == ["ACTIVE"] * 5
        state = bulk.jobs.job(job)
        assert state is not None
        assert (state.state, state.tally.done) == (JobState.DONE, 5)
        (scope,) = stack.enforcement().versions.states()
        assert scope.braked is None
        assert stack.sweep(devices=5).outcome is SweepOutcome.REJECTED

    def test_what_a_corrected_crl_lists_meanwhile_stays_off(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr
    ) -> None:
        """It may be published while the job goes on, and be swept before, between and after its devices."""
        bulk, job = self.started(stack, jitr)
        stack.publish(stack.ca.crl([1], number=3))
        assert stack.sweep(devices=5).outcome is SweepOutcome.ENFORCED
        assert bulk.take(Shift(job, 1), looks=3).end is ShiftEnd.MORE
        stack.publish(stack.ca.crl([1, 2], number=4))
        stack.sweep(devices=5)
        self.finish(bulk, job)
        bulk.take(Shift(job, 2))
        stack.sweep(devices=5)
        assert statuses(stack, devices) == ["REVOKED", "REVOKED", "ACTIVE", "ACTIVE", "ACTIVE"]

    def test_another_brake_meanwhile_is_not_forgotten(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr
    ) -> None:
        """Its devices were never this job's."""
        bulk, job = self.started(stack, jitr)
        stack.publish(stack.ca.crl([1, 2, 3, 4], number=3))
        assert stack.sweep(devices=5).outcome is SweepOutcome.BRAKED
        self.finish(bulk, job)
        (scope,) = stack.enforcement().versions.states()
        assert scope.brake_waits
        assert statuses(stack, devices) == ["INACTIVE"] * 4 + ["ACTIVE"]

    def test_a_second_one_is_not_started_beside_it(
        self, stack: TestDeployment, devices: list[Device], jitr: Jitr
    ) -> None:
        """It would do the same twice, at the cost of the quota."""
        _, job = self.started(stack, jitr)
        again = reject(jitr, "--in-account", "--no-wait")
        assert (again.exit_code, job in again.err) == (64, True)


class TestForget:
    """An address that certificates named, and that nobody needs any more."""

    GONE, STAYS = "http://crl.example.com/1.crl", "http://crl.example.com/2.crl"

    @pytest.fixture(autouse=True)
    def remembered(self, stack: TestDeployment) -> None:
        """Two partitions that devices of the CA named."""
        stack.activation.authorities.records.watch(stack.ca.ca_certificate_id, [self.GONE, self.STAYS])

    def locations(self, stack: TestDeployment) -> set[str]:
        """What enforcement looks at, as a new container reads it."""
        record = stack.activation.authorities.records.record(stack.ca.ca_certificate_id)
        return set(record.locations if record else ())

    def test_it_is_looked_at_no_more_and_what_was_accepted_there_stays(self, stack: TestDeployment, jitr: Jitr) -> None:
        """So that nothing older is accepted if the address comes back."""
        versions, scope = stack.enforcement().versions, scope_of(stack.ca.certificate, self.GONE)
        version = CrlVersion(number=7, this_update=stack.clock(), sha256="ab" * 32)
        assert versions.accept(scope, version, after=versions.acceptance(scope))
        answer = jitr("crl", "forget", "--scope", self.GONE, "--yes", "--json")
        assert (answer.exit_code, answer.json["forgotten"]) == (0, True), answer.err
        assert self.locations(stack) == {self.STAYS}
        accepted = versions.accepted(scope)
        assert accepted is not None
        assert accepted.number == 7

    def test_a_device_that_names_it_again_brings_it_back(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Forgetting too much lasts until the next activation, and no longer."""
        jitr("crl", "forget", "--scope", self.GONE, "--yes")
        stack.activation.authorities.records.watch(stack.ca.ca_certificate_id, [self.GONE])
        assert self.locations(stack) == {self.GONE, self.STAYS}

    @pytest.mark.parametrize(
        ("options", "exit_code", "words"),
        [
            (["--yes"], 64, "more than one address"),
            (["--scope", "nowhere.crl", "--yes"], 64, "no such address"),
            (["--scope", "1.crl", "--dry-run"], 0, "looked at for CA"),
            (["--scope", "1.crl"], 130, "looked at for CA"),
        ],
    )
    def test_without_one_address_and_a_yes_nothing_is_forgotten(
        self, stack: TestDeployment, jitr: Jitr, options: list[str], exit_code: int, words: str
    ) -> None:
        """The addresses are listed where there are several."""
        answer = jitr("crl", "forget", *options)
        assert (answer.exit_code, words in answer.err) == (exit_code, True), answer.err
        assert self.locations(stack) == {self.GONE, self.STAYS}


def test_the_addresses_that_certificates_may_name_have_a_bound(stack: TestDeployment) -> None:
    """Each is fetched at every schedule; a device beyond that stays out, and the words say what to do."""
    authorities, at = stack.activation.authorities, stack.clock()
    ca = replace(stack.configuration.cas[0], crl="cdp")
    authorities.watch(ca, [f"http://crl.example.com/{n}.crl" for n in range(MOST_LOCATIONS)], at=at)
    authorities.watch(ca, ["http://crl.example.com/0.crl"], at=at)
    with pytest.raises(Undecided, match="jitr crl forget") as refused:
        authorities.watch(ca, ["http://crl.example.com/more.crl"], at=at)
    assert refused.value.reason is Reason.TOO_MANY_CRLS
