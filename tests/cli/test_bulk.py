"""Bulk work from the command line: here or in the account, followed, stopped, resumed, confirmed and undone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from jitr.bulk.job import JobState
from jitr.bulk.queue import Shift
from jitr.handlers.bulk import BulkHandler, build_function
from jitr.handlers.clients import Surroundings
from jitr.settings import Environment, Mode
from jitr_cli.bulk.progress import duration
from jitr_local import pki
from jitr_local.pki import Device
from tests.aws.aws_faults import failing
from tests.aws.fake_iot import REGION
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.devices import in_the_same_account, snapshot
from tests.worlds.bulk import BulkDeployment
from tests.worlds.deployment import ENVIRONMENT, POLICY, TestDeployment

SHARED = "jitr-test_default"


@dataclass
class Account:
    """The deployment, its queue on moto, and the function that Lambda would invoke."""

    bulk: BulkDeployment
    jitr: Jitr
    function: BulkHandler
    sqs: Any
    url: str

    def __call__(self, *arguments: object) -> Answer:
        return self.jitr(*arguments)

    @property
    def ca(self) -> str:
        return self.bulk.deployment.ca.ca_certificate_id

    def invoke(self, *, seconds: float = 1000.0) -> int:
        """Hand the function what waits in the queue, as Lambda does; returns how many messages it were."""
        messages = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["ApproximateReceiveCount"]
        ).get("Messages", [])
        for message in messages:
            record = {
                "messageId": message["MessageId"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSource": "aws:sqs",
            }
            context: Any = Context()
            answer = self.function.run({"Records": [record]}, context, seconds_left=lambda: seconds)
            if not answer["batchItemFailures"]:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return len(messages)

    def waiting(self) -> list[Shift]:
        """What is in the queue."""
        messages = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [Shift.parse(each["Body"]) for each in messages.get("Messages", [])]

    def job(self) -> str:
        """The id of the newest job."""
        return max(self.bulk.jobs.jobs(), key=lambda job: job.started_at).job_id


class Context:
    """What Lambda says about an invocation."""

    aws_request_id = "request-1"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 600_000


@pytest.fixture
def account(stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch) -> Account:
    """A deployment whose function does what is in the queue whenever a command waits."""
    in_the_same_account(monkeypatch)
    sqs: Any = boto3.client("sqs", region_name=REGION)
    url: str = sqs.get_queue_url(QueueName="bulk-work")["QueueUrl"]
    environment = Environment(**{**vars(ENVIRONMENT), "region": REGION})
    # The function's waits are its own: a command's waits are patched below, and both are those of one module.
    surroundings = Surroundings(sleep=lambda seconds: None)
    function = build_function(stack.configuration, environment, url, surroundings)
    made = Account(BulkDeployment(stack), jitr, function, sqs, url)
    monkeypatch.setattr("jitr_cli.bulk.progress.time.sleep", lambda seconds: made.invoke())
    return made


def ids(devices: list[Device], folder: Path) -> Path:
    """A file with the ids of devices."""
    file = folder / "ids.csv"
    file.write_text("".join(f"{device.certificate_id}\n" for device in devices))
    return file


# Revoking


def test_a_few_become_revoked_at_once_and_from_here(account: Account) -> None:
    """Up to a hundred: one step, no queue."""
    devices = account.bulk.devices(3)
    answer = account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--yes", "--json")
    assert answer.exit_code == 0, answer.err
    assert account.bulk.statuses(devices) == ["REVOKED"] * 3
    assert account.waiting() == []
    assert (answer.json["state"], answer.json["total"], answer.json["done"]) == ("done", 3, 3)
    assert "Region us-east-1 · deployment test" in answer.err
    assert "3 certificates, up to 2 calls each: about 6 seconds at 1 call a second" in answer.err
    assert "the CA is ACTIVE: devices that are not registered yet still get in" in answer.err


def test_many_become_inactive_and_the_second_step_makes_that_final(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7, with a limit of two instead of a hundred."""
    monkeypatch.setattr("jitr.enforcement.brake.SMALLEST_BRAKE", 2)
    devices = account.bulk.devices(3)
    answer = account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--yes", "--rate", "100")
    assert (answer.exit_code, account.bulk.statuses(devices)) == (0, ["INACTIVE"] * 3)
    job = account.job()
    assert f"jitr ca revoke-devices --confirm {job}" in answer.err
    answer = account("ca", "revoke-devices", "--confirm", job, "--yes", "--rate", "100", "--json")
    assert (answer.exit_code, account.bulk.statuses(devices)) == (0, ["REVOKED"] * 3)
    assert (answer.json["kind"], answer.json["follows"]) == ("confirm", job)


