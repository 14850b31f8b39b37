"""Shifts of bulk work: in a row, killed anywhere, delivered twice, stopped and resumed; same end state (I5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from jitr.bulk.job import JobKind, JobPlan, JobState, Tally
from jitr.bulk.queue import ATTEMPTS, Shift
from jitr.bulk.work import AGAIN_SECONDS, LEASE, ShiftEnd
from jitr.errors import Reason, Undecided
from jitr.registry.rows import Registry
from jitr_local.pki import Device
from tests.aws.aws_faults import CallLog, Killed, failing
from tests.worlds.bulk import INACTIVE, REVOKED, BulkDeployment
from tests.worlds.deployment import POLICY, TestDeployment

MORE_THAN_ENOUGH = 200
SHARED = "jitr-test_default"


@pytest.fixture
def bulk(deployment: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> BulkDeployment:
    """Bulk work that reads pages of three and writes after every two, so that few certificates show everything."""
    monkeypatch.setattr("jitr.aws.iot.certificates._LARGEST_PAGE", 3)
    monkeypatch.setattr("jitr.bulk.jobs.LISTED_AT_ONCE", 3)
    monkeypatch.setattr("jitr.bulk.work._WRITE_EVERY", 2)
    return BulkDeployment(deployment)


def drain(bulk: BulkDeployment, *, looks: int | None = None) -> int:
    """Deliver what is sent until nothing is; returns how many messages it were."""
    count = 0
    while (shift := bulk.queue.next()) is not None:
        count += 1
        assert count < MORE_THAN_ENOUGH
        bulk.take(shift, looks=looks)
    return count


def start(bulk: BulkDeployment, plan: JobPlan, devices: list[Device] | None = None) -> None:
    """Write a job and send its first message."""
    bulk.create("job", plan, devices)
    bulk.queue.send(Shift("job", 1))


# Shifts


@pytest.mark.parametrize("looks", [2, 3, 5, 9])
@pytest.mark.parametrize("listed", [False, True])
def test_short_shifts_follow_one_another_to_the_end(bulk: BulkDeployment, looks: int, listed: bool) -> None:
    """Whether the time ends inside a page, between pages or after every certificate; each is counted once."""
    devices = bulk.devices(8)
    start(bulk, bulk.plan(list_of="job" if listed else None), devices if listed else None)
    shifts = drain(bulk, looks=looks)
    job = bulk.job("job")
    assert (job.state, job.tally) == (JobState.DONE, Tally(done=8))
    assert shifts > 1
    assert bulk.statuses(devices) == ["INACTIVE"] * 8
    updates = [certificate_id for certificate_id, _ in bulk.deployment.iot.history]
    assert len(updates) == len(set(updates)) == 8


def test_a_shift_without_time_only_hands_on(bulk: BulkDeployment) -> None:
    """The last message of a batch may come too late."""
    bulk.devices(1)
    start(bulk, bulk.plan())
    assert bulk.take(Shift("job", 1), looks=0).end is ShiftEnd.MORE
    assert bulk.job("job").tally.seen == 0


def test_a_ca_without_certificates_is_done_at_once(bulk: BulkDeployment) -> None:
    """And so is an empty list."""
    assert bulk.run("job", bulk.plan()).tally.seen == 0
    assert bulk.run("listed", bulk.plan(list_of="listed"), []).tally.seen == 0


def test_a_certificate_that_leaves_the_list_hides_no_other(bulk: BulkDeployment) -> None:
    """The position is a certificate, not a number: what moved up is not passed over."""
    devices = bulk.devices(6)
    start(bulk, bulk.plan())
    bulk.take(Shift("job", 1), looks=3)
    del bulk.deployment.iot.certificates[devices[0].certificate_id]
    bulk.queue.sent = [(Shift("job", 2), 0)]
    drain(bulk)
    assert bulk.statuses(devices[1:]) == ["INACTIVE"] * 5


# Messages


def test_a_message_that_comes_again_later_starts_nothing(bulk: BulkDeployment) -> None:
    """The job is at another shift, or done."""
    bulk.devices(4)
    start(bulk, bulk.plan())
    drain(bulk, looks=3)
    calls = len(bulk.deployment.iot.calls)
    for number in (1, 2, 3):
        assert bulk.take(Shift("job", number)).end is ShiftEnd.STOPPED
    assert (len(bulk.deployment.iot.calls), bulk.queue.sent) == (calls, [])


def test_a_message_that_comes_twice_at_a_time_waits(bulk: BulkDeployment) -> None:
    """It may be the very message of the shift that is at work, so it is not just thrown away."""
    bulk.devices(2)
    bulk.create("job", bulk.plan())
    at = bulk.deployment.clock()
    assert bulk.jobs.take("job", 1, owner="first", until=at + LEASE, at=at)
    assert bulk.take(Shift("job", 1), owner="second").end is ShiftEnd.BUSY
    (sent,) = bulk.queue.sent
    assert sent == (Shift("job", 1), LEASE.total_seconds() + 1)
    bulk.deployment.clock.advance(seconds=LEASE.total_seconds() - 10)
    bulk.take(Shift("job", 1), owner="second")
    assert bulk.queue.sent[-1] == (Shift("job", 1), AGAIN_SECONDS)
    assert "UpdateCertificate" not in bulk.deployment.iot.calls


def test_whoever_was_killed_before_the_next_message_is_made_good(bulk: BulkDeployment) -> None:
    """The shift is counted up, its message comes back: the next one's is sent again."""
    bulk.devices(4)
    start(bulk, bulk.plan())
    bulk.take(Shift("job", 1), looks=3)
    bulk.queue.sent.clear()
    assert bulk.take(Shift("job", 1)).end is ShiftEnd.PASSED
    assert bulk.queue.sent == [(Shift("job", 2), 0)]
    drain(bulk)
    assert bulk.job("job").tally == Tally(done=4)


