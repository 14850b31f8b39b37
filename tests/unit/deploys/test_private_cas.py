"""CAs in AWS Private CA whose certificates no file holds: what the deploy tells the functions, and what follows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from jitr.errors import Reason, Undecided
from jitr.handlers.enforce import build_function
from jitr.settings import (
    CONFIGURATION_FILE,
    PRIVATE_CAS_VARIABLE,
    Configuration,
    Environment,
    ManagedCa,
    read_settings,
)
from jitr_local import pki
from tests.aws.fake_iot_cas import FakeCa
from tests.worlds.deployment import BUCKET, CRL_KEY, ENVIRONMENT, TestDeployment

WAITING = ManagedCa(name="new", ca_certificate_id="", certificate="", crl="", policy="default", known_at_deploy=True)
REVIEWED = ManagedCa(name="old", ca_certificate_id="cd" * 32, certificate="PEM", crl="none", policy="default")
CONFIGURATION = Configuration(deployment="test", cas=(WAITING, REVIEWED))
CRL = "s3://bucket/crl/0b8d5c4e.crl"


def told(**cas: dict[str, str]) -> str:
    """What the deploy writes into the environment."""
    return json.dumps(cas)


@pytest.fixture
def private(deployment: TestDeployment) -> TestDeployment:
    """A deployment whose CA is known since the deploy only."""
    deployment.configure(certificate="", known_at_deploy=True)
    return deployment


def test_the_deploys_findings_complete_the_configuration() -> None:
    """Id and CRL of the CAs that wait for them, and nothing about the others."""
    findings = told(new={"id": "ab" * 32, "crl": CRL}, old={"id": "ef" * 32, "crl": CRL})
    new, old = CONFIGURATION.completed(findings).cas
    assert (new.ca_certificate_id, new.crl) == ("ab" * 32, CRL)
    assert old == REVIEWED


def test_a_reviewed_crl_source_stays() -> None:
    """What the fleet file says wins."""
    spelled_out = replace(CONFIGURATION, cas=(replace(WAITING, crl="none"),))
    (ca,) = spelled_out.completed(told(new={"id": "ab" * 32, "crl": CRL})).cas
    assert ca.crl == "none"


@pytest.mark.parametrize(
    "findings",
    ["", "{", "[]", told(), told(new={"crl": CRL}), told(new={"id": "AB", "crl": CRL}), told(new={"id": "ab" * 32})],
)
def test_a_finding_that_is_missing_stops_the_function(findings: str) -> None:
    """Nothing is managed by halves: the function does not start, and its alarm says so."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        CONFIGURATION.completed(findings)


def test_a_configuration_survives_the_bundle(tmp_path: Path) -> None:
    """With everything that a CA can have."""
    full = replace(WAITING, thing_type="pump", thing_groups=("a", "b"), thing_attributes={"x": "y"}, allow_list=True)
    configuration = replace(CONFIGURATION, cas=(full,))
    (tmp_path / CONFIGURATION_FILE).write_text(configuration.to_json(), encoding="utf-8")
    environ = {
        "JITR_ACCOUNT": "1",
        "AWS_REGION": "r",
        "JITR_PARTITION": "aws",
        "JITR_STATE_TABLE": "t",
        "JITR_CRL_BUCKET": "b",
    }
    found, environment = read_settings(
        tmp_path, environ | {PRIVATE_CAS_VARIABLE: told(new={"id": "ab" * 32, "crl": "cdp"})}
    )
    assert found.cas == (replace(full, ca_certificate_id="ab" * 32, crl="cdp"),)
    assert environment.private_cas
    assert Environment.from_environ(environ).private_cas == ""
    with pytest.raises(KeyError):
        read_settings(tmp_path, environ)


def test_a_device_of_such_a_ca_becomes_active(private: TestDeployment) -> None:
    """Against the certificate that AWS IoT holds, whose fingerprint is the one that the deploy found."""
    device = private.ca.issue()
    private.knock(device)
    assert private.iot.status(device) == "ACTIVE"


def test_another_certificate_in_aws_iot_brings_in_nobody(private: TestDeployment) -> None:
    """Whoever can register CAs is not thereby trusted with devices."""
    impostor = pki.CertificateAuthority.create()
    private.iot.cas[private.ca.ca_certificate_id] = FakeCa(pki.pem(impostor.certificate))
    device = impostor.issue()
    with pytest.raises(Undecided) as caught:
        private.knock(device)
    assert caught.value.reason is Reason.CA_MISMATCH


class TestEnforcement:
    """A CRL that AWS Private CA has not written yet."""

    @pytest.fixture
    def run(self, private: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Run the scheduled function, and return what became of each CRL."""
        real = boto3.Session.client

        def client(session: boto3.Session, service: str, **options: Any) -> Any:
            return private.iot_client if service == "iot" else real(session, service, **options)  # type: ignore[call-overload]

        monkeypatch.setattr(boto3.Session, "client", client)

        def run_once() -> list[tuple[str, str | None]]:
            function = build_function(replace(private.configuration, enforcement_tps=1000.0), ENVIRONMENT)
            sweeps = function.run({"source": "aws.events"}, request_id="r")["sweeps"]
            return [(each["outcome"], each["reason"]) for each in sweeps]

        return run_once

    def test_before_the_first_device_it_is_no_failure(self, private: TestDeployment, run: Any) -> None:
        """AWS writes it after the first certificate; an alarm on each fresh deployment would be ignored soon."""
        private.s3.delete_object(Bucket=BUCKET, Key=CRL_KEY)
        assert run() == [("no_crl_yet", None)]

    def test_once_there_are_devices_it_is(self, private: TestDeployment, run: Any) -> None:
        """Then it was there, and somebody took it away."""
        private.knock(private.ca.issue())
        private.s3.delete_object(Bucket=BUCKET, Key=CRL_KEY)
        assert run() == [("failed", "no_crl")]

    def test_a_crl_of_a_ca_in_a_file_has_to_be_there(self, private: TestDeployment, run: Any) -> None:
        """Its owner publishes it before the first device."""
        private.configure(certificate=pki.pem(private.ca.certificate), known_at_deploy=False)
        private.s3.delete_object(Bucket=BUCKET, Key=CRL_KEY)
        assert run() == [("failed", "no_crl")]