def test_one_percent_of_a_large_fleet_is_not_many(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by the certificates that are ACTIVE now, as the function's brake."""
    monkeypatch.setattr("jitr.enforcement.brake.SMALLEST_BRAKE", 2)
    devices = account.bulk.devices(3)
    table = account.bulk.deployment.dynamodb
    key = {"pk": {"S": "reconciliation"}, "sk": {"S": f"{account.ca}#known"}}
    found = {"found_seen": {"N": "300"}, "found_active": {"N": "300"}}
    table.put_item(TableName="jitr-test-state", Item={**key, **found})
    account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--yes", "--rate", "100")
    assert account.bulk.statuses(devices) == ["REVOKED"] * 3


def test_activations_ever_counted_do_not_wear_the_brake_out(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Monthly renewals make more and more of them, of the same devices."""
    monkeypatch.setattr("jitr.enforcement.brake.SMALLEST_BRAKE", 2)
    devices = account.bulk.devices(3)
    table = account.bulk.deployment.dynamodb
    key = {"pk": {"S": "ca"}, "sk": {"S": account.ca}}
    table.put_item(TableName="jitr-test-state", Item={**key, "devices": {"N": "300"}})
    account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--yes", "--rate", "100")
    assert account.bulk.statuses(devices) == ["INACTIVE"] * 3


def test_the_fleet_files_limit_is_the_one_that_counts(account: Account) -> None:
    """A brake of two, where a hundred is usual."""
    deployment = account.bulk.deployment
    deployment.configuration = replace(deployment.configuration, brake_devices=2)
    devices = account.bulk.devices(3)
    account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--yes", "--rate", "100")
    assert account.bulk.statuses(devices) == ["INACTIVE"] * 3


@pytest.mark.parametrize("option", [["--inactive"], ["--reason", "certificateHold"]])
def test_inactive_is_enough_where_it_is_asked_for_and_can_be_undone(account: Account, option: list[str]) -> None:
    """Also for a few; undo then brings them back."""
    devices = account.bulk.devices(2)
    account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", *option, "--yes", "--rate", "100")
    assert account.bulk.statuses(devices) == ["INACTIVE"] * 2
    answer = account("bulk", "undo", account.job(), "--yes", "--rate", "100", "--json")
    assert (answer.exit_code, answer.json["done"], account.bulk.statuses(devices)) == (0, 2, ["ACTIVE"] * 2)


def test_more_than_one_computers_work_is_done_in_the_account(
    account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command writes job and list, sends one message, and follows what the function does."""
    monkeypatch.setattr("jitr_cli.bulk.work.MOST_HERE", 2)
    devices, other = account.bulk.devices(3), account.bulk.devices(1, name="other")
    file = ids(devices, tmp_path)
    answer = account(
        "ca", "revoke-devices", "--ca-certificate-id", account.ca, "--list", file, "--inactive", "--yes", "--json"
    )
    assert answer.exit_code == 0, answer.err
    assert "in the account; this computer is not needed" in answer.err
    assert account.bulk.statuses([*devices, *other]) == ["INACTIVE"] * 3 + ["ACTIVE"]
    assert answer.json["done"] == 3
    account("bulk", "undo", account.job(), "--yes")
    assert account.bulk.statuses([*devices, *other]) == ["ACTIVE"] * 4


def test_starting_without_waiting_returns_at_once(account: Account) -> None:
    """The account does it all the same."""
    devices = account.bulk.devices(1)
    answer = account(
        "ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--in-account", "--no-wait", "--yes"
    )
    assert (answer.exit_code, account.bulk.statuses(devices)) == (0, ["ACTIVE"])
    assert account.waiting() == [Shift(account.job(), 1)]
    account.invoke()
    assert account.bulk.statuses(devices) == ["REVOKED"]


def test_an_account_that_only_observes_gets_no_work(account: Account) -> None:
    """Its function may change nothing; what this computer can do is done here."""
    devices = account.bulk.devices(1)
    revoke = ("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--yes")
    account(*revoke, "--inactive", "--in-account", "--no-wait")
    job = account.job()
    account("bulk", "stop", job, "--yes")
    account.bulk.deployment.configuration = replace(account.bulk.deployment.configuration, mode=Mode.OBSERVE)
    waiting = account.waiting()
    for arguments in ((*revoke, "--in-account"), ("bulk", "resume", job, "--yes")):
        answer = account(*arguments)
        assert (answer.exit_code, "only observes" in answer.err) == (64, True), answer.err
    assert (account.job(), account.waiting()) == (job, waiting)
    assert account(*revoke).exit_code == 0
    assert account.bulk.statuses(devices) == ["REVOKED"]


def test_a_dry_run_writes_nothing(account: Account) -> None:
    """It counts, and says what it would take."""
    account.bulk.devices(2)
    before = snapshot(account.bulk.deployment)
    for arguments in (
        ("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--dry-run"),
        ("device", "import", "--ca-certificate-id", account.ca, "--in-account", "--dry-run"),
    ):
        answer = account(*arguments)
        assert (answer.exit_code, "2 certificates" in answer.err) == (0, True)
    assert (snapshot(account.bulk.deployment), account.waiting()) == (before, [])


def test_without_a_yes_nothing_is_written(account: Account) -> None:
    """Nobody is there to answer."""
    account.bulk.devices(1)
    before = snapshot(account.bulk.deployment)
    answer = account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all")
    assert (answer.exit_code, snapshot(account.bulk.deployment)) == (130, before)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--all"],
        ["--all", "--confirm", "job"],
        ["--confirm", "no-such-job"],
        ["--all", "--ca-certificate-id", "0" * 64],
    ],
)
def test_a_wrong_call_is_usage(account: Account, arguments: list[str]) -> None:
    """And nothing is written."""
    before = snapshot(account.bulk.deployment)
    assert account("ca", "revoke-devices", *arguments, "--yes").exit_code == 64
    assert snapshot(account.bulk.deployment) == before


