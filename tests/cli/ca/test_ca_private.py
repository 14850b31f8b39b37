"""CAs in AWS Private CA: made, finished after an interruption, and registered. The service is moto's.

What moto cannot show: it signs everything with RSA and SHA-512 for a year, gives a subordinate CA no extensions, and
publishes no CRL. What is asked of AWS Private CA is therefore looked at in the requests themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509

from tests.aws.aws_faults import CallLog, Killed
from tests.aws.fake_iot import REGION
from tests.cli.conftest import Answer, Jitr
from tests.worlds.deployment import TestDeployment

UNKNOWN = f"arn:aws:acm-pca:{REGION}:123456789012:certificate-authority/0b8d5c4e-0000-4000-8000-000000000000"


class Requests(list[tuple[str, dict[str, Any]]]):
    """What was asked of AWS Private CA, in order."""

    def of(self, operation: str) -> list[dict[str, Any]]:
        """Return the parameters of each call of one operation."""
        return [parameters for name, parameters in self if name == operation]


@pytest.fixture
def log(stack: TestDeployment) -> CallLog:
    """Count the calls to AWS Private CA, to end the process after some."""
    return CallLog()


@pytest.fixture
def requests(stack: TestDeployment, monkeypatch: pytest.MonkeyPatch, log: CallLog) -> Requests:
    """Record what every acm-pca client asks for."""
    seen = Requests()
    real = boto3.Session.client

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        made = real(session, service, **options)  # type: ignore[call-overload]
        if service == "acm-pca":
            made.meta.events.register(
                "provide-client-params.acm-pca", lambda params, model, **_: seen.append((model.name, dict(params)))
            )
            made.meta.events.register("after-call.acm-pca", log._called)
        return made

    monkeypatch.setattr(boto3.Session, "client", client)
    return seen


@pytest.fixture
def pca(stack: TestDeployment) -> Any:
    """Return a client that looks at the outcome."""
    return boto3.client("acm-pca", region_name=REGION)


def create(jitr: Jitr, *more: object) -> Answer:
    """Create a CA without being asked."""
    return jitr("ca", "create", "--common-name", "Fleet CA", "--yes", "--json", *more)


def test_a_root_is_made_certified_and_active(jitr: Jitr, requests: Requests, pca: Any, tmp_path: Path) -> None:
    """Three steps, one command; its certificate is in the file."""
    answer = create(jitr, "--private-ca", "root", "--days", "400", "--out", tmp_path / "ca.pem")
    assert answer.exit_code == 0, answer.err
    arn = answer.json["arn"]
    assert pca.describe_certificate_authority(CertificateAuthorityArn=arn)["CertificateAuthority"]["Status"] == "ACTIVE"
    installed = pca.get_certificate_authority_certificate(CertificateAuthorityArn=arn)["Certificate"]
    written = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())
    assert x509.load_pem_x509_certificate(installed.encode()) == written
    (issued,) = requests.of("IssueCertificate")
    assert issued["TemplateArn"] == "arn:aws:acm-pca:::template/RootCACertificate/V1"
    assert issued["Validity"] == {"Value": 400, "Type": "DAYS"}
    assert "account 123456789012 · Region us-east-1" in answer.err


def test_a_subordinate_ca_is_signed_by_its_parent(jitr: Jitr, requests: Requests) -> None:
    """With a template that allows no CA below it, and with its parent's chain."""
    parent = create(jitr, "--private-ca", "root").json["arn"]
    answer = create(jitr, "--private-ca", "subordinate", "--parent", parent)
    assert answer.exit_code == 0, answer.err
    _, issued = requests.of("IssueCertificate")
    assert issued["CertificateAuthorityArn"] == parent
    assert issued["TemplateArn"] == "arn:aws:acm-pca:::template/SubordinateCACertificate_PathLen0/V1"
    root, subordinate = requests.of("ImportCertificateAuthorityCertificate")
    assert "CertificateChain" not in root
    assert subordinate["CertificateAuthorityArn"] == answer.json["arn"]
    assert subordinate["CertificateChain"].startswith(b"-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize(
    ("kind", "algorithm", "signing"),
    [
        ("ec-p256", "EC_prime256v1", "SHA256WITHECDSA"),
        ("ec-p384", "EC_secp384r1", "SHA384WITHECDSA"),
        ("rsa-2048", "RSA_2048", "SHA256WITHRSA"),
    ],
)
def test_each_kind_of_key_signs_with_what_every_region_has(
    jitr: Jitr, requests: Requests, kind: str, algorithm: str, signing: str
) -> None:
    """Newer Regions accept one hash for each curve only."""
    assert create(jitr, "--private-ca", "root", "--key-type", kind).exit_code == 0
    (made,) = requests.of("CreateCertificateAuthority")
    configuration = made["CertificateAuthorityConfiguration"]
    assert (configuration["KeyAlgorithm"], configuration["SigningAlgorithm"]) == (algorithm, signing)
    assert requests.of("IssueCertificate")[0]["SigningAlgorithm"] == signing


