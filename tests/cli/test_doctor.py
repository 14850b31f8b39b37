"""`jitr doctor`: whatever is wrong with a deployment is found, by the check that says so, with a way to mend it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from jitr.settings import Configuration, ManagedCa, Mode
from jitr_cli.authorities.registry import CertificateMode, DescribedCa
from jitr_cli.checks.authorities import SeenCa, lifetime, registered, same_certificate
from jitr_cli.checks.catalogue import CHECKS
from jitr_cli.checks.this_computer import judge_clock, judge_fleet_file
from jitr_cli.checks.topic_rule import matches_registration
from jitr_local.pki import CertificateAuthority, pem
from tests.aws.fake_iot import REGION
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.ailments import CASES, GONE, LAMBDA, Sick, other_rule
from tests.cli.worlds.healthy_aws import AwsAnswers, Refused, healthy, identity, quotas, rule
from tests.worlds.deployment import TestDeployment

ROOT = Path(__file__).parents[2]
DOCS, ROOMS = ROOT / "docs", [ROOT / "cli" / "jitr_cli" / each for each in ("checks", "diagnosis")]
# All that is asked only tells; nothing changes anything.
READS = re.compile(r"\.(Get|List|Describe|Simulate|Head|Query|BatchGet)")


@pytest.fixture
def aws(stack: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> AwsAnswers:
    """A deployment with nothing wrong."""
    return healthy(stack, monkeypatch)


def found(answer: Answer, check: str) -> list[dict[str, str]]:
    """What one check found."""
    return [each for each in answer.json["checks"] if each["check"] == check]


def test_a_healthy_deployment_has_nothing_wrong_by_any_check(jitr: Jitr, aws: AwsAnswers) -> None:
    """Every check says so, and nothing is written anywhere."""
    aws.asked.clear()
    answer = jitr("doctor", "--json")
    wrong = [each for each in answer.json["checks"] if each["status"] != "ok"]
    assert (answer.exit_code, wrong) == (0, [])
    assert answer.json["deployment"] == "test"
    assert {each["check"] for each in answer.json["checks"]} == {check.code for check in CHECKS}
    assert {frozenset(each) for each in answer.json["checks"]} == {frozenset({"check", "status", "message", "fix"})}
    assert [call for call in aws.asked if not READS.search(call)] == []


@pytest.mark.parametrize(
    ("break_it", "check", "severity", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_is_wrong_is_found(
    jitr: Jitr,
    aws: AwsAnswers,
    stack: TestDeployment,
    break_it: Callable[[Sick], None],
    check: str,
    severity: str,
    words: str,
) -> None:
    """By its check, as bad as it is, with words that name it and a way to mend it."""
    break_it(Sick(aws, stack))
    answer = jitr("doctor", "--only", check, "--json")
    worst = [each for each in found(answer, check) if each["status"] == severity]
    assert any(words in each["message"] for each in worst), answer.json
    assert all(each["fix"] for each in worst)
    assert answer.exit_code == {"error": 1, "unknown": 2}.get(severity, answer.exit_code)


def test_every_check_is_seen_to_fail_in_some_case() -> None:
    """A check that nothing can fail checks nothing. The rest have tests of their own."""
    assert {check.code for check in CHECKS} - {case[2] for case in CASES} == {
        "ca_certificate",
        "ca_expiry",
        "clock",
        "fleet_file",
        "version",
    }


# What the table cannot say


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(0, "ok"), (14, "ok"), (60, "warning"), (-60, "warning"), (600, "error"), (None, "unknown")],
)
def test_the_clock_is_compared_with_awss(seconds: float | None, status: str) -> None:
    """Both ways; AWS that says no date is an unknown."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert judge_clock(now, None if seconds is None else now + timedelta(seconds=seconds)).status == status


def test_an_answer_without_a_date_is_an_unknown(jitr: Jitr, aws: AwsAnswers) -> None:
    """And no error, so the exit code is 2."""
    aws.answers["sts.GetCallerIdentity"] = identity(None)
    answer = jitr("doctor", "--only", "clock", "--json")
    assert (answer.exit_code, [each["status"] for each in answer.json["checks"]]) == (2, ["unknown"])


@pytest.mark.parametrize(("days", "status"), [(400, "ok"), (89, "warning"), (-1, "error")])
def test_the_life_of_a_ca_is_judged(days: int, status: str) -> None:
    """Ninety days before its end, as the first of the alarms has it."""
    authority = CertificateAuthority.create()
    end = authority.certificate.not_valid_after_utc
    assert lifetime(seen(authority), end - timedelta(days=days, seconds=-1)).status == status