def test_what_could_not_be_done_is_told_and_can_be_tried_again(account: Account, tmp_path: Path) -> None:
    """Exit code 1, and a list that the next run takes."""
    (device,) = account.bulk.devices(1)
    gone = account.bulk.deployment.ca.issue("gone")
    file = ids([device, gone], tmp_path)
    answer = account(
        "ca", "revoke-devices", "--ca-certificate-id", account.ca, "--list", file, "--yes", "--rate", "100"
    )
    assert (answer.exit_code, account.bulk.statuses([device])) == (1, ["REVOKED"])
    failed = account("bulk", "status", account.job(), "--failed")
    assert failed.out.splitlines()[0] == "certificate_id,reason,message"
    assert failed.out.splitlines()[1].startswith(f"{gone.certificate_id},certificate_not_found,")
    again = tmp_path / "failed.csv"
    again.write_text(failed.out)
    answer = account(
        "ca", "revoke-devices", "--ca-certificate-id", account.ca, "--list", again, "--yes", "--rate", "100"
    )
    assert "1 certificates" in answer.err


# Following, stopping, resuming


def test_a_job_is_stopped_and_resumed(account: Account) -> None:
    """The message that is under way starts nothing; the new one goes on."""
    devices = account.bulk.devices(2)
    account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--in-account", "--no-wait", "--yes")
    job = account.job()
    answer = account("bulk", "stop", job, "--yes", "--json")
    assert (answer.exit_code, answer.json["state"]) == (0, "stopped")
    account.invoke()
    assert account.bulk.statuses(devices) == ["ACTIVE"] * 2
    assert account("bulk", "stop", job, "--yes").exit_code == 64
    answer = account("bulk", "resume", job, "--yes", "--json")
    assert (answer.exit_code, answer.json["state"]) == (0, "done")
    assert account.bulk.statuses(devices) == ["REVOKED"] * 2
    assert account("bulk", "resume", job, "--yes").exit_code == 64


