"""`jitr doctor --before-deploy`: what would make a deploy fail is said before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from jitr_cli.diagnosis.before_deploy import CHECKS, judge_concurrency
from jitr_fleet.deployments.concurrency import reserved_by
from jitr_fleet.deployments.deployment import Deployment, Ingestion
from jitr_local.pki import CertificateAuthority, pem
from tests.aws.fake_iot import REGION
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.healthy_aws import AwsAnswers, Refused
from tests.worlds.deployment import TestDeployment

MOTO_ACCOUNT = "123456789012"


@pytest.fixture
def fleet(tmp_path: Path, stack: TestDeployment) -> Path:
    """A fleet file with one deployment that is not there yet, and one CA that nobody has registered."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "default.json").write_text(stack.configuration.policies["default"])
    (tmp_path / "ca.pem").write_text(pem(CertificateAuthority.create("Line 9").certificate))
    file = tmp_path / "fleet.toml"
    file.write_text(f"""
[deployments.new]
account = "{MOTO_ACCOUNT}"
region = "{REGION}"

[[deployments.new.cas]]
name = "line-9"
certificate = "ca.pem"
crl = "line-9.crl"
""")
    return file


@pytest.fixture
def aws(stack: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> AwsAnswers:
    """An account that is prepared, with nothing of the deployment in it."""
    found = AwsAnswers(
        {
            "cloudformation.DescribeStacks": Refused("ValidationError", message="Stack with id new does not exist"),
            "ssm.GetParameter": {"Parameter": {"Value": "30"}},
            "lambda.GetAccountSettings": {
                "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
            },
            "lambda.GetFunctionConcurrency": {},
        }
    )
    through = boto3.Session.client

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        return found.watch(service, through(session, service, **options))  # type: ignore[call-overload]

    monkeypatch.setattr(boto3.Session, "client", client)
    return found


def asked(jitr: Jitr, fleet: Path, *only: str) -> Answer:
    """Ask, and say what was found."""
    chosen = [word for each in only for word in ("--only", each)]
    return jitr("doctor", "--before-deploy", "--fleet", fleet, "--json", *chosen)


def of(answer: Answer, status: str) -> list[tuple[str, str]]:
    """The findings of a status: check and message."""
    return [(each["check"], each["message"]) for each in answer.json["checks"] if each["status"] == status]


def test_a_prepared_account_has_nothing_against_it(jitr: Jitr, aws: AwsAnswers, fleet: Path) -> None:
    """Every check says so, and nothing is written."""
    answer = asked(jitr, fleet)
    assert (answer.exit_code, of(answer, "error"), of(answer, "unknown")) == (0, [], [])
    assert {each["check"] for each in answer.json["checks"]} == {check.code for check in CHECKS}
    assert answer.json["deployment"] == "new"
    assert not [
        each for each in aws.asked if not each.partition(".")[2].startswith(("Get", "Describe", "List", "Head"))
    ]


def test_a_new_accounts_concurrency_is_an_error_with_both_ways_out(jitr: Jitr, aws: AwsAnswers, fleet: Path) -> None:
    """The very failure of new accounts, before it has left anything behind."""
    aws.answers["lambda.GetAccountSettings"] = {
        "AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}
    }
    answer = asked(jitr, fleet, "lambda_concurrency")
    assert answer.exit_code == 1
    (finding,) = answer.json["checks"]
    assert "the functions reserve 4" in finding["message"]
    assert 'reserved_concurrency = "off"' in finding["fix"]
    fleet.write_text(fleet.read_text().replace("region =", 'reserved_concurrency = "off"\nregion ='))
    assert asked(jitr, fleet, "lambda_concurrency").exit_code == 0


@pytest.mark.parametrize(
    ("free", "held", "status"), [(104, 0, "ok"), (103, 0, "error"), (100, 4, "ok"), (100, 3, "error")]
)
def test_what_the_stack_holds_already_is_not_asked_for_twice(free: int, held: int, status: str) -> None:
    """AWS Lambda leaves a hundred for everybody else."""
    limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": free}
    assert judge_concurrency(limit, wanted=4, held=held).status == status


def test_behind_a_queue_only_enforcement_reserves() -> None:
    """And with "off" nobody does."""
    deployment = Deployment(name="new", account=MOTO_ACCOUNT, region=REGION, reserved_concurrency=3)
    queued = Deployment(
        name="new", account=MOTO_ACCOUNT, region=REGION, reserved_concurrency=3, ingestion=Ingestion.QUEUE
    )
    off = Deployment(name="new", account=MOTO_ACCOUNT, region=REGION)
    assert (reserved_by(deployment), reserved_by(queued), reserved_by(off)) == (4, 1, 0)


def test_another_account_is_an_error(jitr: Jitr, aws: AwsAnswers, fleet: Path) -> None:
    """Of the credentials in use."""
    fleet.write_text(fleet.read_text().replace(MOTO_ACCOUNT, "999988887777"))
    answer = asked(jitr, fleet, "place")
    assert (answer.exit_code, "wants account 999988887777" in of(answer, "error")[0][1]) == (1, True)


def test_an_account_without_the_cdks_resources_is_an_error(jitr: Jitr, aws: AwsAnswers, fleet: Path) -> None:
    """With the command that makes them; also where they are too old."""
    aws.answers["ssm.GetParameter"] = {"Parameter": {"Value": "5"}}
    assert asked(jitr, fleet, "bootstrap").exit_code == 1
    aws.answers["ssm.GetParameter"] = Refused("ParameterNotFound")
    answer = asked(jitr, fleet, "bootstrap")
    assert answer.exit_code == 1
    assert answer.json["checks"][0]["fix"] == f"npx cdk bootstrap aws://{MOTO_ACCOUNT}/{REGION}"


def test_what_may_not_be_looked_at_is_unknown_and_never_absent(jitr: Jitr, aws: AwsAnswers, fleet: Path) -> None:
    """The action is named."""
    aws.answers["ssm.GetParameter"] = Refused("AccessDeniedException")
    answer = asked(jitr, fleet, "bootstrap")
    assert answer.exit_code == 2
    assert "ssm:GetParameter was refused" in answer.json["checks"][0]["message"]


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        ("ROLLBACK_COMPLETE", "ok"),
        ("UPDATE_COMPLETE", "ok"),
        ("ROLLBACK_FAILED", "error"),
        ("UPDATE_ROLLBACK_FAILED", "error"),
        ("CREATE_IN_PROGRESS", "error"),
    ],
)
def test_what_a_deploy_of_before_has_left_is_said(
    jitr: Jitr, aws: AwsAnswers, fleet: Path, status: str, severity: str
) -> None:
    """The CDK begins anew by itself where it can; elsewhere there is a command."""
    aws.answers["cloudformation.DescribeStacks"] = {"Stacks": [{"StackName": "new", "StackStatus": status}]}
    aws.status = status
    (finding,) = asked(jitr, fleet, "stack").json["checks"]
    assert (finding["status"], status in finding["message"]) == (severity, True)
    assert bool(finding["fix"]) is (severity == "error")