def test_while_the_next_shift_is_at_work_an_old_message_sends_nothing(bulk: BulkDeployment) -> None:
    """Else one doubled message would be doubled for ever."""
    bulk.devices(4)
    start(bulk, bulk.plan())
    bulk.take(Shift("job", 1), looks=3)
    at = bulk.deployment.clock()
    assert bulk.jobs.take("job", 2, owner="next", until=at + LEASE, at=at)
    bulk.queue.sent.clear()
    bulk.take(Shift("job", 1))
    assert bulk.queue.sent == []


def test_a_message_about_no_job_is_dropped(bulk: BulkDeployment) -> None:
    """Nothing is written, and nothing sent."""
    result = bulk.take(Shift("nothing", 1))
    assert (result.end, result.job, bulk.queue.sent) == (ShiftEnd.STOPPED, None, [])


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"job": 1, "turn": 1}', '{"job": "a", "turn": "1"}'])
def test_a_message_that_is_no_shift_is_refused(body: str) -> None:
    """Somebody else's; it becomes a dead letter."""
    with pytest.raises(ValueError, match=r".*"):
        Shift.parse(body)


def test_a_shift_survives_its_message() -> None:
    """What is written is what is read."""
    assert Shift.parse(Shift("job", 7).to_json()) == Shift("job", 7)


# Stop and resume


def test_a_stopped_job_stops_and_goes_on_where_it_was(bulk: BulkDeployment) -> None:
    """No message leads on; resuming does, as a shift of its own."""
    devices = bulk.devices(6)
    start(bulk, bulk.plan())
    bulk.take(Shift("job", 1), looks=3)
    assert bulk.jobs.stop("job", at=bulk.deployment.clock())
    drain(bulk)
    stopped = bulk.job("job")
    assert (stopped.state, stopped.tally.seen) == (JobState.STOPPED, 2)
    shift = bulk.jobs.resume(stopped, at=bulk.deployment.clock())
    assert shift == 3
    bulk.queue.send(Shift("job", shift))
    drain(bulk)
    assert (bulk.job("job").tally, bulk.statuses(devices)) == (Tally(done=6), ["INACTIVE"] * 6)


