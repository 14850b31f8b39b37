"""Jobs of bulk work whose shifts reach different calls, behind their queue: told to the end, then judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from jitr.aws.iot import CertificateStatus
from jitr.bulk.job import JobKind, JobPlan, JobState
from jitr.bulk.jobs import Jobs
from jitr.bulk.queue import ATTEMPTS, Shift
from jitr_local import pki
from tests.faults.machine import containers
from tests.faults.machine.cloud import Cloud
from tests.faults.machine.injection import Call, Fault
from tests.faults.machine.invariants import unsettled, wrong_changes
from tests.faults.machine.queueing import Worker
from tests.faults.machine.told import Told
from tests.faults.stories.activations import Arranged, arranged, deliver, factory, key, knock
from tests.worlds.odd_certificates import odd_device

JOB = "job"
SHIFT = timedelta(minutes=10)
# Longer than all attempts of one message take.
OUTAGE = timedelta(hours=8)
INACTIVE, REVOKED = CertificateStatus.INACTIVE, CertificateStatus.REVOKED


@dataclass
class Ordered:
    """A deployment and a job that was ordered; `expected` are statuses by certificate id, `total` of all that it sees.

    `policies` are those that every certificate then has.
    """

    arranged: Arranged
    expected: dict[str, str]
    plan: JobPlan
    policies: tuple[str, ...] = ()


def worker(aws: Cloud) -> Worker:
    """The bulk function behind its queue."""

    def cold() -> Any:
        function = containers.bulk_work(aws)

        def invoke(event: Any, request_id: str, ends: float) -> Any:
            context: Any = type("Context", (), {"aws_request_id": request_id})()
            left = lambda: ends - aws.account.clock().timestamp()  # noqa: E731
            return function.run(dict(event), context, seconds_left=left)

        return invoke

    return Worker(
        aws,
        cold,
        queue=containers.WORK_QUEUE,
        dead_letters=containers.DEAD_LETTERS,
        hidden_seconds=6 * SHIFT.total_seconds(),
        receives=ATTEMPTS,
        seconds=SHIFT.total_seconds(),
    )


def jobs(aws: Cloud) -> Jobs:
    """The jobs as they stand in the table, past every fault."""
    return Jobs(aws.account.dynamodb.table)  # type: ignore[arg-type]


def begin(ordered: Ordered) -> tuple[Cloud, Worker]:
    """Order the job."""
    aws = ordered.arranged.begin()
    assert jobs(aws).create(JOB, ordered.plan, by="somebody", at=aws.account.clock())
    way = worker(aws)
    way.send(Shift(JOB, 1).to_json())
    aws.faults.end()
    return aws, way


def tell(ordered: Ordered, at: int, fault: Fault, *, lasting: bool) -> Told:
    """Tell a case: the call number `at` has the fault, for hours if it is lasting."""
    aws, way = begin(ordered)
    aws.faults.plan(at, fault, lasting=lasting)
    emptied = way.work(until=aws.account.clock() + OUTAGE)
    call = aws.faults.calls[at - 1]
    wrong = list(_judged_before(aws, emptied=emptied, lasting=lasting))
    aws.faults.end()
    _resume(aws, way)
    wrong += _judged(aws, ordered)
    wrong += way.errors
    return Told.of(at, call, fault, "lasting" if lasting else "once", wrong)


def _judged_before(aws: Cloud, *, emptied: bool, lasting: bool) -> Iterator[str]:
    job = jobs(aws).job(JOB)
    assert job is not None
    waits = bool(aws.account.sqs.queues.get(containers.WORK_QUEUE))
    letters = bool(aws.account.sqs.queues.get(containers.DEAD_LETTERS))
    if not lasting and (job.state is not JobState.DONE or not emptied or letters):
        yield f"I5: one fault, and the job is {job.state}, dead letters: {letters}"
    if lasting and job.state is JobState.RUNNING and not waits and not letters:
        yield "I5: the job is RUNNING, and nothing would ever go on with it"


def _resume(aws: Cloud, way: Worker) -> None:
    """Do what `jitr bulk resume` does with a job that is not done."""
    way.work()
    job = jobs(aws).job(JOB)
    assert job is not None
    if job.state is not JobState.DONE:
        shift = jobs(aws).resume(job, at=aws.account.clock())
        assert shift is not None
        way.send(Shift(JOB, shift).to_json())
        way.work()


def _judged(aws: Cloud, ordered: Ordered) -> Iterator[str]:
    watched = replace(ordered.arranged.watched, operators_word=True)
    yield from wrong_changes(aws.account, watched)
    yield from unsettled(aws.account)
    job = jobs(aws).job(JOB)
    assert job is not None
    if job.state is not JobState.DONE:
        yield f"I5: the job is {job.state}"
    if job.tally.seen != ordered.plan.total or job.tally.failed:
        yield f"I5: {job.tally} of {ordered.plan.total}"
    for each, expected in ordered.expected.items():
        certificate = aws.account.iot.certificates[each]
        if certificate.status != expected:
            yield f"I5: {certificate.status} instead of {expected}"
        if ordered.policies and tuple(certificate.policies) != ordered.policies:
            yield f"policies {certificate.policies}"
        if not certificate.policies and certificate.status == "ACTIVE":
            yield "I2: ACTIVE without a policy"


# Jobs


def _deployment() -> tuple[Cloud, Arranged, list[pki.Device]]:
    """Two devices that we activated, one that others did, one that an operator switched off, and one that waits.

    One of ours and the others' one are odd.
    """
    found = arranged()
    aws = found.begin()
    devices = [factory().issue(f"device-{n}", serial=100 + n, key=key()) for n in range(5)]
    for n, kind in ((1, "issuer as PrintableString"), (2, "critical FALSE written out")):
        devices[n] = odd_device(kind, factory(), 100 + n)
    for device in devices[:2]:
        deliver(aws, knock(aws, device))
    for device, status in zip(devices[2:], ("ACTIVE", "INACTIVE", "PENDING_ACTIVATION"), strict=True):
        aws.account.iot.connect(device, factory())
        aws.account.iot.certificates[device.certificate_id].status = status
        if status != "PENDING_ACTIVATION":
            aws.account.iot.certificates[device.certificate_id].policies = ["jitr-test_default"]
    return aws, found, devices


def _ordered(
    aws: Cloud, found: Arranged, devices: Sequence[pki.Device], ends: Sequence[str], kind: JobKind, **plan: Any
) -> Ordered:
    found.keep(aws)
    expected = {device.certificate_id: status for device, status in zip(devices, ends, strict=True)}
    return Ordered(found, expected, JobPlan(kind=kind, ca_certificate_id=factory().ca_certificate_id, total=5, **plan))


def switched_off() -> Ordered:
    """All of a CA's devices go INACTIVE."""
    return _ordered(*_deployment(), ["INACTIVE"] * 5, JobKind.REVOKE, wanted=INACTIVE)


