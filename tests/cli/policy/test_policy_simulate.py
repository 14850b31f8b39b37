"""`jitr policy simulate`: one question, the answer, and the reason; with AWS's own answer beside it where asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from jitr.certificates import fingerprint
from jitr_local import pki
from tests.cli.conftest import Answer, Jitr
from tests.worlds.fleet_folder import CA_TABLE, DEPLOYMENT_TABLE, POLICIES, FleetFolder

DEFAULT = POLICIES / "default.json"
ARN = "arn:aws:iot:eu-west-1:111122223333:"
ACCOUNT, REGION = "111122223333", "eu-west-1"
CA = pki.CertificateAuthority.create("Factory CA 1")


@pytest.fixture
def ask(jitr: Jitr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jitr:
    """Ask about the shipped policy; commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITR_FLEET", raising=False)

    def simulate(*arguments: object) -> Answer:
        return jitr("policy", "simulate", "--policy", DEFAULT, *arguments)

    return simulate


def policy_file(folder: Path, *statements: dict[str, Any]) -> Path:
    """Write a policy."""
    file = folder / "policy.json"
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    return file


@pytest.mark.parametrize(
    ("arguments", "exit_code", "decision"),
    [
        (["--action", "iot:Connect", "--thing-name", "s1"], 0, "allowed"),
        (["--action", "iot:Connect", "--resource", "client/s1", "--thing-name", "s1"], 0, "allowed"),
        (["--action", "iot:Connect", "--resource", "client/s2", "--thing-name", "s1"], 1, "implicit_deny"),
        (["--action", "iot:Connect", "--client-id", "s1"], 1, "implicit_deny"),
        (["--action", "iot:Connect", "--thing-name", "s1", "--not-attached"], 1, "implicit_deny"),
        (["--action", "iot:Connect", "--thing-name", "s1", "--not-exclusive"], 0, "allowed"),
        (["--action", "iot:Publish", "--resource", "topic/devices/s1/a", "--thing-name", "s1"], 0, "allowed"),
        (["--action", "iot:Publish", "--resource", "topic/devices/s2/a", "--thing-name", "s1"], 1, "implicit_deny"),
        (
            ["--action", "iot:Publish", "--resource", "topic/devices/s1/a", "--thing-name", "s1", "--client-id", "x",
             "--not-exclusive"], 1, "implicit_deny",
        ),
        (["--action", "iot:Publish", "--resource", f"{ARN}topic/devices/s1/a", "--thing-name", "s1"], 0, "allowed"),
        (
            ["--action", "iot:Publish", "--resource", "topic/devices/s1/a", "--thing-name", "s1",
             "--protocol", "https"], 1, "implicit_deny",
        ),
    ],
)  # fmt: skip
def test_the_answer_is_the_exit_code(ask: Jitr, arguments: list[str], exit_code: int, decision: str) -> None:
    """0 allowed, 1 denied, the same in JSON and in words."""
    assert ask(*arguments, "--json").json["decision"] == decision
    answer = ask(*arguments)
    assert answer.exit_code == exit_code
    assert answer.out.startswith("allowed by " if exit_code == 0 else "implicitly denied: ")


def test_json_names_the_statement_and_how_variables_were_filled(ask: Jitr) -> None:
    """And every other statement with its reason."""
    data = ask("--action", "iot:Connect", "--thing-name", "s1", "--json").json
    assert data["statement"] == {
        "policy": str(DEFAULT),
        "path": "/Statement/0",
        "index": 0,
        "sid": "ConnectAsItsThing",
        "effect": "Allow",
    }
    assert (data["action"], data["client_id"]) == ("iot:Connect", "s1")
    assert data["resource"].endswith(":client/s1")
    assert [each["applies"] for each in data["statements"]] == [True, False, False]
    assert data["variables"] == [{"name": "iot:Connection.Thing.ThingName", "value": "s1", "problem": ""}]
    assert "aws" not in data