def test_a_ca_that_is_not_valid_yet_keeps_its_devices_out() -> None:
    """However many days it will last then."""
    authority = CertificateAuthority.create()
    begins = authority.certificate.not_valid_before_utc
    early = lifetime(seen(authority), begins - timedelta(seconds=1))
    assert (early.status, "is not valid before" in early.message) == ("error", True)
    assert lifetime(seen(authority), begins).status != "error"


def seen(authority: CertificateAuthority, **changes: Any) -> SeenCa:
    """A CA that is registered as it should be."""
    registration = DescribedCa(
        ca_certificate_id=authority.ca_certificate_id,
        pem=pem(authority.certificate),
        active=True,
        auto_registration=True,
        mode=CertificateMode.SNI_ONLY,
        created_at=None,
        provisions_itself=False,
    )
    ca = ManagedCa(
        name="factory-1",
        ca_certificate_id=authority.ca_certificate_id,
        certificate=pem(authority.certificate),
        crl="none",
        policy="default",
    )
    return SeenCa(**{"ca": ca, "registration": registration, "record": None, **changes})


def test_another_certificate_and_another_mode_are_errors() -> None:
    """As where a CA was renewed, or registered by hand before."""
    ours, at = seen(CertificateAuthority.create()), datetime.now(UTC)
    theirs = replace(ours, registration=seen(CertificateAuthority.create()).registration)
    private = replace(theirs, ca=replace(ours.ca, certificate="", known_at_deploy=True))
    assert same_certificate(ours, at).status == "ok"
    assert (same_certificate(theirs, at).status, same_certificate(private, at).status) == ("error", "error")
    assert registered(replace(ours, mode="DEFAULT"), at).status == "error"
    assert registered(replace(ours, mode="existing"), at).status == "ok"


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("$aws/events/certificates/registered/+", True),
        ("$aws/events/certificates/registered/#", True),
        ("$aws/events/#", True),
        ("$aws/+/certificates/+/+", True),
        (f"$aws/events/certificates/registered/{'a' * 64}", True),
        ("$aws/events/certificates/registered", False),
        ("$aws/events/certificates/registered/+/+", False),
        ("$aws/events/presence/connected/+", False),
        ("#", False),
        ("+/events/certificates/registered/+", False),
        ("devices/+/up", False),
    ],
)
def test_a_topic_filter_gets_registration_events_or_not(pattern: str, matches: bool) -> None:
    """As MQTT has it: a filter that begins with a wildcard gets nothing that begins with $."""
    assert matches_registration(pattern) is matches


@pytest.mark.parametrize(
    ("break_it", "arguments"),
    [
        (other_rule("archive", {"s3": {}}, {"firehose": {}}), ()),
        (other_rule("telemetry", LAMBDA, pattern="devices/+/up"), ()),
        (other_rule("classic", LAMBDA), ("--accept-rule", "classic")),
        (lambda sick: setattr(sick.stack, "configuration", replace(sick.stack.configuration, mode=Mode.OBSERVE)), ()),
    ],
    ids=["one that stores", "one for another topic", "one that somebody vouches for", "any, where we observe"],
)
def test_a_rule_that_cannot_activate_is_no_finding(
    jitr: Jitr, aws: AwsAnswers, stack: TestDeployment, break_it: Callable[[Sick], None], arguments: tuple[str, ...]
) -> None:
    """Only what may get a device past the check is."""
    sick = Sick(aws, stack)
    other_rule("classic", LAMBDA)(sick)
    break_it(sick)
    answer = jitr("doctor", "--only", "other_rules", "--json", *arguments)
    assert (answer.exit_code, [each["status"] for each in found(answer, "other_rules")]) == (0, ["ok"])


def test_the_list_of_rules_may_leave_the_topic_out(jitr: Jitr, aws: AwsAnswers, stack: TestDeployment) -> None:
    """Then the statement says which events a rule gets."""
    other_rule("classic", LAMBDA)(Sick(aws, stack))
    for listed in aws.answers["iot.ListTopicRules"]["rules"]:
        del listed["topicPattern"]
    assert jitr("doctor", "--only", "other_rules", "--json").exit_code == 1