def test_interrupting_work_that_is_done_here_stops_the_job(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """130, and the account goes on where it stopped, without waiting for a lease."""
    devices = account.bulk.devices(3)
    calls = iter(range(10))

    def interrupted(self: Any, certificate: Any) -> Any:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return real(self, certificate)

    from jitr.bulk.revocation import RevokingDevices

    real = RevokingDevices.handle
    monkeypatch.setattr(RevokingDevices, "handle", interrupted)
    answer = account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--yes", "--rate", "100")
    assert answer.exit_code == 130
    job = account.job()
    assert f"jitr bulk resume {job}" in answer.err
    assert account.bulk.job(job).state is JobState.STOPPED
    assert account("bulk", "resume", job, "--yes").exit_code == 0
    assert account.bulk.statuses(devices) == ["REVOKED"] * 3


def test_interrupting_what_the_account_does_only_stops_looking(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job goes on."""
    account.bulk.devices(1)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jitr_cli.bulk.progress.time.sleep", interrupt)
    answer = account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--in-account", "--yes")
    assert (answer.exit_code, "the job goes on in the account" in answer.err) == (130, True)
    assert account.bulk.job(account.job()).state is JobState.RUNNING


def test_aws_that_refuses_ends_work_that_is_done_here_and_the_account_can_go_on(account: Account) -> None:
    """69; the job says why."""
    account.bulk.devices(1)
    with failing(account.bulk.deployment.iot_client, "UpdateCertificate", "AccessDeniedException"):
        answer = account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--yes", "--rate", "100")
    assert answer.exit_code == 69
    listed = account("bulk", "list", "--json").json["jobs"]
    assert [(each["state"], each["failure"]["reason"]) for each in listed] == [("failed", "access_denied")]
    words = account("bulk", "list").err
    assert "access_denied" in words


def test_status_says_how_far_a_job_is_and_how_long_it_takes(account: Account) -> None:
    """For whoever did not wait."""
    account.bulk.devices(2)
    account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--in-account", "--no-wait", "--yes")
    answer = account("bulk", "status", account.job(), "--json")
    assert (answer.exit_code, answer.json["state"], answer.json["total"]) == (0, "running", 2)
    assert "about 4 seconds left at 1 call a second" in answer.err
    answer = account("bulk", "status", account.job(), "--follow", "--json")
    assert (answer.exit_code, answer.json["state"]) == (0, "done")
    assert account("bulk", "status", "no-such-job").exit_code == 64


def unmanaged(account: Account) -> Device:
    """A device of a CA that is registered, and that the deployment does not manage; its CA is the deployment's then."""
    other = pki.CertificateAuthority.create("Other CA")
    deployment = account.bulk.deployment
    deployment.iot.register_ca(other)
    deployment.ca = other
    (device,) = account.bulk.devices(1)
    return device


@pytest.mark.parametrize("options", [["--yes"], ["--yes", "--dry-run"]], ids=["yes", "dry run"])
def test_devices_of_an_unmanaged_ca_take_a_yes_of_their_own(account: Account, options: list[str]) -> None:
    """What is marked in this deployment's registry nobody reads there; and what does not help is not recommended."""
    device = unmanaged(account)
    answer = account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", *options)
    assert answer.exit_code == (0 if "--dry-run" in options else 130)
    assert f"warning: deployment test does not manage CA {account.ca}" in answer.err
    assert "`jitr ca hold` stops that" not in answer.err
    assert account.bulk.statuses([device]) == ["ACTIVE"]


def test_devices_of_an_unmanaged_ca_are_switched_off_where_that_is_meant(account: Account) -> None:
    """AWS IoT does it, whoever manages the CA."""
    device = unmanaged(account)
    answer = account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--unmanaged", "--yes")
    assert answer.exit_code == 0, answer.err
    assert account.bulk.statuses([device]) == ["REVOKED"]


# Jobs that follow others


def test_a_job_that_was_undone_is_neither_confirmed_nor_resumed(account: Account) -> None:
    """A new one would be right."""
    account.bulk.devices(1)
    account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--inactive", "--yes", "--rate", "100")
    job = account.job()
    account("bulk", "undo", job, "--yes", "--rate", "100")
    assert account("ca", "revoke-devices", "--confirm", job, "--yes").exit_code == 64
    account.bulk.deployment.dynamodb.update_item(
        TableName="jitr-test-state",
        Key={"pk": {"S": "bulk"}, "sk": {"S": job}},
        UpdateExpression="SET #state = :stopped",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":stopped": {"S": "stopped"}},
    )
    answer = account("bulk", "resume", job, "--yes")
    assert (answer.exit_code, "followed it" in answer.err) == (64, True)


def test_a_job_that_is_at_work_is_not_undone(account: Account) -> None:
    """Stop it first: both would work against each other."""
    account.bulk.devices(1)
    account(
        "ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--inactive", "--in-account", "--no-wait",
        "--yes",
    )  # fmt: skip
    job = account.job()
    answer = account("bulk", "undo", job, "--yes")
    assert (answer.exit_code, "is still at work" in answer.err) == (64, True)
    assert account("ca", "revoke-devices", "--confirm", job, "--yes").exit_code == 64


def test_what_was_revoked_at_once_is_not_undone(account: Account) -> None:
    """There is no way back from REVOKED."""
    account.bulk.devices(1)
    account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--all", "--yes", "--rate", "100")
    job = account.job()
    assert account("bulk", "undo", job, "--yes").exit_code == 64
    assert account("ca", "revoke-devices", "--confirm", job, "--yes").exit_code == 64


# Policies and imports


@pytest.mark.parametrize("where", ["--rate=100", "--in-account"])
def test_a_policy_is_given_to_all_of_a_ca(account: Account, where: str) -> None:
    """Here or in the account alike; the old one goes."""
    for name in (SHARED, "legacy"):
        account.bulk.deployment.iot_client.create_policy(policyName=name, policyDocument=POLICY)
    devices = account.bulk.devices(2)
    certificates = [account.bulk.deployment.iot.certificates[each.certificate_id] for each in devices]
    certificates[0].policies.append("legacy")
    answer = account(
        "policy", "reattach", "default", "--ca-certificate-id", account.ca, "--detach", "legacy", where, "--yes"
    )
    assert answer.exit_code == 0, answer.err
    assert [each.policies for each in certificates] == [[SHARED], [SHARED]]
    assert f"attach {SHARED}, then detach legacy" in answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["other"], "no template 'other' is deployed; there are default, walkthrough"),
        (["walkthrough"], "there is no policy jitr-test_walkthrough in AWS IoT"),
        (["default", "--detach", SHARED], "would be attached and detached again"),
    ],
)
def test_a_policy_that_cannot_be_given_is_usage(account: Account, arguments: list[str], words: str) -> None:
    """Before anything is written."""
    account.bulk.deployment.iot_client.create_policy(policyName=SHARED, policyDocument=POLICY)
    account.bulk.devices(1)
    answer = account("policy", "reattach", *arguments, "--ca-certificate-id", account.ca, "--yes")
    assert (answer.exit_code, words in answer.err) == (64, True)
    assert list(account.bulk.jobs.jobs()) == []