def test_nothing_that_applies_is_no_statement(ask: Jitr) -> None:
    """An implicit deny has none to name."""
    assert ask("--action", "iot:Publish", "--resource", "topic/a", "--json").json["statement"] is None


def test_several_policies_are_decided_together(ask: Jitr, tmp_path: Path) -> None:
    """A Deny in the second one wins."""
    deny = policy_file(tmp_path, {"Effect": "Deny", "Action": "iot:*", "Resource": "*"})
    answer = ask("--policy", deny, "--action", "iot:Connect", "--thing-name", "s1", "--json")
    assert (answer.exit_code, answer.json["decision"]) == (1, "explicit_deny")
    assert answer.json["statement"]["policy"] == str(deny)


def test_facts_come_from_options(jitr: Jitr, tmp_path: Path) -> None:
    """Where it connects from and to, type and attributes of its Thing."""
    conditions = {
        "IpAddress": {"aws:SourceIp": "203.0.113.0/24"},
        "StringEquals": {
            "iot:DomainName": "iot.example.com",
            "iot:Connection.Thing.ThingTypeName": "sensor",
            "iot:Connection.Thing.Attributes[site]": "a=b",
        },
    }
    file = policy_file(
        tmp_path, {"Effect": "Allow", "Action": "iot:Publish", "Resource": f"{ARN}topic/a", "Condition": conditions}
    )
    facts = {
        "--source-ip": "203.0.113.7",
        "--domain-name": "iot.example.com",
        "--thing-type": "sensor",
        "--thing-attribute": "site=a=b",
    }
    base = [
        "policy",
        "simulate",
        "--policy",
        file,
        "--action",
        "iot:Publish",
        "--resource",
        "topic/a",
        "--thing-name",
        "s",
    ]
    assert jitr(*base, *(each for pair in facts.items() for each in pair)).exit_code == 0
    for left_out in facts:
        given = [each for name, value in facts.items() if name != left_out for each in (name, value)]
        answer = jitr(*base, *given)
        assert (answer.exit_code, left_out in answer.err) == (2, True), left_out
    facts["--source-ip"] = "203.0.114.7"
    assert jitr(*base, *(each for pair in facts.items() for each in pair)).exit_code == 1


