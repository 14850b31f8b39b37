"""The bulk function as Lambda calls it: batches, partial failures, time shared among the shifts of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from jitr.aws.lending import Part
from jitr.aws.state_table import StateTable
from jitr.bulk.job import JobKind, JobState
from jitr.bulk.queue import ATTEMPTS, Shift, WorkQueue
from jitr.bulk.work import RESERVED_SECONDS
from jitr.errors import Undecided
from jitr.handlers import bulk as handler
from jitr.handlers.bulk import BulkHandler, build_function
from tests.aws.aws_faults import failing, refusing
from tests.aws.fake_iot import REGION
from tests.worlds import odd_certificates as odd
from tests.worlds.bulk import BulkDeployment
from tests.worlds.deployment import ENVIRONMENT, TestDeployment


@dataclass
class Context:
    """What Lambda says about the invocation."""

    aws_request_id: str = "request-1"
    milliseconds: int = 600_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


@pytest.fixture
def bulk(deployment: TestDeployment) -> BulkDeployment:
    """Bulk work on the deployment."""
    return BulkDeployment(deployment)


@pytest.fixture
def queue(deployment: TestDeployment) -> WorkQueue:
    """The work queue, on moto."""
    client = boto3.client("sqs", region_name=REGION)
    return WorkQueue(client, client.create_queue(QueueName="work")["QueueUrl"])


@pytest.fixture
def function(bulk: BulkDeployment, queue: WorkQueue, monkeypatch: pytest.MonkeyPatch) -> BulkHandler:
    """The function as a cold container builds it, with the strict AWS IoT behind its client."""
    real = boto3.Session.client

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        return bulk.deployment.iot_client if service == "iot" else real(session, service, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(boto3.Session, "client", client)
    monkeypatch.setattr("jitr.handlers.clients.time.sleep", lambda seconds: None)
    return build_function(bulk.deployment.configuration, ENVIRONMENT, queue.url)


def record(number: int, body: str, *, attempt: int = 1) -> dict[str, Any]:
    """A message as Lambda hands it over."""
    return {
        "messageId": f"message-{number}",
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(attempt)},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:work",
        "awsRegion": REGION,
    }


def run(function: BulkHandler, *records: dict[str, Any], milliseconds: int = 600_000) -> list[str]:
    """Invoke the function, and return the messages that come back."""
    context: Any = Context(milliseconds=milliseconds)
    answer = function.run({"Records": list(records)}, context, seconds_left=lambda: context.milliseconds / 1000)
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def test_a_batch_of_several_jobs_is_done(bulk: BulkDeployment, function: BulkHandler) -> None:
    """Each message is a shift of its own."""
    devices = bulk.devices(2)
    for n, device in enumerate(devices):
        bulk.create(f"job-{n}", bulk.plan(list_of=f"job-{n}", total=1), [device])
    assert run(function, *(record(n, Shift(f"job-{n}", 1).to_json()) for n in range(2))) == []
    assert bulk.statuses(devices) == ["INACTIVE"] * 2
    assert [bulk.job(f"job-{n}").state for n in range(2)] == [JobState.DONE] * 2


def test_only_the_shift_that_failed_comes_back(bulk: BulkDeployment, function: BulkHandler) -> None:
    """A message that is none of ours fails as well, and does not keep the others."""
    (device,) = bulk.devices(1)
    bulk.create("good", bulk.plan())
    bulk.create("bad", bulk.plan(wanted=None))
    back = run(
        function,
        record(1, Shift("bad", 1).to_json()),
        record(2, "nonsense"),
        record(3, Shift("good", 1).to_json()),
    )
    assert back == ["message-1", "message-2"]
    assert bulk.statuses([device]) == ["INACTIVE"]
    assert bulk.job("bad").state is JobState.RUNNING


def test_if_all_fail_all_come_back_and_the_function_does_not(bulk: BulkDeployment, function: BulkHandler) -> None:
    """An error of the function's would look like a crash."""
    assert run(function, record(1, "nonsense")) == ["message-1"]


def test_the_last_attempt_says_so(bulk: BulkDeployment, function: BulkHandler) -> None:
    """By the number of deliveries that SQS counts."""
    bulk.devices(1)
    bulk.create("job", bulk.plan())
    with failing(bulk.deployment.iot_client, "DescribeCertificate", "ThrottlingException"):
        run(function, record(1, Shift("job", 1).to_json(), attempt=ATTEMPTS - 1))
        assert bulk.job("job").state is JobState.RUNNING
        run(function, record(1, Shift("job", 1).to_json(), attempt=ATTEMPTS))
    assert bulk.job("job").state is JobState.FAILED


def test_the_next_shift_is_sent_to_the_queue(bulk: BulkDeployment, function: BulkHandler, queue: WorkQueue) -> None:
    """The time is over before the work is."""
    bulk.devices(1)
    bulk.create("job", bulk.plan())
    assert run(function, record(1, Shift("job", 1).to_json()), milliseconds=1000) == []
    (message,) = queue.client.receive_message(QueueUrl=queue.url)["Messages"]
    assert Shift.parse(message["Body"]) == Shift("job", 2)