def test_a_large_import_is_done_in_the_account(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is known by then costs nothing the next time."""
    monkeypatch.setattr("jitr_cli.device.import_.MOST_HERE", 2)
    devices = account.bulk.devices(3)
    answer = account("device", "import", "--ca-certificate-id", account.ca, "--yes", "--json")
    assert (answer.exit_code, answer.json["kind"], answer.json["done"]) == (0, "import", 3)
    assert all(account.bulk.row(device) for device in devices)
    answer = account("device", "import", "--ca-certificate-id", account.ca, "--yes")
    assert "0 certificates are not in the registry" in answer.err


# What it takes


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (59, "59 seconds"),
        (600, "10 minutes"),
        (20_000, "5.6 hours"),
        (2_000_000, "556 hours (23.1 days)"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    """The table in docs/bulk-work.md is of the same numbers."""
    assert duration(seconds) == words


def test_what_takes_hours_says_which_quotas_to_raise(account: Account, tmp_path: Path) -> None:
    """Both calls of a revocation."""
    file = tmp_path / "many.csv"
    file.write_text("".join(f"{n:064x}\n" for n in range(5000)))
    answer = account("ca", "revoke-devices", "--ca-certificate-id", account.ca, "--list", file, "--dry-run")
    assert "5,000 certificates, up to 2 calls each: about 2.8 hours at 1 call a second in the account" in answer.err
    assert "“DescribeCertificate API TPS” and “UpdateCertificate API TPS”" in answer.err
    assert "so many become REVOKED in two steps" in answer.err
