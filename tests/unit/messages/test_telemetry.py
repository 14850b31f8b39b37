"""What the functions say: every line about a device has its certificate id, every metric its name, unit and figures."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from jitr.aws.call_counts import CallCounts
from jitr.aws.failures import aws_call
from jitr.errors import Outcome, Reason, Undecided
from jitr.messages.result import Progress
from jitr.registry.notes import DeviceNote
from jitr.telemetry import metric_names
from jitr.telemetry.activation import ActivationTelemetry
from tests.aws.emf import everything, follow_stdout, logged, metrics, written
from tests.aws.fake_iot import REGION

ID = "a" * 64
DESCRIBED = {"certificateDescription": {"certificateId": ID}}
THROTTLED = "ThrottlingException"


class _Raw:
    """The body of an answer as urllib3 would hand it over."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Any:
        yield self._body


def answering(*answers: str) -> Any:
    """Return a real client whose network gives these answers in turn: an error code, or "" for a description."""
    client = boto3.client(
        "iot",
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard", "total_max_attempts": 4}),
    )
    left = list(answers)

    def answer(request: Any, **_: Any) -> Any:
        code = left.pop(0)
        if code == "nobody":
            raise EndpointConnectionError(endpoint_url=request.url)
        headers: Any = {"x-amzn-ErrorType": code} if code else {}
        body = json.dumps({"message": code} if code else DESCRIBED).encode()
        return AWSResponse(request.url, 400 if code else 200, headers, _Raw(body))

    client.meta.events.register("before-send.iot.*", answer)
    return client


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore repeat at once."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.mark.usefixtures("no_waiting")
class TestCallCounts:
    """Requests to AWS IoT, counted below botocore's retries."""

    def test_what_botocore_repeats_with_success_is_counted(self) -> None:
        """Nobody else would ever see these two."""
        client = answering(THROTTLED, THROTTLED, "", "")
        counts = CallCounts.of(client)
        client.describe_certificate(certificateId=ID)
        client.describe_certificate(certificateId=ID)
        spent = counts.take()
        assert (spent.requests, spent.throttled) == (4, {"DescribeCertificate": 2})

    def test_a_call_that_fails_for_good_is_counted_too(self) -> None:
        """Four attempts, all throttled."""
        client = answering(*[THROTTLED] * 4)
        counts = CallCounts.of(client)
        with pytest.raises(ClientError):
            client.update_certificate(certificateId=ID, newStatus="ACTIVE")
        spent = counts.take()
        assert (spent.requests, spent.throttled) == (4, {"UpdateCertificate": 4})

    def test_other_errors_and_no_answer_are_requests_and_no_throttling(self) -> None:
        """Refused for another reason, then nobody there, then well."""
        client = answering("UnauthorizedException", "nobody", "")
        counts = CallCounts.of(client)
        with pytest.raises(ClientError):
            client.describe_certificate(certificateId=ID)
        client.describe_certificate(certificateId=ID)
        spent = counts.take()
        assert (spent.requests, spent.throttled) == (3, {})

    def test_looking_begins_anew(self) -> None:
        """Each report has its own requests."""
        client = answering(THROTTLED, "")
        counts = CallCounts.of(client)
        client.describe_certificate(certificateId=ID)
        counts.take()
        assert counts.take() == CallCounts().take()


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> ActivationTelemetry:
    """Real telemetry whose client was throttled once."""
    calls = CallCounts()
    made = ActivationTelemetry.create("test", calls)
    follow_stdout(monkeypatch)
    calls.answered(event_name="response-received.iot.AttachPolicy", parsed_response={"Error": {"Code": THROTTLED}})
    calls.answered(event_name="response-received.iot.AttachPolicy", parsed_response={})
    return made


