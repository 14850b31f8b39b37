"""The roll-out function as CloudFormation sees it: whatever happens there is one answer, and it is the right one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from jitr.handlers import roll_out
from jitr.handlers.custom_resources import RESERVED_SECONDS
from jitr.handlers.roll_out import RolloutFailed, RollOutHandler, build_function
from jitr.messages.custom_resource import PAUSE_SECONDS, TRIES, AnswerFailedError, Answers, ResourceRequest
from jitr.settings import Configuration, Environment
from tests.aws.aws_faults import failing
from tests.aws.cloudformation import CloudFormation
from tests.aws.fake_iot import ACCOUNT, REGION, FakeIot

ENVIRONMENT = Environment(account=ACCOUNT, region=REGION, partition="aws", state_table="t", crl_bucket="b")
PLENTY = 300.0


def policy(topic: str) -> str:
    """A document that allows publishing to a topic."""
    statement = {"Effect": "Allow", "Action": "iot:Publish", "Resource": topic}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def request(
    cloudformation: CloudFormation, kind: str, documents: dict[str, str] | None = None, **different: Any
) -> dict[str, Any]:
    """An event about policies."""
    policies = [{"Name": name, "Document": text} for name, text in (documents or {}).items()]
    return cloudformation.event(kind, "Custom::JitrPolicies", {"Policies": policies}, **different)


@pytest.fixture
def iot() -> FakeIot:
    """An account."""
    return FakeIot()


@pytest.fixture
def function(iot: FakeIot, monkeypatch: pytest.MonkeyPatch) -> Iterator[RollOutHandler]:
    """The function as its container builds it, with the strict AWS IoT in place of the real one."""
    client = iot.client()
    monkeypatch.setattr(boto3.Session, "client", lambda *_, **__: client)
    templates = {"default": policy("@{region}/x"), "own": policy("@{device.serial}")}
    configuration = Configuration(deployment="test", policies=templates, enforcement_tps=1000.0)
    built = replace(build_function(configuration, ENVIRONMENT), sleep=lambda _: None, answers=Answers(anywhere=True))
    yield built
    built.answers.http.clear()


def run(function: RollOutHandler, event: object, *, seconds_left: float = PLENTY) -> dict[str, Any]:
    """Let the function handle an event."""
    return function.run(event, seconds_left=lambda: seconds_left)


def test_a_first_deploy_creates_the_policies_and_says_so(
    function: RollOutHandler, cloudformation: CloudFormation, iot: FakeIot
) -> None:
    """With the ids of the request, as CloudFormation wants them back."""
    answer = run(function, request(cloudformation, "Create", {"jitr-test_a": policy("a")}))
    assert answer == {"policies": {"jitr-test_a": "created"}, "failure": None}
    assert iot.policies["jitr-test_a"].document == policy("a")
    assert cloudformation.answers == [
        {
            "Status": "SUCCESS",
            "Reason": "",
            "PhysicalResourceId": "Resource0",
            "StackId": "arn:aws:cloudformation:us-east-1:000000000000:stack/test/1",
            "RequestId": "request-1",
            "LogicalResourceId": "Resource0",
        }
    ]


def test_the_answer_has_no_content_type(function: RollOutHandler, cloudformation: CloudFormation) -> None:
    """The URL is signed without one; S3 refuses any other."""
    run(function, request(cloudformation, "Create", {}))
    assert cloudformation.content_types == [""]


def test_an_update_changes_what_means_something_else_and_keeps_the_id(
    function: RollOutHandler, cloudformation: CloudFormation, iot: FakeIot
) -> None:
    """Another physical id would make CloudFormation delete "the old one"."""
    run(function, request(cloudformation, "Create", {"jitr-test_a": policy("a"), "jitr-test_b": policy("b")}))
    reformatted = json.dumps(json.loads(policy("b")), indent=2)
    answer = run(function, request(cloudformation, "Update", {"jitr-test_a": policy("A"), "jitr-test_b": reformatted}))
    assert answer["policies"] == {"jitr-test_a": "updated", "jitr-test_b": "unchanged"}
    assert iot.policies["jitr-test_a"].document == policy("A")
    assert cloudformation.answers[1]["PhysicalResourceId"] == "what-was-answered-first"


def test_a_malformed_document_fails_the_deploy_and_its_rollback_brings_the_old_meaning_back(
    function: RollOutHandler, cloudformation: CloudFormation, iot: FakeIot
) -> None:
    """CloudFormation then sends an update with the old properties; the new bundle's templates do not matter."""
    before = {"jitr-test_a": policy("a"), "jitr-test_b": policy("b")}
    run(function, request(cloudformation, "Create", before))
    after = {"jitr-test_a": policy("A"), "jitr-test_b": policy("B").replace("Allow", "Permit")}
    answer = run(function, request(cloudformation, "Update", after))
    assert answer["policies"] == {"jitr-test_a": "updated"}
    assert cloudformation.answers[1]["Status"] == "FAILED"
    assert cloudformation.answers[1]["Reason"] == (
        "AWS IoT refuses policy jitr-test_b: MalformedPolicyException: Policy document is Malformed"
        " (policy_unusable: see docs/runbook.md)"
    )
    answer = run(function, request(cloudformation, "Update", before))
    assert answer["policies"] == {"jitr-test_a": "updated", "jitr-test_b": "unchanged"}
    assert {name: found.document for name, found in iot.policies.items()} == before