def test_the_shift_that_is_at_work_notices_a_stop(bulk: BulkDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few certificates; it gives its lease back, so that resuming need not wait."""
    devices = bulk.devices(6)
    start(bulk, bulk.plan())
    mark = Registry.mark

    def stopped_meanwhile(self: Registry, *row: Any, **named: Any) -> bool:
        bulk.jobs.stop("job", at=bulk.deployment.clock())
        return mark(self, *row, **named)

    monkeypatch.setattr(Registry, "mark", stopped_meanwhile)
    assert bulk.take(Shift("job", 1)).end is ShiftEnd.STOPPED
    assert bulk.statuses(devices).count("INACTIVE") == 2
    assert not bulk.job("job").at_work(at=bulk.deployment.clock())
    assert bulk.job("job").state is JobState.STOPPED


def test_a_job_that_changed_meanwhile_is_not_resumed(bulk: BulkDeployment) -> None:
    """Two operators at a time: one of them looks again."""
    bulk.create("job", bulk.plan())
    read = bulk.job("job")
    assert bulk.jobs.resume(read, at=bulk.deployment.clock()) == 2
    assert bulk.jobs.resume(read, at=bulk.deployment.clock()) is None


# Failures


def test_what_fails_for_all_ends_the_shift_and_is_tried_again(bulk: BulkDeployment) -> None:
    """The job says why; what was done is not done again."""
    devices = bulk.devices(4)
    start(bulk, bulk.plan())
    bulk.take(Shift("job", 1), looks=3)
    with (
        failing(bulk.deployment.iot_client, "UpdateCertificate", "ThrottlingException"),
        pytest.raises(Undecided),
    ):
        bulk.take(Shift("job", 2))
    job = bulk.job("job")
    assert (job.state, job.tally.seen) == (JobState.RUNNING, 2)
    assert job.failure is not None
    assert job.failure[0] == Reason.THROTTLED
    bulk.take(Shift("job", 2), attempt=2)
    job = bulk.job("job")
    assert (job.state, job.failure, job.tally) == (JobState.DONE, None, Tally(done=4))
    assert bulk.statuses(devices) == ["INACTIVE"] * 4


def test_after_the_last_attempt_the_job_has_failed_and_can_be_resumed(bulk: BulkDeployment) -> None:
    """Its message is a dead letter then."""
    bulk.devices(2)
    start(bulk, bulk.plan())
    with failing(bulk.deployment.iot_client, "UpdateCertificate", "AccessDeniedException"), pytest.raises(Undecided):
        bulk.take(Shift("job", 1), attempt=ATTEMPTS)
    job = bulk.job("job")
    assert (job.state, job.failure and job.failure[0]) == (JobState.FAILED, Reason.ACCESS_DENIED)
    shift = bulk.jobs.resume(job, at=bulk.deployment.clock())
    assert shift is not None
    assert bulk.take(Shift("job", shift)).end is ShiftEnd.DONE
    assert bulk.job("job").failure is None


def test_a_mistake_of_ours_is_told_too(bulk: BulkDeployment) -> None:
    """As what it is, and without its text, which might hold anything."""
    bulk.create("job", bulk.plan(kind=JobKind.REVOKE, wanted=None))
    with pytest.raises(Undecided):
        bulk.take(Shift("job", 1))
    failure = bulk.job("job").failure
    assert failure is not None
    assert failure[0] == Reason.CONFIGURATION


# Re-attaching and importing


def test_a_policy_is_attached_before_the_old_one_goes(bulk: BulkDeployment) -> None:
    """No certificate is without a policy in between; REVOKED ones are left alone."""
    iot = bulk.deployment.iot
    iot_client = bulk.deployment.iot_client
    for name in (SHARED, "legacy"):
        iot_client.create_policy(policyName=name, policyDocument=POLICY)
    devices, revoked = bulk.devices(4), bulk.devices(1, status="REVOKED", name="revoked")
    for device in [*devices, *revoked]:
        iot.certificates[device.certificate_id].policies.append("legacy")
    iot.calls.clear()
    job = bulk.run("job", bulk.plan(JobKind.REATTACH, template="default", old_policy="legacy"))
    assert job.tally == Tally(done=4, skipped=1)
    assert [iot.certificates[each.certificate_id].policies for each in devices] == [[SHARED]] * 4
    assert iot.certificates[revoked[0].certificate_id].policies == ["legacy"]
    order = [call for call in iot.calls if call in ("AttachPolicy", "DetachPolicy")]
    assert order == ["AttachPolicy", "DetachPolicy"] * 4


@pytest.mark.parametrize("template", ["other", "own", "broken"])
def test_only_deployed_shared_templates_are_attached_whatever_the_table_says(
    bulk: BulkDeployment, template: str
) -> None:
    """Not deployed, one for each device, or unusable: no store that others can write to says what devices may do."""
    configuration = bulk.deployment.configuration
    object.__setattr__(
        configuration, "policies", {"default": POLICY, "own": '{"Resource": "@{device.serial}"}', "broken": "{"}
    )
    bulk.devices(1)
    bulk.create("job", bulk.plan(JobKind.REATTACH, template=template))
    with pytest.raises(Undecided) as caught:
        bulk.take(Shift("job", 1))
    assert caught.value.reason is Reason.CONFIGURATION
    assert "AttachPolicy" not in bulk.deployment.iot.calls


def test_a_policy_that_is_gone_is_no_certificates_fault(bulk: BulkDeployment) -> None:
    """The whole shift fails; a certificate that is gone only fails for itself."""
    devices = bulk.devices(2)
    bulk.create("job", bulk.plan(JobKind.REATTACH, template="default"))
    with pytest.raises(Undecided) as caught:
        bulk.take(Shift("job", 1))
    assert caught.value.reason is Reason.POLICY_UNUSABLE
    bulk.deployment.iot_client.create_policy(policyName=SHARED, policyDocument=POLICY)
    certificate = bulk.deployment.iot.certificates[devices[0].certificate_id]
    certificate.policies = [f"other-{n}" for n in range(10)]
    assert bulk.take(Shift("job", 1)).end is ShiftEnd.DONE
    assert bulk.job("job").tally == Tally(done=1, failed=1)
    assert [each.reason for each in bulk.jobs.failed("job")] == [Reason.AWS_REFUSED]


def test_an_import_brings_in_what_is_unknown_and_the_next_sweep_looks_at_all_of_it(bulk: BulkDeployment) -> None:
    """Also at certificates that were on the CRL long before."""
    known, devices = bulk.knocked(1), bulk.devices(4)
    bulk.devices(1, status="PENDING_ACTIVATION", name="pending")
    bulk.deployment.publish(bulk.deployment.ca.crl([devices[0].certificate.serial_number], number=2))
    assert bulk.deployment.sweep().switched_off == 0
    bulk.deployment.iot.calls.clear()
    job = bulk.run("job", bulk.plan(JobKind.IMPORT))
    assert job.tally == Tally(done=4, skipped=2)
    assert bulk.deployment.iot.calls.count("DescribeCertificate") == 4
    assert bulk.deployment.sweep().switched_off == 1
    assert bulk.statuses([*known, devices[0], devices[1]]) == ["ACTIVE", "REVOKED", "ACTIVE"]


def test_a_stopped_import_is_looked_at_too(bulk: BulkDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came in so far may be on the CRL."""
    devices = bulk.devices(6)
    bulk.deployment.publish(bulk.deployment.ca.crl([devices[0].certificate.serial_number], number=2))
    bulk.deployment.sweep()
    start(bulk, bulk.plan(JobKind.IMPORT))
    remember = Registry.remember

    def stopped_meanwhile(self: Registry, *given: Any) -> None:
        bulk.jobs.stop("job", at=bulk.deployment.clock())
        remember(self, *given)

    monkeypatch.setattr(Registry, "remember", stopped_meanwhile)
    assert bulk.take(Shift("job", 1)).end is ShiftEnd.STOPPED
    assert bulk.deployment.sweep().switched_off == 1


# Crashes


def revoking(bulk: BulkDeployment) -> JobPlan:
    """First step of many."""
    return bulk.plan()


def final(bulk: BulkDeployment) -> JobPlan:
    """Few, in one step."""
    return bulk.plan(wanted=REVOKED)


def confirming(bulk: BulkDeployment) -> JobPlan:
    """Second step of many."""
    bulk.run("first", bulk.plan())
    return bulk.plan(JobKind.CONFIRM, follows="first")


def undoing(bulk: BulkDeployment) -> JobPlan:
    """What the first step did, taken back."""
    bulk.run("first", bulk.plan())
    return bulk.plan(JobKind.UNDO, follows="first")


def reattaching(bulk: BulkDeployment) -> JobPlan:
    """One policy for another."""
    for name in (SHARED, "legacy"):
        bulk.deployment.iot_client.create_policy(policyName=name, policyDocument=POLICY)
    for certificate in bulk.deployment.iot.certificates.values():
        certificate.policies.append("legacy")
    return bulk.plan(JobKind.REATTACH, template="default", old_policy="legacy")


def importing(bulk: BulkDeployment) -> JobPlan:
    """Certificates that others activated."""
    return bulk.plan(JobKind.IMPORT)


SCENARIOS = {each.__name__: each for each in (revoking, final, confirming, undoing, reattaching, importing)}


def end_state(bulk: BulkDeployment, devices: list[Device]) -> dict[str, Any]:
    """Everything that a job leaves behind; claims name the job, which has the same id in every run."""
    rows = [bulk.row(device) for device in devices]
    job = bulk.job("job")
    return {
        "statuses": bulk.statuses(devices),
        "policies": [bulk.deployment.iot.certificates[each.certificate_id].policies for each in devices],
        "rows": [row and (row.state, row.wanted, row.braked_by, row.lease_owner) for row in rows],
        "job": (job.state, job.failure, list(bulk.jobs.failed("job"))),
    }


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_crash_after_any_call_ends_in_the_same_state(bulk: BulkDeployment, scenario: str) -> None:
    """Killed after call 1, 2, 3, … of the whole job, in shifts of one; then the same message comes back."""
    devices = bulk.devices(2)
    before = {each: vars(certificate).copy() for each, certificate in bulk.deployment.iot.certificates.items()}
    log = CallLog(bulk.deployment.iot_client, bulk.deployment.dynamodb)
    states: list[dict[str, Any]] = []
    for kill_after in range(1, MORE_THAN_ENOUGH):
        forget(bulk, before)
        plan = SCENARIOS[scenario](bulk)
        log.calls.clear()
        log.kill_after = kill_after
        killed = deliver_all(bulk, plan, log)
        log.kill_after = None
        states.append(end_state(bulk, devices))
        assert bulk.job("job").tally.seen == 2
        if not killed:
            break
    assert len(states) > 10
    assert all(state == states[-1] for state in states)
    wanted = {"final": "REVOKED", "confirming": "REVOKED", "revoking": "INACTIVE"}.get(scenario, "ACTIVE")
    assert states[-1]["statuses"] == [wanted] * 2


def deliver_all(bulk: BulkDeployment, plan: JobPlan, log: CallLog) -> bool:
    """Start a job and deliver its messages; one whose delivery is killed comes back after the visibility timeout."""
    kill_after, log.kill_after = log.kill_after, None
    start(bulk, plan)
    log.calls.clear()
    log.kill_after = kill_after
    killed = False
    for _ in range(MORE_THAN_ENOUGH):
        shift = bulk.queue.next()
        if shift is None:
            return killed
        try:
            bulk.take(shift, owner=f"owner-{killed}", looks=3)
        except Killed:
            killed = True
            bulk.queue.sent.insert(0, (shift, 0))
            bulk.deployment.clock.advance(seconds=LEASE.total_seconds() + 1)
    raise AssertionError("the job does not end")


def forget(bulk: BulkDeployment, before: dict[str, dict[str, Any]]) -> None:
    """Undo what the last round did, so that rounds compare."""
    for certificate_id, values in before.items():
        vars(bulk.deployment.iot.certificates[certificate_id]).update({**values, "policies": []})
    bulk.deployment.iot.policies.clear()
    bulk.queue.sent.clear()
    client, table = bulk.deployment.dynamodb, bulk.table.name
    for item in client.scan(TableName=table)["Items"]:
        client.delete_item(TableName=table, Key={name: item[name] for name in ("pk", "sk")})


# Jobs as they are kept


def test_a_plan_survives_the_table() -> None:
    """What is written is what is read."""
    plan = JobPlan(
        kind=JobKind.REVOKE,
        ca_certificate_id="a" * 64,
        total=3,
        list_of="job",
        registered_until=1,
        wanted=INACTIVE,
        reason="keyCompromise",
    )
    assert JobPlan.from_json(plan.to_json()) == plan


def test_no_job_is_written_twice(bulk: BulkDeployment) -> None:
    """Ids are made of time and chance; should two be equal, the second one is refused."""
    bulk.create("job", bulk.plan())
    assert not bulk.jobs.create("job", bulk.plan(), by="another", at=bulk.deployment.clock())


def test_a_lease_that_ended_is_taken_over(bulk: BulkDeployment) -> None:
    """Its owner cannot be alive any more, and could not write any more."""
    bulk.create("job", bulk.plan())
    at = bulk.deployment.clock()
    taken = bulk.jobs.take("job", 1, owner="dead", until=at + timedelta(minutes=1), at=at)
    assert taken is not None
    late = at + timedelta(minutes=2)
    assert bulk.jobs.take("job", 1, owner="next", until=late + LEASE, at=late) is not None
    assert not bulk.jobs.record(taken, owner="dead", until=late + LEASE, at=late)


@pytest.mark.parametrize(("per_second", "most"), [(1.0, 2958), (10.0, 386)])
def test_a_job_that_takes_more_shifts_than_its_size_explains_is_ended(
    bulk: BulkDeployment, per_second: float, most: int
) -> None:
    """AWS Lambda's own end to chains is switched off for this function; this one stands in its place, and says so."""
    bulk.devices(2)
    plan = replace(bulk.plan(), total=100_000)
    bulk.create("job", plan)
    assert bulk.job("job").shifts_at_most(per_second=per_second) == most
    work = replace(bulk.work(), per_second=per_second)
    key = {"pk": {"S": "bulk"}, "sk": {"S": "job"}}
    bulk.table.update(key, "SET job_turn = :turn", {":turn": {"N": str(most + 1)}})
    result = work.work(Shift("job", most + 1), owner="o", seconds_left=lambda: 600)
    assert result.end is ShiftEnd.STOPPED
    job = bulk.job("job")
    assert (job.state, job.shift) == (JobState.FAILED, most + 1)
    assert job.failure is not None
    assert job.failure[0] == Reason.TOO_MANY_SHIFTS
    assert bulk.queue.sent == []
    assert [each.job_id for each in bulk.jobs.still(at=bulk.deployment.clock())] == ["job"]
    bulk.deployment.clock.advance(days=2)
    assert list(bulk.jobs.still(at=bulk.deployment.clock())) == []


def test_a_job_that_nobody_works_on_stands_still(bulk: BulkDeployment) -> None:
    """Two hours after it was last heard of; not one that somebody is at work on, nor one that was stopped."""
    bulk.devices(2)
    bulk.create("job", bulk.plan())
    at = bulk.deployment.clock()
    assert list(bulk.jobs.still(at=at)) == []
    bulk.deployment.clock.advance(hours=2, minutes=1)
    at = bulk.deployment.clock()
    assert [each.job_id for each in bulk.jobs.still(at=at)] == ["job"]
    assert bulk.jobs.take("job", 1, owner="o", until=at + LEASE, at=at)
    assert list(bulk.jobs.still(at=at)) == []
    bulk.jobs.release("job", owner="o")
    assert bulk.jobs.stop("job", at=at)
    bulk.deployment.clock.advance(hours=3)
    assert list(bulk.jobs.still(at=bulk.deployment.clock())) == []
