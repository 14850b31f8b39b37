"""The activation function as Lambda sees it: what it returns, raises, logs and counts."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from jitr.activation.queue import is_batch
from jitr.handlers import activate
from jitr.handlers.activate import ActivationHandler, UndecidedEvent, build_function
from jitr.settings import Environment, Mode, OnExistingThing
from jitr_local import pki
from tests.aws.aws_faults import CallLog, Killed, killed_after
from tests.aws.emf import follow_stdout, logged, written
from tests.worlds.deployment import CRL_KEY, ENVIRONMENT, TestDeployment


@pytest.fixture
def function(
    deployment: TestDeployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> ActivationHandler:
    """The function as its container builds it, with the strict AWS IoT in place of the real one."""
    real = boto3.Session.client

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        return deployment.iot_client if service == "iot" else real(session, service, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(boto3.Session, "client", client)
    function = build_function(deployment.configuration, ENVIRONMENT)
    # Loggers live as long as the process, and captured streams as long as a test: name the one that is captured now.
    for handler in logging.getLogger("jitr").handlers:
        monkeypatch.setattr(handler, "stream", Stdout())
    return function


class Stdout(io.StringIO):
    """Whatever stdout is when something is written."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)


def lines(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the one log line about how the event ended, and the counts that were written."""
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (log,) = (line for line in written if "step" in line)
    return log, [line for line in written if "_aws" in line]


def test_it_returns_the_contracted_keys(deployment: TestDeployment, function: ActivationHandler) -> None:
    """Other people's scripts read these four."""
    device = deployment.ca.issue()
    answer = function.run(deployment.iot.connect(device, deployment.ca), request_id="r")
    assert answer == {"certificate_id": device.certificate_id, "outcome": "activated", "reason": None, "step": 8}


def test_an_activation_is_logged_and_counted(
    deployment: TestDeployment, function: ActivationHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line with the certificate's id, one count for the outcome, dimensioned by deployment only."""
    device = deployment.ca.issue()
    function.run(deployment.iot.connect(device, deployment.ca), request_id="r-1")
    log, counts = lines(capsys)
    expected = {
        "certificate_id": device.certificate_id,
        "ca_certificate_id": deployment.ca.ca_certificate_id,
        "outcome": "activated",
        "step": 8,
        "request_id": "r-1",
    }
    assert {key: log[key] for key in expected} == expected
    (count,) = counts
    assert count["Activated"] == [1.0]
    assert count["deployment"] == "test"
    assert count["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "jitr"
    assert count["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["deployment"]]


def test_a_rejection_is_counted_by_reason(
    deployment: TestDeployment, function: ActivationHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that an alarm can tell forged certificates from revoked ones."""
    device = deployment.ca.issue(serial=7)
    deployment.publish(deployment.ca.crl([7]))
    answer = function.run(deployment.iot.connect(device, deployment.ca), request_id="r")
    assert (answer["outcome"], answer["reason"], answer["step"]) == ("rejected", "revoked", 5)
    _, counts = lines(capsys)
    assert [set(count) & {"Rejected", "NotActivated"} for count in counts] == [{"Rejected"}, {"NotActivated"}]
    assert counts[1]["reason"] == "revoked"


def test_an_undecided_event_is_raised_with_reason_and_step(
    deployment: TestDeployment, function: ActivationHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lambda retries what is raised; the text ends in the dead letter and can be read by machines."""
    deployment.s3.delete_object(Bucket="jitr-test-crl", Key=CRL_KEY)
    device = deployment.ca.issue()
    with pytest.raises(UndecidedEvent) as caught:
        function.run(deployment.iot.connect(device, deployment.ca), request_id="r")
    told = json.loads(str(caught.value))
    assert told["certificate_id"] == device.certificate_id
    assert (told["outcome"], told["reason"], told["step"]) == ("undecided", "no_crl", 5)
    assert "there is no CRL at s3://" in told["message"]
    log, counts = lines(capsys)
    assert (log["level"], log["reason"], log["step"]) == ("ERROR", "no_crl", 5)
    assert counts[0]["Undecided"] == [1.0]


def test_a_batch_is_answered_with_the_messages_that_come_back(
    deployment: TestDeployment, function: ActivationHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda tells batches from events by what they look like, and so does the handler."""
    monkeypatch.setattr(activate, "_function", lambda: function)
    sqs = boto3.client("sqs", region_name="us-east-1")
    url = sqs.create_queue(QueueName="activation")["QueueUrl"]
    queue = replace(function.batch.queue, url=url, dead_letters=url)
    monkeypatch.setattr(activate, "_function", lambda: replace(function, batch=replace(function.batch, queue=queue)))
    good, other = deployment.ca.issue("good"), deployment.ca.issue("other")
    for device in (good, other):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(deployment.iot.connect(device, deployment.ca)))
    deployment.iot.certificates.pop(other.certificate_id)
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
    records = [
        {
            "messageId": each["MessageId"],
            "receiptHandle": each["ReceiptHandle"],
            "body": each["Body"],
            "attributes": each["Attributes"],
            "eventSource": "aws:sqs",
        }
        for each in received
    ]
    context = SimpleNamespace(aws_request_id="r", get_remaining_time_in_millis=lambda: 45_000)
    answer = activate.handle({"Records": records}, context)  # type: ignore[arg-type]
    (lost,) = [each for each in received if other.certificate_id in each["Body"]]
    assert answer == {"batchItemFailures": [{"itemIdentifier": lost["MessageId"]}]}
    assert deployment.iot.status(good) == "ACTIVE"
    event = deployment.iot.connect(good, deployment.ca)
    assert activate.handle(event, context)["outcome"] == "already_decided"  # type: ignore[arg-type]


@pytest.mark.parametrize("event", [{}, {"Records": {}}, {"Records": [{"eventSource": "aws:s3"}]}, [], None])
def test_what_is_no_batch_is_taken_for_an_event(event: object) -> None:
    """And ends as a malformed one."""
    assert not is_batch(event)


def test_an_event_in_an_envelope_is_taken_out_of_it(deployment: TestDeployment, function: ActivationHandler) -> None:
    """Whoever invokes the function with a dead letter as it is means the event in it."""
    device = deployment.ca.issue()
    event = deployment.iot.connect(device, deployment.ca)
    letter = {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event}
    assert function.run(letter, request_id="r")["outcome"] == "activated"


def test_a_malformed_event_is_raised_without_repeating_it(
    function: ActivationHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hostile text reaches neither the log nor the dead letter's reason."""
    with pytest.raises(UndecidedEvent) as caught:
        function.run({"certificateId": "<script>", "caCertificateId": "${jndi}", "awsAccountId": "1"}, request_id="r")
    told = json.loads(str(caught.value))
    assert (told["certificate_id"], told["reason"], told["step"]) == (None, "malformed_event", 1)
    assert "script" not in str(caught.value)
    log, _ = lines(capsys)
    assert "jndi" not in json.dumps(log)
    assert "script" not in json.dumps(log)


@pytest.mark.parametrize("missing", ["JITR_ACCOUNT", "AWS_REGION", "JITR_STATE_TABLE", "JITR_CRL_BUCKET"])
def test_a_missing_environment_variable_is_named(missing: str) -> None:
    """A half-deployed function says what it lacks and activates nothing."""
    environ = {
        "JITR_ACCOUNT": "000000000000",
        "AWS_REGION": "us-east-1",
        "JITR_PARTITION": "aws",
        "JITR_STATE_TABLE": "t",
        "JITR_CRL_BUCKET": "b",
    }
    with pytest.raises(KeyError, match=missing):
        Environment.from_environ({**environ, missing: ""})


def test_importing_the_handler_makes_no_client_and_reads_no_settings() -> None:
    """Nothing happens at import: the settings are read, and the clients made, at the first event."""
    code = (
        "import boto3, sys\n"
        "boto3.Session.__init__ = lambda *a, **k: sys.exit('a session was made')\n"
        "import jitr.handlers.activate\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={}, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_deployment_that_only_observes_says_what_it_would_do_and_writes_nothing(
    deployment: TestDeployment,
    function: ActivationHandler,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Good, revoked and undecidable events alike: an outcome, a count, no exception."""
    del function
    observing = build_function(replace(deployment.configuration, mode=Mode.OBSERVE), ENVIRONMENT)
    for handler in logging.getLogger("jitr").handlers:
        monkeypatch.setattr(handler, "stream", Stdout())
    calls = CallLog(deployment.iot_client, deployment.dynamodb)
    good, revoked = deployment.ca.issue("good"), deployment.ca.issue("bad", serial=7)
    deployment.publish(deployment.ca.crl([7]))
    answers = [observing.run(deployment.iot.connect(each, deployment.ca), request_id="r") for each in (good, revoked)]
    assert [(each["outcome"], each["reason"]) for each in answers] == [("observed", None), ("observed", "revoked")]
    deployment.s3.delete_object(Bucket="jitr-test-crl", Key=CRL_KEY)
    answer = observing.run({"certificateId": "x"}, request_id="r")
    assert (answer["outcome"], answer["reason"]) == ("observed", "malformed_event")
    assert {deployment.iot.status(each) for each in (good, revoked)} == {"PENDING_ACTIVATION"}
    assert set(calls.calls) <= {"DescribeCertificate", "DescribeCACertificate"}
    assert deployment.row(good) is None
    assert deployment.row(revoked) is None
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum("Observed" in line for line in written) == 3


def test_a_device_that_lost_its_thing_to_a_newer_certificate_has_a_line(
    deployment: TestDeployment,
    monkeypatch: pytest.MonkeyPatch,
    function: ActivationHandler,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The event was the successor's; the old certificate is found by its own id all the same."""
    del function
    deployment.configure(on_existing_thing=OnExistingThing.REPLACE)
    replacing = build_function(deployment.configuration, ENVIRONMENT)
    follow_stdout(monkeypatch)
    old, new = (deployment.ca.issue("device-1", not_before=pki.now() - n * pki.DAY) for n in (5, 1))
    for device in (old, new):
        replacing.run(deployment.iot.connect(device, deployment.ca), request_id="r")
    told = [line for line in logged(written(capsys)) if line.get("certificate_id") == old.certificate_id]
    # Its connection may be the successor's, by the same Thing: AWS IoT ends it, within some minutes.
    assert [line["outcome"] for line in told] == ["began", "activated", "switched_off", "connection_spared"]
    off = told[2]
    assert (off["reason"], off["status"]) == ("replaced", "INACTIVE")
    assert new.certificate_id in off["message"]


def test_an_event_has_a_line_before_anything_is_done(
    deployment: TestDeployment, function: ActivationHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """A function that Lambda kills says nothing more; the request id leads to Lambda's report."""
    device = deployment.ca.issue()
    event = deployment.iot.connect(device, deployment.ca)
    with killed_after(deployment.iot_client, "DescribeCertificate"), pytest.raises(Killed):
        function.run(event, request_id="r-7")
    (told,) = logged(written(capsys))
    assert (told["certificate_id"], told["outcome"], told["request_id"]) == (device.certificate_id, "began", "r-7")


def test_how_long_a_device_waited_is_measured(
    deployment: TestDeployment, function: ActivationHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the registration, which was its first connect."""
    device = deployment.ca.issue()
    event = deployment.iot.connect(device, deployment.ca)
    deployment.iot.certificates[device.certificate_id].registered_at = pki.now() - timedelta(hours=2)
    function.run(event, request_id="r")
    log, (count,) = lines(capsys)
    (waited,) = count["ActivationSeconds"]
    assert 7000 < waited == log["waited_seconds"]