def test_a_delete_leaves_the_policies(function: RollOutHandler, cloudformation: CloudFormation, iot: FakeIot) -> None:
    """Devices depend on them; no call is made."""
    run(function, request(cloudformation, "Create", {"jitr-test_a": policy("a")}))
    iot.calls.clear()
    run(function, request(cloudformation, "Delete", {"jitr-test_a": policy("a")}))
    assert cloudformation.answers[1]["Status"] == "SUCCESS"
    assert iot.calls == []
    assert set(iot.policies) == {"jitr-test_a"}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ThrottlingException", "throttled"),
        ("AccessDeniedException", "access_denied"),
        ("InternalFailure", "aws_refused"),
    ],
)
def test_a_failing_aws_call_fails_the_deploy_with_its_reason_code(
    function: RollOutHandler, cloudformation: CloudFormation, code: str, reason: str
) -> None:
    """The code has a section in the runbook."""
    with failing(function.registry.client, "GetPolicy", code):
        run(function, request(cloudformation, "Create", {"jitr-test_a": policy("a")}))
    assert cloudformation.answers[0]["Status"] == "FAILED"
    assert f"({reason}: see docs/runbook.md)" in cloudformation.answers[0]["Reason"]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_a_refusal_that_passes_fails_no_deploy(
    function: RollOutHandler, cloudformation: CloudFormation, iot: FakeIot, code: str
) -> None:
    """IAM knows the permissions of a role that was made a moment ago some seconds later."""
    pauses: list[float] = []
    refusal = failing(function.registry.client, "GetPolicy", code)
    refusal.__enter__()

    def passes(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == TRIES - 1:
            refusal.__exit__(None, None, None)

    run(replace(function, sleep=passes), request(cloudformation, "Create", {"jitr-test_a": policy("a")}))
    assert cloudformation.answers[0]["Status"] == "SUCCESS"
    assert set(iot.policies) == {"jitr-test_a"}
    assert sum(pauses) == 60


def test_a_refusal_that_stays_fails_the_deploy_in_time(
    function: RollOutHandler, cloudformation: CloudFormation
) -> None:
    """Waiting ends as soon as it has reached into the time that is kept for the last call and the answer."""
    left = [PLENTY]

    def passes(seconds: float) -> None:
        left[0] -= 5 * seconds

    waiting = replace(function, sleep=passes)
    with failing(function.registry.client, "GetPolicy", "AccessDeniedException"):
        waiting.run(request(cloudformation, "Create", {"a": policy("a")}), seconds_left=lambda: left[0])
    assert cloudformation.answers[0]["Status"] == "FAILED"
    assert "the time is over" in cloudformation.answers[0]["Reason"]
    assert RESERVED_SECONDS - 5 * PAUSE_SECONDS <= left[0] < RESERVED_SECONDS


@pytest.mark.parametrize(
    "properties", [{}, {"Policies": "text"}, {"Policies": [{"Name": "x"}]}, {"Policies": 1}, {"Policies": None}, "text"]
)
def test_properties_that_are_not_ours_are_answered_too(
    function: RollOutHandler, cloudformation: CloudFormation, properties: Any
) -> None:
    """An exception is no reason to let CloudFormation wait."""
    run(function, request(cloudformation, "Update", ResourceProperties=properties))
    (answer,) = cloudformation.answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("unexpected ")


def test_before_the_time_is_over_the_function_gives_up_and_answers(
    function: RollOutHandler, cloudformation: CloudFormation, iot: FakeIot
) -> None:
    """No call begins that might not end in time, and the answer keeps its share of it."""
    answer = run(
        function, request(cloudformation, "Create", {"jitr-test_a": policy("a")}), seconds_left=RESERVED_SECONDS - 1
    )
    assert iot.calls == []
    assert "the time is over" in answer["failure"]
    assert cloudformation.answers[0]["Status"] == "FAILED"


def test_a_function_that_cannot_begin_answers_too(
    cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle without configuration, a missing variable: the deploy fails at once, not after twenty minutes."""

    def broken() -> RollOutHandler:
        raise KeyError("JITR_ACCOUNT")

    monkeypatch.setattr(roll_out, "_function", broken)
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloudformation.url)
    with pytest.raises(KeyError, match="JITR_ACCOUNT"):
        roll_out.handle(request(cloudformation, "Create", {}), None)  # type: ignore[arg-type]
    # A stack can be deleted all the same: there is nothing to do.
    roll_out.handle(request(cloudformation, "Delete", {}), None)  # type: ignore[arg-type]
    assert [answer["Status"] for answer in cloudformation.answers] == ["FAILED", "SUCCESS"]


class Requests:
    """A pool that notes where it is sent to."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    def request(self, _method: str, address: str, **_options: Any) -> SimpleNamespace:
        """Take a request."""
        self.addresses.append(address)
        return SimpleNamespace(status=200)


@pytest.mark.parametrize(
    "address",
    [
        "https://bucket.s3.eu-west-1.amazonaws.com/object?Signature=secret",
        "https://bucket.s3.cn-north-1.amazonaws.com.cn/object?Signature=secret",
    ],
)
def test_an_address_of_awss_is_answered(cloudformation: CloudFormation, address: str) -> None:
    """In China too."""
    pool = Requests()
    parsed = ResourceRequest.parse(request(cloudformation, "Create", {}, ResponseURL=address))
    Answers(http=pool, anywhere=False).send(parsed, failure=None)  # type: ignore[arg-type]
    assert pool.addresses == [address]


@pytest.mark.parametrize(
    "address",
    [
        "http://bucket.s3.amazonaws.com/?Signature=secret",
        "https://example.com/?Signature=secret",
        "https://amazonaws.com.example.com/?Signature=secret",
        "https://evilamazonaws.com/?Signature=secret",
        "https://example.com\\@bucket.s3.amazonaws.com/?Signature=secret",
        "https://example.com#.amazonaws.com/?Signature=secret",
        "https://[::1/?Signature=secret",
        "https://bucket.s3.amazonaws.com:port/?Signature=secret",
        "file:///etc/passwd?Signature=secret",
        "Signature=secret",
        "",
    ],
)
def test_no_other_address_is_answered(cloudformation: CloudFormation, address: str) -> None:
    """Whoever may invoke the function cannot make it send something elsewhere."""
    pool = Requests()
    parsed = ResourceRequest.parse(request(cloudformation, "Create", {}, ResponseURL=address))
    with pytest.raises(AnswerFailedError) as caught:
        Answers(http=pool, anywhere=False).send(parsed, failure=None)  # type: ignore[arg-type]
    assert pool.addresses == []
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "text", "https://[::1/", "http://a:port/", "http://\x00/", "ftp://127.0.0.1/"])
def test_an_emulators_address_that_is_none_is_an_answer_that_failed(
    cloudformation: CloudFormation, address: str
) -> None:
    """And nothing else, whatever the client makes of it."""
    parsed = ResourceRequest.parse(request(cloudformation, "Create", {}, ResponseURL=address))
    with pytest.raises(AnswerFailedError):
        Answers(anywhere=True).send(parsed, failure=None)