@pytest.mark.parametrize(
    ("action", "resource", "condition", "option", "value", "other"),
    [
        ("iot:Connect", "client/s", {"ForAnyValue:StringEquals": {"iot:ConnectAttributes": "LastWill"}},
         "--connect-attribute", "LastWill", ""),
        ("iot:Connect", "client/s", {"ArnEquals": {"iot:LastWillTopic": f"{ARN}topic/will"}},
         "--last-will-topic", "will", "other"),
        ("iot:SendDirectMessage", "client/a", {"StringEquals": {"iot:Topic": "news"}}, "--topic", "news", "x"),
        ("iot:GetConnection", "client/a", {"Bool": {"iot:IncludeSocketInformation": "false"}},
         "--include-socket-information", "false", "true"),
        ("iotjobsdata:UpdateJobExecution", "thing/a", {"StringEquals": {"iot:JobId": "1"}}, "--job-id", "1", "2"),
        ("iot:Publish", "topic/a", {"StringEquals": {"aws:SourceVpc": "vpc-1"}}, "--source-vpc", "vpc-1", ""),
        ("iot:Publish", "topic/a", {"StringEquals": {"aws:SourceVpce": "vpce-1"}}, "--source-vpce", "vpce-1", ""),
        ("iot:Publish", "topic/a", {"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}},
         "--vpc-source-ip", "10.1.2.3", "192.0.2.1"),
    ],
)  # fmt: skip
def test_every_key_of_the_request_has_its_option(
    jitr: Jitr,
    tmp_path: Path,
    action: str,
    resource: str,
    condition: dict[str, Any],
    option: str,
    value: str,
    other: str,
) -> None:
    """Without it the answer is undetermined and names it; an empty one says that there is no value."""
    file = policy_file(tmp_path, {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition})
    question = ["policy", "simulate", "--policy", file, "--action", action, "--resource", resource]
    unsaid = jitr(*question, "--json")
    assert (unsaid.exit_code, unsaid.json["decision"]) == (2, None)
    assert option in unsaid.json["problem"]
    assert jitr(*question, option, value).exit_code == 0
    assert jitr(*question, option, other).exit_code == 1


def test_the_time_can_be_said(jitr: Jitr, tmp_path: Path) -> None:
    """Now unless it is; without a time zone it is no moment."""
    condition = {"DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}
    file = policy_file(tmp_path, {"Effect": "Allow", "Action": "iot:Publish", "Resource": "*", "Condition": condition})
    question = ["policy", "simulate", "--policy", file, "--action", "iot:Publish", "--resource", "topic/a", "--at"]
    assert jitr(*question, "2026-12-31T23:59:59Z").exit_code == 0
    assert jitr(*question, "2027-01-01T00:00:00Z").exit_code == 1
    assert jitr(*question, "2026-12-31T23:59:59").exit_code == 64


def test_a_template_is_named_too(jitr: Jitr, tmp_path: Path) -> None:
    """Beside the fleet file; simulate, test and lint take it by name as by file."""
    fleet = tmp_path / "fleet.toml"
    (tmp_path / "policies").mkdir()
    for name in ("default.json", "default.cases.toml"):
        (tmp_path / "policies" / name).write_bytes((Path(__file__).parents[3] / "policies" / name).read_bytes())
    question = ["--action", "iot:Connect", "--thing-name", "s", "--fleet", fleet]
    assert jitr("policy", "simulate", "--policy", "default", *question).exit_code == 0
    assert jitr("policy", "lint", "default", "--fleet", fleet).exit_code == 0
    assert jitr("policy", "test", "default", "--fleet", fleet).exit_code == 0
    missing = jitr("policy", "lint", "defualt", "--fleet", fleet)
    assert (missing.exit_code, "there are: default" in missing.err) == (64, True)


def test_facts_come_from_the_certificate(jitr: Jitr, tmp_path: Path) -> None:
    """Its serial number for AWS's variable and for a device value."""
    device = CA.issue("s1")
    (tmp_path / "device.pem").write_text(pki.pem(device.certificate))
    resource = f"{ARN}topic/${{iot:Certificate.SerialNumber}}/@{{device.common_name}}/@{{device.certificate_id}}"
    file = policy_file(tmp_path, {"Effect": "Allow", "Action": "iot:Publish", "Resource": resource})
    topic = f"topic/{device.certificate.serial_number}/s1/{fingerprint(device.certificate)}"
    question = ["policy", "simulate", "--policy", file, "--action", "iot:Publish", "--resource", topic]
    assert jitr(*question, "--certificate", tmp_path / "device.pem").exit_code == 0
    without = jitr(*question)
    assert (without.exit_code, "asks for @{device.certificate_id}: give --certificate" in without.err) == (64, True)


def test_values_come_from_the_deployment(ask: Jitr, tmp_path: Path) -> None:
    """Then a resource of another account is not its own."""
    FleetFolder(tmp_path).file.write_text(DEPLOYMENT_TABLE + CA_TABLE)
    question = ["--action", "iot:Publish", "--thing-name", "s1", "--resource"]
    own = ask(*question, "topic/devices/s1/a", "--deployment", "prod-eu", "--json")
    assert (own.exit_code, own.json["resource"]) == (0, f"{ARN}topic/devices/s1/a")
    other = f"{ARN}topic/devices/s1/a".replace(ACCOUNT, "444455556666")
    assert ask(*question, other).exit_code == 0
    assert ask(*question, other, "--deployment", "prod-eu").exit_code == 1


def test_example_values_are_said_to_be_examples(ask: Jitr) -> None:
    """On stderr; an ARN in the question is better."""
    question = ["--action", "iot:Publish", "--thing-name", "s1", "--resource"]
    assert "are examples" in ask(*question, "topic/a").err
    assert ask(*question, f"{ARN}topic/a").err == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "[json-syntax]"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"Version": "2012-10-17", "Statement": []}', "Statement is empty"),
        (b'{"Version": "2012-10-17", "Version": "2008-10-17", "Statement": []}', "[duplicate-key]"),
        (b"[" * 100_000, "nested"),
        (
            b'{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bol": {"x": "y"}}}}',
            "/Statement: Bol x: ",
        ),
    ],
    ids=["syntax", "encoding", "empty", "duplicate", "deep", "operator"],
)
def test_policies_that_give_no_answer_are_undetermined(jitr: Jitr, tmp_path: Path, content: bytes, words: str) -> None:
    """2, with the reason; never a denial that nobody decided."""
    file = tmp_path / "policy.json"
    file.write_bytes(content)
    question = ["policy", "simulate", "--policy", file, "--action", "iot:Publish", "--resource", "topic/a"]
    answer = jitr(*question)
    assert (answer.exit_code, answer.out) == (2, "")
    assert words in answer.err
    data = jitr(*question, "--json").json
    assert (data["decision"], words in data["problem"]) == (None, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--action", "Publish", "--resource", "topic/a"], "'Publish' is no action"),
        (["--action", "iot:Publish"], "needs a resource"),
        (["--action", "iot:Publsh", "--resource", "topic/a"], "no action iot:Publsh; did you mean iot:Publish?"),
        (
            ["--action", "iot:Subscribe", "--resource", "topic/a"],
            "iot:Subscribe is never asked for topic; expected: topicfilter/",
        ),
        (["--action", "iot:Publish", "--resource", "topics/a"], "did you mean topic?"),
        (["--action", "iot:Connect", "--client-id", "a", "--resource", "client/b"], "connects as 'a'"),
        (["--action", "iot:Connect", "--thing-type", "a"], "give --thing-name too"),
        (["--action", "iot:Connect", "--thing-name", "a", "--thing-attribute", "x"], "write NAME=VALUE"),
        (["--action", "iot:Connect", "--thing-name", "a", "--source-ip", "here"], "--source-ip"),
        (["--action", "iot:Connect", "--thing-name", "a", "--certificate", str(DEFAULT)], "no readable certificate"),
        (["--action", "iot:Connect", "--thing-name", "a", "--deployment", "x"], "the fleet file cannot be used"),
        (["--policy", "none.json", "--action", "iot:Connect"], "there is no file none.json"),
    ],
)
def test_a_question_without_sense_is_usage(ask: Jitr, arguments: list[str], words: str) -> None:
    """64, and what to write instead."""
    answer = ask(*arguments)
    assert (answer.exit_code, answer.out) == (64, "")
    assert words in answer.err