def test_crls_go_into_a_bucket_that_is_not_public(jitr: Jitr, requests: Requests) -> None:
    """PUBLIC_READ is AWS's default, and fails for a bucket that blocks public access."""
    options = ["--crl-bucket", "jitr-test-crl", "--crl-days", "3", "--crl-type", "PARTITIONED"]
    assert create(jitr, "--private-ca", "root", *options).exit_code == 0
    (made,) = requests.of("CreateCertificateAuthority")
    assert made["RevocationConfiguration"]["CrlConfiguration"] == {
        "Enabled": True,
        "S3BucketName": "jitr-test-crl",
        "S3ObjectAcl": "BUCKET_OWNER_FULL_CONTROL",
        "ExpirationInDays": 3,
        "CrlType": "PARTITIONED",
    }


def test_a_ca_without_crl_is_worth_a_note(jitr: Jitr, requests: Requests) -> None:
    """Nothing could be revoked by it."""
    assert "publishes no CRL" in create(jitr, "--private-ca", "root").err


@pytest.mark.parametrize("calls", [1, 2, 3, 4, 5, 6])
def test_an_interrupted_ca_is_finished_later(
    jitr: Jitr, requests: Requests, log: CallLog, pca: Any, calls: int
) -> None:
    """Wherever it stopped: no second CA is made, and it ends ACTIVE."""
    log.kill_after = calls
    with pytest.raises(Killed):
        create(jitr, "--private-ca", "root")
    log.kill_after = None
    (arn,) = [each["Arn"] for each in pca.list_certificate_authorities()["CertificateAuthorities"]]
    answer = jitr("ca", "create", "--finish", arn, "--yes", "--json")
    assert answer.exit_code == 0, answer.err
    assert answer.json["arn"] == arn
    assert len(requests.of("CreateCertificateAuthority")) == 1
    assert pca.describe_certificate_authority(CertificateAuthorityArn=arn)["CertificateAuthority"]["Status"] == "ACTIVE"


def test_a_finished_ca_is_not_finished_again(jitr: Jitr, requests: Requests) -> None:
    """A second certificate would make strangers of its devices."""
    arn = create(jitr, "--private-ca", "root").json["arn"]
    answer = jitr("ca", "create", "--finish", arn, "--yes")
    assert (answer.exit_code, "is ACTIVE: there is nothing to finish" in answer.err) == (64, True)
    assert len(requests.of("ImportCertificateAuthorityCertificate")) == 1