def test_an_answer_is_sent_again_when_the_bucket_stumbles(
    function: RollOutHandler, cloudformation: CloudFormation
) -> None:
    """Once is not enough to rely on."""
    cloudformation.statuses += [503, 500]
    run(function, request(cloudformation, "Create", {}))
    assert len(cloudformation.answers) == 1


@pytest.mark.parametrize("status", [403, 503])
def test_an_answer_that_is_not_taken_is_raised(
    function: RollOutHandler, cloudformation: CloudFormation, status: int
) -> None:
    """Lambda then invokes the function again: it finds everything done, and answers again. The URL is not repeated."""
    cloudformation.statuses += [status] * 10
    with pytest.raises(AnswerFailedError) as caught:
        run(function, request(cloudformation, "Create", {"jitr-test_a": policy("a")}))
    assert "Signature" not in str(caught.value)
    cloudformation.statuses.clear()
    answer = run(function, request(cloudformation, "Create", {"jitr-test_a": policy("a")}))
    assert answer["policies"] == {"jitr-test_a": "unchanged"}
    assert len(cloudformation.answers) == 1


def test_an_address_where_nobody_listens_is_raised_without_repeating_it(function: RollOutHandler) -> None:
    """The address is as good as a password."""
    event = request(CloudFormation(url="http://127.0.0.1:9/?Signature=secret"), "Create", {})
    with pytest.raises(AnswerFailedError) as caught:
        run(function, event)
    assert "secret" not in f"{caught.value}{caught.value.__cause__}"