def test_a_table_that_was_left_is_taken_over(jitr: Jitr, aws: AwsAnswers, fleet: Path, stack: TestDeployment) -> None:
    """And the command that does so is named."""
    stack.dynamodb.create_table(
        TableName="jitr-new-state",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    answer = asked(jitr, fleet, "names")
    assert answer.exit_code == 0
    ((_, message),) = of(answer, "warning")
    assert "jitr-new-state is there already" in message
    assert "npx cdk deploy new --import-existing-resources" in [each["fix"] for each in answer.json["checks"]]


def test_a_bucket_that_is_somebody_elses_is_an_error(jitr: Jitr, aws: AwsAnswers, fleet: Path) -> None:
    """Bucket names are the whole world's."""
    aws.answers["s3.HeadBucket"] = Refused("403", status=403)
    assert "not yours to look at" in of(asked(jitr, fleet, "names"), "error")[0][1]


def test_a_ca_that_is_registered_already_is_an_error_unless_it_is_the_stacks(
    jitr: Jitr, aws: AwsAnswers, fleet: Path, stack: TestDeployment
) -> None:
    """The deploy would fail at it."""
    (fleet.parent / "ca.pem").write_text(pem(stack.ca.certificate))
    answer = asked(jitr, fleet, "registrations")
    assert answer.exit_code == 1
    assert answer.json["checks"][0]["fix"].startswith('registration = "existing"')
    aws.answers["cloudformation.DescribeStacks"] = {"Stacks": [{"StackName": "new", "StackStatus": "UPDATE_COMPLETE"}]}
    aws.answers["cloudformation.ListStackResources"] = {
        "StackResourceSummaries": [{"PhysicalResourceId": stack.ca.ca_certificate_id, "LogicalResourceId": "Ca"}]
    }
    assert asked(jitr, fleet, "registrations").exit_code == 0


def test_without_a_fleet_file_it_is_usage(jitr: Jitr, aws: AwsAnswers, tmp_path: Path) -> None:
    """There is nothing to be deployed."""
    assert asked(jitr, tmp_path / "none.toml").exit_code == 64


def test_a_check_of_a_deployed_stack_is_none_of_these(jitr: Jitr, aws: AwsAnswers, fleet: Path) -> None:
    """The names of those there are follow."""
    answer = asked(jitr, fleet, "crl_brake")
    assert (answer.exit_code, "there are: bootstrap" in answer.err) == (64, True)
