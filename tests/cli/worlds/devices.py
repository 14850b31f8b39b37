"""What tests of `jitr device …` share: devices in every state, and all that AWS holds about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from jitr.aws.iot import CertificateStatus
from jitr.certificates import issuer_key
from jitr.registry.row import RegistryRow
from jitr_local.pki import Device, pem
from tests.aws.fake_iot import ACCOUNT, REGION
from tests.cli.conftest import Answer, Jitr
from tests.worlds.deployment import TABLE, TestDeployment


def in_the_same_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the credentials belong to the account of the strict AWS IoT: moto's STS has an account of its own."""
    monkeypatch.setattr("jitr_cli.console.aws.Aws.account", lambda _: ACCOUNT)


def active(stack: TestDeployment, name: str = "device-1", **options: Any) -> Device:
    """A device that the function activated."""
    device = stack.ca.issue(name, **options)
    stack.knock(device)
    assert stack.iot.status(device) == "ACTIVE"
    return device


def inactive(stack: TestDeployment, name: str = "device-1", **options: Any) -> Device:
    """A device that was active, and that somebody switched off by hand."""
    device = active(stack, name, **options)
    stack.activation.registry.update_certificate(device.certificate_id, CertificateStatus.INACTIVE)
    return device


def pending(stack: TestDeployment, name: str = "device-1", **options: Any) -> Device:
    """A device that knocked, and whose event nobody has handled."""
    device = stack.ca.issue(name, **options)
    stack.iot.connect(device, stack.ca)
    return device


def written(device: Device, folder: Path) -> Path:
    """A device's certificate in a file."""
    file = folder / f"{device.certificate_id[:8]}.pem"
    file.write_text(pem(device.certificate))
    return file


def snapshot(stack: TestDeployment) -> tuple[Any, Any]:
    """All that AWS holds about the deployment's devices: for tests that nothing was written."""
    found = stack.dynamodb.scan(TableName="jitr-test-state")["Items"]
    # Turns are how fast the function of the same test asks, and say nothing about a device.
    items = [each for each in found if each["pk"] != {"S": "turns"}]
    certificates, things = stack.iot.certificates.values(), stack.iot.things.values()
    return sorted(map(str, items)), [*map(str, certificates), *map(str, things), *sorted(stack.iot.policies)]


def create_private_ca() -> str:
    """A root CA in moto's AWS Private CA; returns its ARN."""
    client: Any = boto3.client("acm-pca", region_name=REGION)
    arn: str = client.create_certificate_authority(
        CertificateAuthorityConfiguration={
            "KeyAlgorithm": "RSA_2048",
            "SigningAlgorithm": "SHA256WITHRSA",
            "Subject": {"CommonName": "Private Factory CA"},
        },
        CertificateAuthorityType="ROOT",
    )["CertificateAuthorityArn"]
    csr = client.get_certificate_authority_csr(CertificateAuthorityArn=arn)["Csr"].encode()
    issued = client.issue_certificate(
        CertificateAuthorityArn=arn,
        Csr=csr,
        SigningAlgorithm="SHA256WITHRSA",
        TemplateArn="arn:aws:acm-pca:::template/RootCACertificate/V1",
        Validity={"Type": "DAYS", "Value": 365},
    )["CertificateArn"]
    pem = client.get_certificate(CertificateAuthorityArn=arn, CertificateArn=issued)["Certificate"].encode()
    client.import_certificate_authority_certificate(CertificateAuthorityArn=arn, Certificate=pem)
    return arn


def reinstate(jitr: Jitr, device: Device, *more: str) -> Answer:
    """Reinstate a device by its id, without questions."""
    return jitr("device", "reinstate", device.certificate_id, "--yes", "--json", *more)


def row_of(stack: TestDeployment, device: Device) -> RegistryRow:
    """A device's registry row."""
    row = stack.activation.rows.row(f"{issuer_key(stack.ca.certificate)}#{device.certificate.serial_number:x}")
    assert row is not None
    return row


def end_lease(stack: TestDeployment, device: Device) -> None:
    """Let the lease of a killed run end."""
    key = {"pk": {"S": row_of(stack, device).key}, "sk": {"S": "certificate"}}
    stack.dynamodb.update_item(
        TableName=TABLE, Key=key, UpdateExpression="SET lease_until = :z", ExpressionAttributeValues={":z": {"N": "0"}}
    )