def test_an_answer_fits_into_what_cloudformation_reads(
    function: RollOutHandler, cloudformation: CloudFormation
) -> None:
    """4,096 bytes for the whole of it, however long AWS's reason is and whatever it is written in."""
    parsed = ResourceRequest.parse(request(cloudformation, "Update", {}))
    function.answers.send(parsed, failure="ä" * 10_000)
    assert len(json.dumps(cloudformation.answers[0]).encode()) < 4096


def test_an_operator_rolls_out_the_bundles_templates(function: RollOutHandler, iot: FakeIot) -> None:
    """With an empty event; templates with device values are not shared, and left out."""
    iot.client().create_policy(policyName="jitr-test_default", policyDocument=policy("changed by hand"))
    assert run(function, {}) == {"policies": {"jitr-test_default": "updated"}, "failure": None}
    assert json.loads(iot.policies["jitr-test_default"].document) == json.loads(policy(f"{REGION}/x"))


def test_an_operator_learns_of_a_failure(function: RollOutHandler) -> None:
    """By an error, which `aws lambda invoke` shows."""
    denied = failing(function.registry.client, "GetPolicy", "AccessDeniedException")
    with denied, pytest.raises(RolloutFailed, match="GetPolicy failed: AccessDeniedException"):
        run(function, {})


@pytest.mark.parametrize("event", [None, [], "text", {"RequestType": "Create"}, {"detail": {}}])
def test_any_other_event_is_refused_and_changes_nothing(function: RollOutHandler, iot: FakeIot, event: object) -> None:
    """Nobody can make it roll out, or write to an address, by inventing half a request."""
    with pytest.raises(ValueError, match="no custom resource request"):
        run(function, event)
    assert iot.calls == []


def test_what_was_done_is_logged(
    function: RollOutHandler, cloudformation: CloudFormation, caplog: pytest.LogCaptureFixture
) -> None:
    """Each policy with what became of it, in one line."""
    run(function, request(cloudformation, "Create", {"jitr-test_a": policy("a")}))
    (line,) = [vars(record) for record in caplog.records if record.name == "jitr"]
    assert (line["levelname"], line["outcome"], line["policies"]) == ("INFO", "rolled_out", {"jitr-test_a": "created"})


def test_a_failure_is_logged_with_what_was_done_before_it(
    function: RollOutHandler, cloudformation: CloudFormation, caplog: pytest.LogCaptureFixture
) -> None:
    """CloudFormation shows 500 characters, the log all and the traceback."""
    wrong = policy("b").replace("Allow", "Permit")
    run(function, request(cloudformation, "Create", {"jitr-test_a": policy("a"), "jitr-test_b": wrong}))
    (line,) = [vars(record) for record in caplog.records if record.name == "jitr"]
    assert (line["levelname"], line["outcome"], line["policies"]) == ("ERROR", "failed", {"jitr-test_a": "created"})
    assert line["exc_info"]


def test_importing_the_handler_makes_no_client_and_reads_no_settings() -> None:
    """Nothing happens at import."""
    code = (
        "import boto3, sys\n"
        "boto3.Session.__init__ = lambda *a, **k: sys.exit('a session was made')\n"
        "import jitr.handlers.roll_out\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={}, check=False)
    assert (done.returncode, done.stderr) == (0, "")