def test_an_activation_says_how_long_the_device_waited_and_what_was_throttled(
    telemetry: ActivationTelemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the line, and as figures beside the count."""
    result = Progress(certificate_id=ID, waited_seconds=90.5).result(Outcome.ACTIVATED, None, "done")
    telemetry.ended(result, request_id="r")
    lines = written(capsys)
    (log,) = logged(lines)
    assert (log["certificate_id"], log["waited_seconds"], log["throttled"]) == (ID, 90.5, {"AttachPolicy": 1})
    (figures,) = [line for line in lines if "_aws" in line]
    values = {name: value for name, value in figures.items() if isinstance(value, list)}
    assert values == {
        "Activated": [1.0],
        "ActivationSeconds": [90.5],
        "IotRequests": [2.0],
        "ThrottledRequests": [1.0],
    }
    units = {each["Name"]: each["Unit"] for each in figures["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert (units["Activated"], units["ActivationSeconds"]) == ("Count", "Seconds")


def refused(operation: str, code: str) -> Undecided:
    """Return what becomes of a call that AWS refused."""
    with pytest.raises(Undecided) as caught, aws_call(operation):
        raise ClientError({"Error": {"Code": code}}, operation)
    return caught.value


@pytest.mark.parametrize(
    ("error", "throttled"),
    [
        (refused("AttachPolicy", THROTTLED), 1.0),
        (refused("UpdateItem", "ProvisionedThroughputExceededException"), 0.0),
        (refused("GetObject", "SlowDown"), 0.0),
        (refused("AttachPolicy", "InternalFailureException"), 0.0),
        (Undecided(Reason.THROTTLED, "without a call"), 0.0),
        (Undecided(Reason.NO_CRL, "later"), 0.0),
    ],
    ids=["AWS IoT", "state table", "S3", "AWS IoT, for another reason", "nobody was asked", "no CRL"],
)
def test_an_undecided_event_says_whether_aws_iots_throttling_held_it_up(
    telemetry: ActivationTelemetry, capsys: pytest.CaptureFixture[str], error: Undecided, throttled: float
) -> None:
    """The alarm takes the one figure from the other, so both are in one line, always.

    AWS IoT throttled a call in each case; what counts is which call the event failed at.
    """
    telemetry.undecided(error, ca_certificate_id=None, age_seconds=None, request_id="r")
    (figures,) = [line for line in written(capsys) if "Undecided" in line]
    assert (figures["Undecided"], figures["UndecidedThrottled"]) == ([1.0], [throttled])


def test_an_event_that_has_to_wait_says_since_when(
    telemetry: ActivationTelemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    """Undecided or put back, in the line's own figures; one that does not say it is no figure, and no zero."""
    telemetry.undecided(Undecided(Reason.NO_CRL, "m"), ca_certificate_id=None, age_seconds=4000.5, request_id="r")
    telemetry.put_back(2, age_seconds=7.0, request_id="r")
    telemetry.put_back(1, age_seconds=None, request_id="r")
    lines = written(capsys)
    assert [line.get("EventAgeSeconds") for line in lines if "Undecided" in line or "PutBack" in line] == [
        [4000.5],
        [7.0],
        None,
    ]
    assert [line["age_seconds"] for line in logged(lines) if line["outcome"] == "undecided"] == [4000.5]


def test_nothing_asked_of_aws_iot_is_no_figure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share of nothing would be no share."""
    made = ActivationTelemetry.create("test")
    follow_stdout(monkeypatch)
    made.ended(Progress(certificate_id=ID).result(Outcome.UNMANAGED_CA, None, "not ours"), request_id="r")
    assert not [line for line in written(capsys) if "IotRequests" in line]


def test_a_note_is_found_by_the_certificate_whatever_its_details_say(
    telemetry: ActivationTelemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    """Details never hide whom the line is about."""
    note = DeviceNote(
        certificate_id=ID, outcome="switched_off", reason=Reason.REPLACED, message="m", details={"certificate_id": "x"}
    )
    telemetry.noted(note)
    (log,) = logged(written(capsys))
    assert (log["certificate_id"], log["outcome"], log["reason"]) == (ID, "switched_off", "replaced")


def test_figures_of_a_ca_are_there_for_the_ca_and_for_the_deployment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarm watches all CAs, the dashboard shows each."""
    found = {(each.name, each.dimensions) for each in metrics(everything(capsys, monkeypatch))}
    for name in (metric_names.CRL_AGE_SECONDS, metric_names.CRL_LIFE_PASSED, metric_names.CA_DAYS_LEFT):
        assert {dimensions for each, dimensions in found if each == name} == {
            frozenset({"deployment"}),
            frozenset({"deployment", "ca"}),
        }


def test_every_metric_that_has_a_name_is_written_and_no_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are written once, in one module."""
    dimensions = {"NAMESPACE", "DEPLOYMENT_DIMENSION", "REASON_DIMENSION", "CA_DIMENSION"}
    named = {value for name, value in vars(metric_names).items() if name.isupper() and isinstance(value, str)} - {
        getattr(metric_names, name) for name in dimensions
    }
    named |= set(metric_names.OUTCOME_METRICS.values())
    assert {each.name for each in metrics(everything(capsys, monkeypatch))} == named


def test_no_dimension_has_an_id(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudWatch bills each combination of dimensions as a metric of its own."""
    lines = everything(capsys, monkeypatch)
    assert set().union(*(each.dimensions for each in metrics(lines))) == {"deployment", "reason", "ca"}
    assert not [line for line in lines if "_aws" in line and ID in json.dumps(line)]
