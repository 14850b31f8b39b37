"""The ready IAM policies in docs/iam: what the commands call is in them, and nothing that none is known to call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.client
import botocore.session
import pytest

from jitr_cli.permissions import CALLS, ROLES, policy_for, policy_text
from tests.aws.fake_iot import ACCOUNT, REGION
from tests.cli.conftest import Jitr
from tests.cli.worlds.dead_letters import bury, letter
from tests.cli.worlds.devices import active, in_the_same_account
from tests.cli.worlds.every_command import ASKING, Typist, typist
from tests.cli.worlds.healthy_aws import healthy
from tests.worlds.deployment import TestDeployment

DOCS = Path(__file__).parents[2] / "docs"
# Where IAM has another name for a service or a call than botocore (Service Authorization Reference).
PREFIXES = {"monitoring": "cloudwatch", "iotdata": "iot"}
NAMES = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
# Whoever has credentials may ask whose they are; the other is what the answers of the tests' world ask for themselves.
FREE = {"sts:GetCallerIdentity", "sqs:GetQueueUrl"}
# What is tried for real, beside what every command calls in a dry run; one after the other, on one device.
REALLY = (
    "ca hold --all --yes",
    "ca resume --ca-certificate-id {ca} --yes",
    "ca deactivate --ca-certificate-id {ca} --yes",
    "ca activate --ca-certificate-id {ca} --yes",
    "crl publish {folder}/factory-1.crl --issuer {folder}/ca.pem --yes",
    "device allow import {folder}/serials --ca-certificate-id {ca} --in-advance --yes",
    "device allow remove {folder}/serials --ca-certificate-id {ca} --yes",
    "device revoke {device} --reason certificateHold --yes",
    "device reinstate {device} --yes",
    "device revoke {device} --yes",
    "dlq drop --all --yes",
)


class Recorder:
    """Notes which IAM actions are asked for while it is switched on."""

    def __init__(self) -> None:
        self.on = False
        self.actions: set[str] = set()

    def note(self, client: Any, operation: str) -> None:
        """Note one call."""
        if self.on:
            prefix = client.meta.service_model.signing_name
            action = f"{PREFIXES.get(prefix, prefix)}:{operation}"
            self.actions.add(NAMES.get(action, action))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Watch every client of this process."""
    found, call = Recorder(), botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def watched(client: Any, operation: str, parameters: Any) -> Any:
        found.note(client, operation)
        return call(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", watched)
    yield found
    assert found.actions, "nothing was called: the test saw nothing"


@pytest.fixture
def typed(
    stack: TestDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Typist:
    """Somebody at the keyboard, with one device that is ACTIVE and one dead letter."""
    in_the_same_account(monkeypatch)
    device = active(stack)
    healthy(stack, monkeypatch)
    request.getfixturevalue("not_waiting")
    bury(letter("no_crl"))
    return typist(tmp_path, stack.ca, device, account=ACCOUNT, region=REGION)


@pytest.mark.parametrize("name", sorted(set(ASKING) - {"device create", "ca create", "crl show"}))
def test_what_a_command_calls_is_in_the_table(typed: Typist, jitr: Jitr, recorder: Recorder, name: str) -> None:
    """Of the three left out, files are all that they need as they are typed here."""
    recorder.on = True
    jitr(*typed.arguments(name))
    if name == "policy simulate":
        jitr(*typed.arguments(name), "--aws")
    recorder.on = False
    assert recorder.actions - FREE - set(CALLS[name]) == set()


def test_what_is_written_is_in_the_table_too(typed: Typist, jitr: Jitr, recorder: Recorder) -> None:
    """A dry run calls no writing call."""
    given = {key: str(value) for key, value in vars(typed).items()}
    for line in REALLY:
        words = line.format(**given).split()
        name = " ".join(words[:3] if words[1] == "allow" else words[:2])
        recorder.actions.clear()
        recorder.on = True
        answer = jitr(*words)
        recorder.on = False
        assert answer.exit_code == 0, f"{line}: {answer.err}"
        assert recorder.actions - FREE - set(CALLS[name]) == set(), name


def test_the_table_knows_every_command() -> None:
    """That asks AWS."""
    assert sorted(CALLS) == ASKING


def test_every_action_is_a_call_of_an_aws_service() -> None:
    """A misspelled one would allow nothing, and nobody would notice."""
    session = botocore.session.get_session()
    services = {"cloudwatch": "cloudwatch", "servicequotas": "service-quotas"}
    others = {"iot:GetConnection", "iot:DeleteConnection", *NAMES.values()}
    for action in {each for calls in CALLS.values() for each in calls} - others:
        prefix, name = action.split(":")
        assert name in session.get_service_model(services.get(prefix, prefix)).operation_names, action


@pytest.mark.parametrize("role", ROLES)
def test_the_files_are_what_the_table_makes(role: str) -> None:
    """`python -m jitr_cli.permissions docs/iam` makes them anew."""
    assert (DOCS / "iam" / f"{role}.json").read_text(encoding="utf-8") == policy_text(role)


@pytest.mark.parametrize("role", ROLES)
def test_no_policy_is_wider_than_it_has_to_be(role: str) -> None:
    """No wildcard in an action; tables, queues, functions and buckets are jitr's own; and it fits into one policy."""
    policy = policy_for(role)
    assert len(json.dumps(policy, separators=(",", ":"))) < 6144
    for statement in policy["Statement"]:
        assert not [each for each in statement["Action"] if "*" in each]
        if statement["Resource"] == ["*"]:
            bound = [each for each in statement["Action"] if each.startswith(("dynamodb:", "s3:", "sqs:", "sns:"))]
            assert bound == []


def test_who_only_reads_may_change_nothing() -> None:
    """Messages of dead-letter queues are received and put back, which is the one thing that looks like writing."""
    verbs = ("Get", "List", "Describe", "Query", "BatchGet", "Filter", "Simulate", "Test", "Receive", "ChangeMessage")
    actions = {each for statement in policy_for("read-only")["Statement"] for each in statement["Action"]}
    assert [each for each in actions if not each.split(":")[1].startswith(verbs)] == []