def test_a_queue_before_the_function_is_judged_as_such(
    jitr: Jitr, aws: AwsAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule has to fill it, by a role that may; the function's own policy names nobody."""
    aws.ingestion = "queue"
    url = boto3.client("sqs", region_name=REGION).get_queue_url(QueueName="activation")["QueueUrl"]
    checks = [each for check in ("rule_target", "rule_permission", "event_sources") for each in ("--only", check)]
    assert jitr("doctor", *checks).exit_code == 1
    role = "arn:aws:iam::000000000000:role/send"
    aws.answers["iot.GetTopicRule"] = {"rule": rule(actions=[{"sqs": {"queueUrl": url, "roleArn": role}}])}
    aws.answers["lambda.GetPolicy"] = GONE
    answer = jitr("doctor", *checks, "--json")
    assert answer.exit_code == 0, answer.out
    assert "the rule may send to activation" in [each["message"] for each in answer.json["checks"]]


def test_a_deployment_without_a_ca_is_one_warning(jitr: Jitr, aws: AwsAnswers, stack: TestDeployment) -> None:
    """Every other check of CAs and CRLs has nothing to look at, and says so once."""
    stack.configuration = replace(stack.configuration, cas=())
    answer = jitr("doctor", "--json")
    about_cas = [each for each in answer.json["checks"] if each["check"].startswith(("ca_", "crl"))]
    told = [each["message"] for each in about_cas if each["status"] == "warning"]
    assert told == ["the deployment manages no CA"]
    assert {each["check"] for each in answer.json["checks"]} == {check.code for check in CHECKS}


def test_a_quota_is_found_by_its_name_where_its_code_is_another(jitr: Jitr, aws: AwsAnswers) -> None:
    """Codes are AWS's to change."""
    aws.answers["service-quotas.ListServiceQuotas"] = quotas(7, AttachPolicy="L-00000000")
    answer = jitr("doctor", "--only", "iot_quotas", "--json")
    assert (answer.exit_code, "AttachPolicy 7" in found(answer, "iot_quotas")[0]["message"]) == (1, True)


def test_what_runs_is_compared_with_the_fleet_file_where_there_is_one() -> None:
    """What only the deploy knows of a CA in AWS Private CA is no difference."""
    ca = ManagedCa(name="a", ca_certificate_id="", certificate="", crl="", policy="default", known_at_deploy=True)
    wanted = Configuration(deployment="test", cas=(ca,))
    running = replace(wanted, cas=(replace(ca, ca_certificate_id="a" * 64, crl="s3://b/c"),))
    assert judge_fleet_file(running, wanted, "test").status == "ok"
    changed = judge_fleet_file(running, replace(wanted, crl_hosts=("crl.example.com",)), "test")
    assert (changed.status, "crl_hosts" in changed.message) == ("warning", True)


# What cannot be looked at


DENIABLE = {
    "iot.ListTopicRules": ("rule_enabled", "iot:ListTopicRules"),
    "iot.DescribeCACertificate": ("ca_status", "iot:DescribeCACertificate"),
    "iot.GetPolicy": ("policies", "iot:GetPolicy"),
    "lambda.GetPolicy": ("rule_permission", "lambda:GetPolicy"),
    "lambda.GetFunctionConcurrency": ("function_state", "lambda:GetFunctionConcurrency"),
    "iam.SimulatePrincipalPolicy": ("rule_permission", "iam:SimulatePrincipalPolicy"),
    "cloudwatch.GetMetricStatistics": ("function_errors", "cloudwatch:GetMetricStatistics"),
    "cloudwatch.DescribeAlarms": ("alarms_quiet", "cloudwatch:DescribeAlarms"),
    "sns.ListSubscriptionsByTopic": ("alarms_heard", "sns:ListSubscriptionsByTopic"),
    "service-quotas.ListServiceQuotas": ("iot_quotas", "servicequotas:ListServiceQuotas"),
    "events.DescribeRule": ("schedules", "events:DescribeRule"),
    "logs.DescribeLogGroups": ("log_groups", "logs:DescribeLogGroups"),
    "sqs.GetQueueAttributes": ("dead_letters", "sqs:GetQueueAttributes"),
    "dynamodb.Query": ("crl_brake", "dynamodb:Query"),
    "s3.GetObject": ("crl", "s3:GetObject"),
    "s3.GetBucketNotificationConfiguration": ("crl_bucket", "s3:GetBucketNotification"),
}


@pytest.mark.parametrize("call", DENIABLE)
def test_a_missing_permission_is_an_unknown_that_names_it(jitr: Jitr, aws: AwsAnswers, call: str) -> None:
    """The exit code is 2, and whoever reads it knows what to ask for."""
    check, action = DENIABLE[call]
    aws.answers[call] = Refused("AccessDenied" if call.startswith("s3.") else "AccessDeniedException", 403)
    answer = jitr("doctor", "--only", check, "--json")
    assert answer.exit_code == 2, answer.out
    assert any(action in each["fix"] for each in found(answer, check) if each["status"] == "unknown")


def test_an_endpoint_that_knows_almost_nothing_breaks_nothing(jitr: Jitr, aws: AwsAnswers) -> None:
    """As an emulator: each check is an unknown, none is a bug of ours."""
    for call in set(aws.answers) - {"sts.GetCallerIdentity"}:
        aws.answers[call] = Refused("InvalidAction", 400)
    answer = jitr("doctor", "--json")
    assert answer.exit_code == 2, answer.err
    assert {each["check"] for each in answer.json["checks"]} == {check.code for check in CHECKS}


def test_aws_that_does_not_answer_at_all_is_69(jitr: Jitr, aws: AwsAnswers) -> None:
    """Nothing was looked at, so nothing is reported."""
    aws.answers["sts.GetCallerIdentity"] = Refused("ExpiredToken", 403)
    answer = jitr("doctor", "--json")
    assert (answer.exit_code, answer.out) == (69, "")


# How it is told


def test_people_get_a_table(jitr: Jitr, aws: AwsAnswers) -> None:
    """What is well in a row for each check, what is not behind it with what to do, and a sum at the end."""
    aws.answers["sns.ListSubscriptionsByTopic"] = {"Subscriptions": []}
    aws.status = "UPDATE_IN_PROGRESS"
    checks = ("alarms_heard", "stack", "function_state", "clock")
    answer = jitr("doctor", *(each for check in checks for each in ("--only", check)))
    assert answer.exit_code == 1
    assert re.findall(r"^ ?(ok|warning|error) ", answer.out, re.MULTILINE) == ["ok", "ok", "warning", "error"]
    assert "the functions are ready, and of one deploy (3)" in answer.out
    for part in ("nobody hears the alarms", "alarm_email", "alarms_heard", "stack"):
        assert part in answer.out
    assert "account 000000000000 · Region us-east-1 · deployment test" in answer.err
    assert "1 error, 1 warning, 4 ok" in answer.err


def test_a_check_that_there_is_not_is_usage(jitr: Jitr, aws: AwsAnswers) -> None:
    """The message says which there are."""
    answer = jitr("doctor", "--only", "everything")
    assert (answer.exit_code, "rule_enabled" in answer.err) == (64, True)


def test_every_check_is_in_the_docs() -> None:
    """In the order in which they are made, with what each is about."""
    page = (DOCS / "doctor.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", page, re.MULTILINE)
    assert rows == [(check.code, check.about) for check in CHECKS]


def test_what_findings_link_to_is_there() -> None:
    """Every page and section that a check sends somebody to."""
    code = "\n".join(path.read_text(encoding="utf-8") for room in ROOMS for path in room.glob("*.py"))
    links = re.findall(r"docs/([\w/-]+\.md)(?:#([\w-]+))?", code)
    assert len(links) > 15
    for page, anchor in links:
        text = (DOCS / page).read_text(encoding="utf-8")
        headings = {
            re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in re.findall(r"^#+ (.+)$", text, re.M)
        }
        assert not anchor or anchor in headings, f"{page}#{anchor}"


def test_a_fleet_file_that_somebody_names_has_to_be_there_and_right(
    jitr: Jitr, aws: AwsAnswers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never ok with exit code 0; one that only happens to lie here makes an unknown of its check."""
    broken = tmp_path / "fleet.toml"
    missing = jitr("doctor", "--fleet", broken)
    assert (missing.exit_code, "there is no fleet file" in missing.err) == (64, True)
    broken.write_text("[deployments.test]\nregion = 7\n")
    named = jitr("doctor", "--fleet", broken)
    assert (named.exit_code, "account" in named.err, named.out) == (64, True, "")
    monkeypatch.chdir(tmp_path)
    here = jitr("doctor", "--json", "--only", "fleet_file")
    (finding,) = found(here, "fleet_file")
    assert (here.exit_code, finding["status"]) == (2, "unknown")