def test_nothing_is_created_without_a_yes(jitr: Jitr, requests: Requests) -> None:
    """It costs money; with --dry-run nobody is asked."""
    options = ["ca", "create", "--common-name", "Fleet CA", "--private-ca", "root"]
    assert jitr(*options).exit_code == 130
    answer = jitr(*options, "--dry-run")
    assert (answer.exit_code, "AWS charges for it" in answer.err) == (0, True)
    assert requests == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--private-ca", "subordinate"], "needs --parent"),
        (["--private-ca", "root", "--parent", UNKNOWN], "a root has no --parent"),
        (["--private-ca", "root", "--no-passphrase"], "there is no key file"),
        (["--private-ca", "root", "--key-out", "x"], "there is no key file"),
        (["--finish", UNKNOWN], "--finish goes on with a CA as it was created"),
        (["--private-ca", "subordinate", "--parent", "arn:aws:iot:x"], "is not arn:aws:acm-pca"),
        (["--private-ca", "subordinate", "--parent", UNKNOWN.replace(REGION, "eu-west-1")], "is not in Region"),
    ],
)
def test_options_that_do_not_go_together_are_usage(
    jitr: Jitr, requests: Requests, options: list[str], complaint: str
) -> None:
    """Nothing is created."""
    answer = create(jitr, *options)
    assert (answer.exit_code, complaint in answer.err) == (64, True), answer.err
    assert requests.of("CreateCertificateAuthority") == []


def test_an_unknown_parent_is_aws_answer(jitr: Jitr, requests: Requests) -> None:
    """69, and nothing is created for it."""
    answer = create(jitr, "--private-ca", "subordinate", "--parent", UNKNOWN)
    assert (answer.exit_code, "ResourceNotFoundException" in answer.err) == (69, True)
    assert requests.of("CreateCertificateAuthority") == []


@pytest.mark.parametrize("mode", ["SNI_ONLY", "DEFAULT"])
def test_it_is_registered_by_its_arn(stack: TestDeployment, jitr: Jitr, requests: Requests, mode: str) -> None:
    """In DEFAULT mode AWS Private CA signs the verification certificate; no key is ever in a file."""
    created = create(jitr, "--private-ca", "root").json
    answer = jitr("ca", "register", "--private-ca", created["arn"], "--mode", mode, "--yes", "--json")
    assert answer.exit_code == 0, answer.err
    assert answer.json["ca_certificate_id"] == created["ca_certificate_id"]
    assert stack.iot.cas[created["ca_certificate_id"]].mode == mode
    verification = requests.of("IssueCertificate")[1:]
    assert len(verification) == (mode == "DEFAULT")
    for each in verification:
        csr = x509.load_pem_x509_csr(each["Csr"])
        assert csr.subject.rfc4514_string() == f"CN={stack.iot.registration_code}"
        assert each["Validity"] == {"Value": 1, "Type": "DAYS"}
        assert each["TemplateArn"].endswith("EndEntityCertificate/V1")


def test_a_dry_run_has_nothing_signed(stack: TestDeployment, jitr: Jitr, requests: Requests) -> None:
    """A certificate from AWS Private CA costs money too."""
    arn = create(jitr, "--private-ca", "root").json["arn"]
    requests.clear()
    answer = jitr("ca", "register", "--private-ca", arn, "--mode", "DEFAULT", "--dry-run")
    assert (answer.exit_code, "would be asked to sign" in answer.err) == (0, True)
    assert requests.of("IssueCertificate") == []
    assert "RegisterCACertificate" not in stack.iot.calls


def test_a_ca_without_certificate_is_not_registered(jitr: Jitr, requests: Requests, pca: Any) -> None:
    """The way on is said."""
    arn = pca.create_certificate_authority(
        CertificateAuthorityConfiguration={
            "KeyAlgorithm": "RSA_2048",
            "SigningAlgorithm": "SHA256WITHRSA",
            "Subject": {"CommonName": "x"},
        },
        CertificateAuthorityType="ROOT",
    )["CertificateAuthorityArn"]
    answer = jitr("ca", "register", "--private-ca", arn, "--yes")
    assert (answer.exit_code, f"jitr ca create --finish {arn}" in answer.err) == (64, True)
    pca.update_certificate_authority(CertificateAuthorityArn=arn, Status="DISABLED")
    answer = jitr("ca", "register", "--private-ca", arn, "--yes")
    assert (answer.exit_code, "is DISABLED" in answer.err) == (64, True)
