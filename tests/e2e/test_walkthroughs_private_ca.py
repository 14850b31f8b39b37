"""AWS's walk-through with AWS Private CA (document 000 of docs/walkthroughs.md), and the same by `jitr`.

acm-pca is moto's server, because the local stack has none; AWS IoT is the local stack.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from jitr_local.stack.emulator import LOOPBACK
from tests.e2e.conftest import World
from tests.e2e.ordinary_clients import Terminal

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def private_ca() -> Iterator[str]:
    """The endpoint of moto's server."""
    server = ThreadedMotoServer(LOOPBACK, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def shell(strict_world: World, tmp_path: Path, private_ca: str) -> Terminal:
    """A shell whose commands reach both."""
    terminal = Terminal(strict_world.instance, tmp_path)
    terminal.set("AWS_ENDPOINT_URL_ACM_PCA", private_ca)
    return terminal


def test_document_000_an_aws_private_ca_is_created_and_registered(shell: Terminal) -> None:
    """The workshop's own CA; what it does in the console, the installation of the CA certificate, by CLI."""
    subject = {"KeyAlgorithm": "RSA_2048", "SigningAlgorithm": "SHA256WITHRSA", "Subject": {"CommonName": "Walk 000"}}
    (shell.folder / "ca-config.json").write_text(json.dumps(subject))
    crls = {"Enabled": True, "ExpirationInDays": 7, "S3BucketName": shell.instance.crl_bucket}
    (shell.folder / "revoke-config.json").write_text(json.dumps({"CrlConfiguration": crls}))
    created = shell.run(
        "aws acm-pca create-certificate-authority"
        " --certificate-authority-configuration file://./ca-config.json"
        " --revocation-configuration file://./revoke-config.json"
        " --certificate-authority-type \"ROOT\" --idempotency-token $(date +'%Y%m%d%H%M%S')"
    )
    shell.set("CA_ARN", json.loads(created)["CertificateAuthorityArn"])
    describe = "aws acm-pca describe-certificate-authority --certificate-authority-arn $CA_ARN"
    assert json.loads(shell.run(describe))["CertificateAuthority"]["Status"] == "PENDING_CERTIFICATE"
    install_as_the_console_does(shell)
    assert json.loads(shell.run(describe))["CertificateAuthority"]["Status"] == "ACTIVE"
    shell.run(
        "aws acm-pca get-certificate-authority-certificate --certificate-authority-arn $CA_ARN --output text"
        " > acm-pca-root-ca.pem"
    )
    assert "CA:TRUE" in shell.run("openssl x509 -text -noout -in acm-pca-root-ca.pem")

    issue_the_verification_certificate(shell)
    registered = shell.run(
        "aws iot register-ca-certificate --ca-certificate file://./acm-pca-root-ca.pem"
        " --verification-cert file://./iot-registration.crt"
    )
    shell.set("CA_CERTIFICATE_ID", json.loads(registered)["certificateId"])
    assert shell.ca("$CA_CERTIFICATE_ID") == ("INACTIVE", "DISABLE", "DEFAULT")
    shell.run("aws iot update-ca-certificate --new-status ACTIVE --certificate-id $CA_CERTIFICATE_ID")
    assert shell.ca("$CA_CERTIFICATE_ID") == ("ACTIVE", "DISABLE", "DEFAULT")


def test_the_same_by_jitr(shell: Terminal) -> None:
    """One command makes the CA, another registers it; its devices get in with the default policy."""
    bucket = shell.instance.crl_bucket
    created = shell.run(
        "jitr ca create --private-ca root --common-name 'Walk by jitr, private' --key-type rsa-2048 --out ca.pem"
        f" --crl-bucket {bucket} --yes --json"
    )
    arn, ca = (json.loads(created)[key] for key in ("arn", "ca_certificate_id"))
    shell.run(f"jitr ca register --private-ca {arn} --mode DEFAULT --yes")
    assert shell.ca(ca) == ("ACTIVE", "ENABLE", "DEFAULT")
    # AWS Private CA writes CRLs into the bucket, moto does not.
    shell.run(f"jitr ca adopt --ca-certificate-id {ca} --crl none --yes")
    shell.run(f"jitr device create --cn walk-private --private-ca {arn} --yes")
    shell.run(
        "jitr device connect --certificate devices/walk-private/chain.pem --key devices/walk-private/device.key"
        " --server-ca $JITR_SERVER_CA --topic devices/walk-private/up --message Hello --base 1 --cap 3 --timeout 45"
    )


def install_as_the_console_does(shell: Terminal) -> None:
    """The steps behind the console's "Install CA certificate" for a root: 10 years, SHA256WITHRSA."""
    authority = "--certificate-authority-arn $CA_ARN"
    shell.run(f"aws acm-pca get-certificate-authority-csr {authority} --output text > ca.csr")
    root = shell.run(
        f"aws acm-pca issue-certificate {authority} --csr fileb://ca.csr --signing-algorithm SHA256WITHRSA"
        " --template-arn arn:aws:acm-pca:::template/RootCACertificate/V1 --validity Value=10,Type=YEARS"
        " --query CertificateArn --output text"
    )
    shell.run(f"aws acm-pca wait certificate-issued {authority} --certificate-arn {root}")
    shell.run(
        f"aws acm-pca get-certificate {authority} --certificate-arn {root} --query Certificate --output text > root.pem"
    )
    shell.run(f"aws acm-pca import-certificate-authority-certificate {authority} --certificate fileb://root.pem")


def issue_the_verification_certificate(shell: Terminal) -> None:
    """Document 000: iot-registration.crt, whose common name is the registration code, by the private CA."""
    code = shell.set("REGISTRATION_CODE", shell.run("aws iot get-registration-code --output text"))
    shell.run(
        "openssl req -nodes -new -newkey rsa:2048 -keyout iot-registration.key -out iot-registration.csr"
        ' -subj "/CN=$REGISTRATION_CODE"'
    )
    issued = shell.run(
        "aws acm-pca issue-certificate --certificate-authority-arn $CA_ARN --csr file://./iot-registration.csr"
        ' --signing-algorithm "SHA256WITHRSA" --validity Value=1,Type="DAYS"'
        " --idempotency-token $(date +'%Y%m%d%H%M%S')"
    )
    one = f"--certificate-authority-arn $CA_ARN --certificate-arn {json.loads(issued)['CertificateArn']}"
    shell.run(f"aws acm-pca wait certificate-issued {one}")
    shell.run(f"aws acm-pca get-certificate {one} > iot-registration.json")
    shell.run("jq -r '.Certificate' iot-registration.json > iot-registration.crt")
    assert code in shell.run("openssl x509 -text -noout -in iot-registration.crt -subject")
