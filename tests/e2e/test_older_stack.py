"""The command line on the stack of a release before: its own template, deployed, and every command run against it."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from jitr.settings import CONFIGURATION_FILE, Configuration
from jitr_cli.__main__ import run
from jitr_infra.functions.bundle import build_bundle
from jitr_local import pki
from jitr_local.stack.app import local_target
from jitr_local.stack.cdk import credentials
from jitr_local.stack.emulator import ACCOUNT, REGION, Emulator
from tests.cli.worlds.every_command import ASKING, Typist, typist

pytestmark = pytest.mark.e2e
RELEASES = Path(__file__).parents[1] / "releases"
OLD_ACCOUNT = "123456789012"
STACK = "test"


@dataclass(frozen=True)
class OldStack:
    """A deployed stack of a release, and who types commands about its CA."""

    endpoint_url: str
    typed: Typist

    def client(self, service: str) -> Any:
        """Return an AWS client."""
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        return session.client(service, endpoint_url=self.endpoint_url)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldStack]:
    """0.1.0 as it was deployed, with its CA's own certificate, and today's functions behind its handlers."""
    folder = tmp_path_factory.mktemp("old")
    emulator = Emulator(folder / "emulator")
    running = emulator.start()
    try:
        release = RELEASES / "0.1.0"
        ca = pki.CertificateAuthority.create("Factory 1")
        made = OldStack(running.endpoint_url, typist(folder, ca, ca.issue("device-1"), account=ACCOUNT, region=REGION))
        deploy(made, release, ca, folder)
        yield made
    finally:
        emulator.stop()


def deploy(old: OldStack, release: Path, ca: pki.CertificateAuthority, folder: Path) -> None:
    """Deploy the release's template as CloudFormation gets it, but for what the emulator does not know."""
    text = (release / "template.json").read_text(encoding="utf-8").replace(OLD_ACCOUNT, ACCOUNT)
    configuration = (release / "configuration.json").read_text(encoding="utf-8").replace(OLD_ACCOUNT, ACCOUNT)
    first = json.loads(configuration)["cas"][0]
    for before, now in (
        (first["certificate"], pki.pem(ca.certificate)),
        (first["ca_certificate_id"], ca.ca_certificate_id),
    ):
        text = text.replace(json.dumps(before)[1:-1], json.dumps(now)[1:-1])
        configuration = configuration.replace(json.dumps(before)[1:-1], json.dumps(now)[1:-1])
    template = json.loads(text)
    known = {name: each for name, each in template["Resources"].items() if each["Type"] != "AWS::Logs::QueryDefinition"}
    template["Resources"] = {name: each for name, each in known.items() if "Metrics" not in each.get("Properties", {})}
    (code,) = {
        (each["Properties"]["Code"]["S3Bucket"], each["Properties"]["Code"]["S3Key"])
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Lambda::Function"
    }
    s3 = old.client("s3")
    s3.create_bucket(Bucket=code[0])
    s3.put_object(Bucket=code[0], Key=code[1], Body=bundle(configuration, folder))
    old.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    cloudformation = old.client("cloudformation")
    # As the CDK hands it over: the text itself would be too long for the call.
    s3.put_object(Bucket=code[0], Key="template.json", Body=json.dumps(template).encode())
    address = f"{old.endpoint_url}/{code[0]}/template.json"
    cloudformation.create_stack(StackName=STACK, TemplateURL=address, Capabilities=["CAPABILITY_IAM"])
    while (stack := cloudformation.describe_stacks(StackName=STACK)["Stacks"][0])["StackStatus"].endswith("PROGRESS"):
        time.sleep(0.5)
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    failed = [each for each in events if each["ResourceStatus"].endswith("FAILED")]
    assert stack["StackStatus"] == "CREATE_COMPLETE", failed
    bucket = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}["CrlBucket"]
    s3.put_object(Bucket=bucket, Key="factory-1.crl", Body=ca.crl())


def bundle(configuration: str, folder: Path) -> bytes:
    """Return a bundle of today's functions with this configuration."""
    content = folder / "bundle"
    content.mkdir()
    build_bundle(content, configuration=Configuration.from_json(configuration), target=local_target(auth=False))
    (content / CONFIGURATION_FILE).write_text(configuration, encoding="utf-8")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(content.rglob("*")):
            archive.write(each, each.relative_to(content))
    return file.getvalue()


@pytest.fixture
def at_the_keyboard(old: OldStack, monkeypatch: pytest.MonkeyPatch) -> Typist:
    """Somebody whose shell points at the emulator."""
    for name in ("AWS_PROFILE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in credentials(old.endpoint_url, "").items():
        if value:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return old.typed


@pytest.mark.parametrize("name", ASKING)
def test_every_command_runs_against_it(at_the_keyboard: Typist, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """It says of which version the stack is, and never that there is none, or that it lacks something."""
    arguments = at_the_keyboard.arguments(name)
    ending = run(arguments)
    said = capsys.readouterr().err
    assert ending in (0, 1, 2, 64), said
    assert "no deployment 'test'" not in said
    assert "has no output" not in said
    if "deployment test" in said:
        assert "deployment test was deployed by jitr 0.1.0 or older, and this is" in said


def test_a_device_gets_in_and_out_by_the_command_line_of_today(
    old: OldStack, at_the_keyboard: Typist, capsys: pytest.CaptureFixture[str]
) -> None:
    """What matters in an incident: explained, held, listed, switched off."""
    certificate = old.client("iot").register_certificate(
        certificatePem=at_the_keyboard.device.read_text(),
        caCertificatePem=(at_the_keyboard.folder / "ca.pem").read_text(),
    )["certificateId"]
    assert run(["ca", "hold", "--ca-certificate-id", "factory-1", "--yes"]) == 0
    assert run(["ca", "resume", "--ca-certificate-id", "factory-1", "--yes"]) == 0
    assert run(["device", "revoke", certificate, "--yes"]) == 0
    found = old.client("iot").describe_certificate(certificateId=certificate)["certificateDescription"]
    assert found["status"] == "REVOKED", capsys.readouterr().err