def test_shifts_share_the_time_of_a_batch(bulk: BulkDeployment, function: BulkHandler) -> None:
    """The first of two gets half of what is left above the reserve, the second one all of the rest."""
    left = 600.0
    shares = []

    class Work:
        """Uses up all it is given."""

        def take(self, *_: Any, seconds_left: Any, **__: Any) -> Any:
            nonlocal left
            shares.append(seconds_left() - RESERVED_SECONDS)
            left -= shares[-1]
            raise Undecided("internal", "over")  # type: ignore[arg-type]

    object.__setattr__(function, "work", Work())
    context: Any = Context()
    records = [record(n, Shift("job", n).to_json()) for n in (1, 2)]
    function.run({"Records": records}, context, seconds_left=lambda: left)
    assert shares == [210.0, 210.0]


def test_a_shift_is_one_line_of_the_log(
    bulk: BulkDeployment, function: BulkHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """Which job, how far, and for a failure why."""
    caplog.set_level("INFO")
    bulk.devices(1)
    bulk.create("job", bulk.plan())
    run(function, record(1, Shift("job", 1).to_json()))
    line = vars(caplog.records[-1])
    assert (line["job"], line["outcome"], line["done"], line["total"]) == ("job", "done", 1, 1)
    run(function, record(1, "nonsense"))
    line = vars(caplog.records[-1])
    assert (line["job"], line["outcome"], line["reason"], line["levelname"]) == (None, "failed", "internal", "ERROR")


def test_each_device_of_a_job_is_a_line_of_the_log(
    bulk: BulkDeployment, function: BulkHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """What was done, and what could not be; so that its certificate id finds it."""
    caplog.set_level("INFO")
    good, bad = bulk.devices(2)
    bulk.create("job", bulk.plan())
    refusal = ClientError(
        {
            "Error": {"Code": "InvalidRequestException", "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": 400},  # type: ignore[typeddict-item]
        },
        "UpdateCertificate",
    )
    with refusing(bulk.deployment.iot_client, "UpdateCertificate", bad.certificate_id, refusal):
        run(function, record(1, Shift("job", 1).to_json()))
    told = {line["certificate_id"]: line for line in map(vars, caplog.records) if line.get("certificate_id")}
    assert told.keys() == {good.certificate_id, bad.certificate_id}
    line = told[good.certificate_id]
    assert (line["outcome"], line["job"], line["kind"], line["wanted"]) == ("done", "job", "revoke", "INACTIVE")
    assert (told[bad.certificate_id]["outcome"], told[bad.certificate_id]["reason"]) == ("failed", "aws_refused")


def test_an_import_in_the_account_names_what_nobody_can_read(
    bulk: BulkDeployment, function: BulkHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for what was imported, and one more for what is wrong with it."""
    caplog.set_level("INFO")
    (readable,) = bulk.devices(1)
    unreadable = odd.unreadable_device(odd.WITHOUT_SERIAL, bulk.deployment.ca)
    bulk.deployment.iot.connect(unreadable, bulk.deployment.ca)
    bulk.deployment.iot.certificates[unreadable.certificate_id].status = "ACTIVE"
    bulk.create("job", bulk.plan(JobKind.IMPORT))
    run(function, record(1, Shift("job", 1).to_json()))
    told = [(each.certificate_id, each.outcome) for each in caplog.records if getattr(each, "certificate_id", None)]  # type: ignore[attr-defined]
    assert sorted(told) == sorted(
        [
            (readable.certificate_id, "done"),
            (unreadable.certificate_id, "done"),
            (unreadable.certificate_id, "unreadable"),
        ]
    )


def test_a_shift_that_fails_at_a_device_names_it(
    bulk: BulkDeployment, function: BulkHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """It would fail at the next one too, but this is where it stood."""
    (device,) = bulk.devices(1)
    bulk.create("job", bulk.plan())
    with failing(bulk.deployment.iot_client, "DescribeCertificate", "ThrottlingException"):
        run(function, record(1, Shift("job", 1).to_json()))
    line = vars(caplog.records[-1])
    assert (line["certificate_id"], line["reason"]) == (device.certificate_id, "throttled")


def test_the_share_is_the_configurations(bulk: BulkDeployment, function: BulkHandler) -> None:
    """The pace is made of what was deployed."""
    task_of: Any = function.work.task_of
    pace = task_of.__self__.pace
    configuration = bulk.deployment.configuration
    assert pace.part is Part.BULK
    assert pace.line.allotment.guaranteed == {
        Part.ACTIVATION: configuration.activation_tps,
        Part.ENFORCEMENT: configuration.enforcement_tps,
        Part.BULK: configuration.bulk_tps,
    }
    assert pace.line.table == StateTable(pace.line.table.client, ENVIRONMENT.state_table)


def test_lambda_calls_what_the_function_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry point hands over event, context and the time that is left."""
    seen: list[Any] = []

    class Fake:
        """Remembers."""

        def run(self, event: Any, context: Any, *, seconds_left: Any) -> str:
            seen.append((event, seconds_left()))
            return "answer"

    monkeypatch.setattr(handler, "_function", Fake)
    context: Any = Context()
    assert handler.handle({"Records": []}, context) == "answer"
    assert seen == [({"Records": []}, 600.0)]