def revoked_from_a_list() -> Ordered:
    """Listed devices are REVOKED."""
    aws, found, devices = _deployment()
    jobs(aws).put_list(JOB, [device.certificate_id for device in devices])
    return _ordered(aws, found, devices, ["REVOKED"] * 5, JobKind.REVOKE, wanted=REVOKED, list_of=JOB)


def _after(kind: JobKind, ends: Sequence[str], **plan: Any) -> Ordered:
    aws, found, devices = _deployment()
    first = JobPlan(kind=JobKind.REVOKE, ca_certificate_id=factory().ca_certificate_id, total=5, wanted=INACTIVE)
    jobs(aws).create("first", first, by="somebody", at=aws.account.clock())
    way = worker(aws)
    way.send(Shift("first", 1).to_json())
    assert way.work()
    return _ordered(aws, found, devices, ends, kind, follows="first", **plan)


def undone() -> Ordered:
    """What a job switched off comes back, and nothing else."""
    return _after(JobKind.UNDO, ["ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE", "INACTIVE"])


def confirmed() -> Ordered:
    """What a job switched off becomes REVOKED."""
    return _after(JobKind.CONFIRM, ["REVOKED"] * 5, wanted=REVOKED)


def reattached() -> Ordered:
    """Another policy in place of the old one."""
    aws, found, devices = _deployment()
    found.configuration = replace(
        found.configuration, policies={**found.configuration.policies, "new": found.configuration.policies["default"]}
    )
    document = aws.account.iot.policies["jitr-test_default"].document
    aws.client("iot").create_policy(policyName="jitr-test_new", policyDocument=document)
    ends = ["ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE", "PENDING_ACTIVATION"]
    ordered = _ordered(aws, found, devices, ends, JobKind.REATTACH, template="new", old_policy="jitr-test_default")
    ordered.policies = ("jitr-test_new",)
    return ordered


def imported() -> Ordered:
    """Devices that others activated get their rows."""
    ends = ["ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE", "PENDING_ACTIVATION"]
    return _ordered(*_deployment(), ends, JobKind.IMPORT)


JOBS: dict[str, Callable[[], Ordered]] = {
    each.__name__: each for each in (switched_off, revoked_from_a_list, undone, confirmed, reattached, imported)
}


def calls_of(ordered: Ordered) -> tuple[Call, ...]:
    """Return the calls until the job is done if nothing goes wrong."""
    aws, way = begin(ordered)
    assert way.work()
    calls = tuple(aws.faults.calls)
    assert list(_judged(aws, ordered)) == []
    return calls