class TestAws:
    """With --aws: the same question to TestAuthorization."""

    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        """A device certificate's file."""
        file = tmp_path / "device.pem"
        file.write_text(pki.pem(CA.issue("s1").certificate))
        return file

    @pytest.fixture
    def stubs(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Stubber]:
        """STS that knows the account, and AWS IoT that answers what a test puts in; anything else is refused."""
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name, raising=False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_REGION", REGION)
        clients = {name: boto3.client(name, region_name=REGION) for name in ("sts", "iot")}
        stubs = {name: Stubber(client) for name, client in clients.items()}
        stubs["sts"].add_response(
            "get_caller_identity", {"Account": ACCOUNT, "UserId": "u", "Arn": f"arn:aws:iam::{ACCOUNT}:user/u"}
        )
        monkeypatch.setattr(boto3.Session, "client", lambda _self, service, **_: clients[service])
        for stub in stubs.values():
            stub.activate()
        return stubs

    def answers(self, stubs: dict[str, Stubber], certificate: Path, decision: str, **more: Any) -> None:
        """Let AWS IoT answer the one right question."""
        from jitr_cli.console.files import parse_certificate

        certificate_id = fingerprint(parse_certificate(certificate.read_bytes()))
        question = {"actionType": "CONNECT", "resources": [f"{ARN}client/s1"]}
        stubs["iot"].add_response(
            "test_authorization",
            {"authResults": [{"authInfo": question, "authDecision": decision, **more}]},
            {"principal": f"{ARN}cert/{certificate_id}", "authInfos": [question], "clientId": "s1"},
        )

    def question(self, certificate: Path) -> list[object]:
        return ["--action", "iot:Connect", "--thing-name", "s1", "--certificate", certificate, "--aws"]

    def test_the_same_answer(self, ask: Jitr, stubs: dict[str, Stubber], certificate: Path) -> None:
        """About the certificate's ARN in the credentials' account, with the client id."""
        allowed = {"policies": [{"policyName": "jitr-prod_default", "policyArn": f"{ARN}policy/jitr-prod_default"}]}
        self.answers(stubs, certificate, "ALLOWED", allowed=allowed)
        answer = ask(*self.question(certificate), "--json")
        assert (answer.exit_code, answer.err) == (0, "")
        assert answer.json["aws"] == {"decision": "allowed", "policies": ["jitr-prod_default"], "missing": []}
        assert answer.json["differs"] is False
        stubs["iot"].assert_no_pending_responses()

    def test_another_answer_is_undetermined(self, ask: Jitr, stubs: dict[str, Stubber], certificate: Path) -> None:
        """Neither 0 nor 1 would be true; both answers are said."""
        missing = ["iot:Connection.Thing.ThingName"]
        self.answers(
            stubs, certificate, "IMPLICIT_DENY", denied={"implicitDeny": {"policies": []}}, missingContextValues=missing
        )
        answer = ask(*self.question(certificate), "--json")
        assert (answer.exit_code, answer.json["decision"], answer.json["differs"]) == (2, "allowed", True)
        assert answer.json["aws"] == {"decision": "implicit_deny", "policies": [], "missing": missing}
        assert "AWS says implicit_deny where this computer says allowed" in answer.err
        assert "AWS had no value for iot:Connection.Thing.ThingName" in answer.err

    def test_aws_that_refuses_is_unreachable(self, ask: Jitr, stubs: dict[str, Stubber], certificate: Path) -> None:
        """69, in one line."""
        stubs["iot"].add_client_error("test_authorization", "UnauthorizedException", http_status_code=401)
        answer = ask(*self.question(certificate))
        assert (answer.exit_code, "Traceback" in answer.err) == (69, False)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--action", "iot:Connect", "--thing-name", "s1"], "give --certificate"),
            (["--action", "iot:GetThingShadow", "--resource", "thing/s1"], "AWS tests iot:connect, iot:publish"),
        ],
    )
    def test_what_aws_cannot_be_asked_is_usage(
        self, ask: Jitr, stubs: dict[str, Stubber], certificate: Path, arguments: list[str], words: str
    ) -> None:
        """Before anything is sent to AWS IoT."""
        given = [*arguments, *([] if "give" in words else ["--certificate", certificate])]
        answer = ask(*given, "--aws")
        assert (answer.exit_code, words in answer.err) == (64, True)

    def test_a_deployment_elsewhere_is_usage(
        self, ask: Jitr, stubs: dict[str, Stubber], certificate: Path, tmp_path: Path
    ) -> None:
        """Another Region's AWS IoT knows nothing of it."""
        FleetFolder(tmp_path).file.write_text(DEPLOYMENT_TABLE + CA_TABLE)
        answer = ask(*self.question(certificate), "--deployment", "prod-eu", "--region", "us-east-1")
        assert (answer.exit_code, "is in eu-west-1" in answer.err) == (64, True)
