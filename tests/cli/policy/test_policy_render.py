"""`jitr policy render`: what AWS IoT gets, to the letter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jitr.errors import Outcome
from jitr.settings import ThingNameSource
from jitr_local.pki import CertificateAuthority, pem
from tests.aws.fake_iot import ACCOUNT, REGION
from tests.cli.conftest import Jitr
from tests.worlds.deployment import POLICY, TestDeployment

OWN = POLICY.replace("client/x", "client/@{device.thing_name}/@{device.serial}/@{device.certificate_id}")


@pytest.fixture
def fleet(stack: TestDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout that the deployment in memory comes from, with a template of device values beside the default."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "default.json").write_text(POLICY)
    (tmp_path / "policies" / "own.json").write_text(OWN)
    (tmp_path / "ca.pem").write_text(pem(stack.ca.certificate))
    (tmp_path / "fleet.toml").write_text(
        f'[deployments.test]\naccount = "{ACCOUNT}"\nregion = "{REGION}"\n'
        '[[deployments.test.cas]]\nname = "ca"\ncertificate = "ca.pem"\ncrl = "none"\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITR_FLEET", raising=False)
    return tmp_path


def test_a_shared_policy_is_printed_as_the_function_creates_it(stack: TestDeployment, fleet: Path, jitr: Jitr) -> None:
    """The same bytes, and the name."""
    device = stack.ca.issue("sensor-1")
    assert stack.deliver(stack.iot.connect(device, stack.ca)).outcome is Outcome.ACTIVATED
    created = stack.iot_client.get_policy(policyName="jitr-test_default")["policyDocument"]
    answer = jitr("policy", "render")
    assert (answer.exit_code, answer.out) == (0, f"{created}\n")
    assert f"jitr-test_default: {len(created)} of 2,048 characters" in answer.err


def test_a_devices_own_policy_is_printed_as_the_function_creates_it(
    stack: TestDeployment, fleet: Path, jitr: Jitr
) -> None:
    """With the values of its certificate, and its own name."""
    stack.configuration = replace(stack.configuration, policies={"default": POLICY, "own": OWN})
    stack.configure(policy="own", thing_name=ThingNameSource.CN)
    device = stack.ca.issue("sensor-1")
    assert stack.deliver(stack.iot.connect(device, stack.ca)).outcome is Outcome.ACTIVATED
    (fleet / "device.pem").write_text(pem(device.certificate))
    answer = jitr("policy", "render", "own", "--certificate", "device.pem")
    assert answer.exit_code == 0, answer.err
    name = answer.err.partition(": ")[0]
    assert answer.out.strip() == stack.iot_client.get_policy(policyName=name)["policyDocument"]
    assert device.certificate_id in name


def test_any_file_is_rendered(fleet: Path, jitr: Jitr) -> None:
    """Before it is a template of the deployment."""
    (fleet / "draft.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": "@{region}"}))
    answer = jitr("policy", "render", "draft.json")
    assert json.loads(answer.out)["Statement"] == REGION


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nonsense"], "no template of test and no file; templates: default, own"),
        (["own"], "give --certificate"),
        (["own", "--certificate", "foreign.pem"], "no CA of this deployment signed the certificate"),
        (["own", "--certificate", "nameless.pem"], "unusable_name"),
        (["own", "--certificate", "fleet.toml"], "no readable certificate"),
        (["broken.json"], "broken.json: line 2"),
        (["long.json"], "characters without white space; AWS IoT allows 2048"),
        (["latin.json"], "is not UTF-8 (byte 9)"),
        (["--deployment", "prod"], "no deployment 'prod'"),
    ],
)
def test_what_cannot_be_rendered_is_usage(
    stack: TestDeployment, fleet: Path, jitr: Jitr, arguments: list[str], complaint: str
) -> None:
    """Nothing on stdout that could be taken for a policy."""
    foreign = type(stack.ca).create("Foreign CA").issue("sensor-1")
    (fleet / "foreign.pem").write_text(pem(foreign.certificate))
    (fleet / "nameless.pem").write_text(pem(stack.ca.issue("a b").certificate))
    (fleet / "broken.json").write_text('{\n"Version": @{account}}')
    (fleet / "long.json").write_text(json.dumps({"Version": "x" * 2048}))
    (fleet / "latin.json").write_bytes(b'{"Sid": "\xe4"}')
    answer = jitr("policy", "render", *arguments)
    assert (answer.exit_code, answer.out) == (64, "")
    assert complaint in answer.err


def test_it_loads_neither_boto3_nor_the_cdk(fleet: Path) -> None:
    """And needs no credentials."""
    program = (
        "import sys; from jitr_cli.__main__ import run; code = run(['policy', 'render']); "
        "sys.exit(code or bool({'boto3', 'aws_cdk'} & set(sys.modules)))"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run([sys.executable, "-c", program], env=bare, cwd=fleet, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_ca_whose_certificate_no_file_holds_is_passed_over(stack: TestDeployment, fleet: Path, jitr: Jitr) -> None:
    """The others are still recognised; a device of none of them is told why it is not."""
    arn = f"arn:aws:acm-pca:{REGION}:{ACCOUNT}:certificate-authority/12345678-1234-1234-1234-123456789012"
    text = (fleet / "fleet.toml").read_text()
    private = f'[[deployments.test.cas]]\nname = "private"\nprivate_ca = "{arn}"\ncrl = "cdp"\n'
    (fleet / "fleet.toml").write_text(text.replace("[[", private + "[[", 1))
    (fleet / "device.pem").write_text(pem(stack.ca.issue("sensor-1").certificate))
    (fleet / "foreign.pem").write_text(pem(CertificateAuthority.create("Other").issue("sensor-1").certificate))
    assert jitr("policy", "render", "own", "--certificate", "device.pem").exit_code == 0
    answer = jitr("policy", "render", "own", "--certificate", "foreign.pem")
    assert "no CA of this deployment whose certificate is in a file signed the certificate" in answer.err
