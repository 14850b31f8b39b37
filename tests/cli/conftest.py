"""What tests of the command line share: a deployment's AWS side on moto, and the commands run in this process."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from jitr_cli.__main__ import run
from jitr_fleet.deployments.versions import own_version
from tests.aws import moto_once
from tests.aws.fake_iot import REGION
from tests.cli.worlds.bundle_server import BundleServer, bundle_of, bundle_server
from tests.worlds.deployment import BUCKET, TABLE, TestDeployment, create_deployment
from tests.worlds.private_keys import assert_no_private_key

moto_once.install()


@dataclass(frozen=True)
class Answer:
    """How one run of the command line ended."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return what was printed to stdout as data."""
        return json.loads(self.out)


Jitr = Callable[..., Answer]


@pytest.fixture
def jitr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Jitr:
    """Run `jitr` with arguments, and nobody there to answer questions; return exit code, stdout and stderr."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run_jitr(*arguments: object) -> Answer:
        exit_code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert_no_private_key(captured.out, captured.err, *map(str, arguments))
        return Answer(exit_code, captured.out, captured.err)

    return run_jitr


@pytest.fixture(scope="session")
def bundles() -> Iterator[BundleServer]:
    """Serve the function's bundle, as AWS Lambda does for whoever may call GetFunction."""
    with bundle_server() as served:
        yield served


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, bundles: BundleServer) -> Iterator[TestDeployment]:
    """A deployed stack as its outputs describe it, with a dead-letter queue, in an account of moto's."""
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        deployment = create_deployment()
        queue = boto3.client("sqs", region_name=REGION).create_queue(QueueName="dead-letters")["QueueUrl"]
        for other in ("enforcement", "bulk"):
            boto3.client("sqs", region_name=REGION).create_queue(QueueName=f"dead-letters-{other}")
        deployment.outputs |= {
            "Deployment": "test",
            "Function": "jitr-test-Activate",
            "EnforcementFunction": "jitr-test-Enforce",
            "StateTable": TABLE,
            "CrlBucket": BUCKET,
            "ActivationQueue": boto3.client("sqs", region_name=REGION).create_queue(QueueName="activation")["QueueUrl"],
            "Ingestion": "direct",
            "DeadLetterQueue": queue,
            "EnforcementDeadLetterQueue": f"{queue}-enforcement",
            "BulkFunction": "jitr-test-Bulk",
            "BulkQueue": boto3.client("sqs", region_name=REGION).create_queue(QueueName="bulk-work")["QueueUrl"],
            "BulkDeadLetterQueue": f"{queue}-bulk",
            "AlarmTopic": "arn:aws:sns:us-east-1:000000000000:alarms",
            "Rule": "jitr_test_registered",
            "Policies": "default,walkthrough",
            "CrlHosts": "crl.example.com",
            "BulkTps": "1",
            "ApiTps": "10",
            "Version": own_version(),
        }
        real, connections = boto3.Session.client, deployment.clients.client()

        def client(session: boto3.Session, service: str, **options: Any) -> Any:
            if service == "iot":
                return deployment.iot_client
            if service == "iot-data":
                return connections
            made = real(session, service, **options)  # type: ignore[call-overload]
            if service == "cloudformation":
                made.meta.events.register("before-call.cloudformation.DescribeStacks", lambda **_: stacks(deployment))
            if service == "lambda":
                made.meta.events.register("before-call.lambda.GetFunction", lambda **_: code(deployment, bundles))
            return made

        monkeypatch.setattr(boto3.Session, "client", client)
        yield deployment


@pytest.fixture
def not_waiting(stack: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an empty queue answer at once; the test deployment's client is wrapped, so it has to be there first."""
    made = boto3.Session.client

    def at_once(*, params: dict[str, Any], **_: Any) -> None:
        params["WaitTimeSeconds"] = 0

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        found = made(session, service, **options)  # type: ignore[call-overload]
        if service == "sqs":
            found.meta.events.register("provide-client-params.sqs.ReceiveMessage", at_once)
        return found

    monkeypatch.setattr(boto3.Session, "client", client)


def stacks(deployment: TestDeployment) -> tuple[Any, dict[str, Any]]:
    """What CloudFormation answers: one stack of somebody else's, and ours."""
    listed = [
        {"OutputKey": key, "OutputValue": value}
        for key, value in {**deployment.outputs, "Mode": deployment.configuration.mode.value}.items()
        if key not in deployment.lacking
    ]
    return SimpleNamespace(status_code=200), {
        "Stacks": [{"StackName": "other"}, {"StackName": "test", "StackStatus": "CREATE_COMPLETE", "Outputs": listed}],
        "ResponseMetadata": {},
    }


def code(deployment: TestDeployment, bundles: BundleServer) -> tuple[Any, dict[str, Any]]:
    """What Lambda answers about the function: where its bundle is, with the configuration as it is now."""
    bundles.data = bundle_of(deployment.configuration)
    return SimpleNamespace(status_code=200), {
        "Code": {"Location": bundles.address},
        "Configuration": {"Environment": {"Variables": {}}},
        "ResponseMetadata": {},
    }
