"""The scheduled run over odd CAs and devices: what is odd about one keeps no other from its CRL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jitr.enforcement.reconciliation import Reconciliation
from jitr.errors import Outcome
from jitr.handlers.enforce import EnforcementHandler, SweepsFailed, build_function
from jitr.settings import ManagedCa
from jitr_local import pki
from tests.worlds import odd_certificates as odd
from tests.worlds import raw_der
from tests.worlds.deployment import BUCKET, CRL_KEY, ENVIRONMENT, TestDeployment

SCHEDULE = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
ADDRESS = f"https://{BUCKET}.s3.us-east-1.amazonaws.com/{CRL_KEY}"
NO_URL = "http://[crl-host]/x"
LATIN_1 = odd.distinguished_name("Fábrica CA", odd.TELETEX)


@pytest.fixture
def pointing(deployment: TestDeployment, function: EnforcementHandler) -> EnforcementHandler:
    """The function of a deployment whose certificates say where their CRL is."""
    deployment.configure(crl="cdp")
    return build_function(replace(deployment.configuration, enforcement_tps=1000.0), ENVIRONMENT)


def by_hand(deployment: TestDeployment, device: pki.Device, ca: pki.CertificateAuthority) -> None:
    """Register a certificate as ACTIVE, past us."""
    deployment.iot.connect(device, ca)
    deployment.iot.certificates[device.certificate_id].status = "ACTIVE"


class TestCaFalseWrittenOut:
    """`cA FALSE` written out beside the distribution point, where only certificates say where the CRL is."""

    def test_its_distribution_point_is_watched_once_it_is_activated(
        self, deployment: TestDeployment, pointing: EnforcementHandler
    ) -> None:
        """And a CRL that lists it there switches it off."""
        device = odd.pointing_device(deployment.ca, 1, ADDRESS)
        assert deployment.knock(device).outcome is Outcome.ACTIVATED
        (ca,) = pointing.authorities.configuration.cas
        assert pointing.authorities.locations(ca, at=deployment.clock()) == (f"s3://{BUCKET}/{CRL_KEY}",)
        deployment.publish(deployment.ca.crl([1], number=2))
        answer = pointing.run(SCHEDULE, request_id="r")
        assert [each["outcome"] for each in answer["sweeps"]] == ["enforced"]
        assert deployment.iot.status(device) == "REVOKED"

    @pytest.mark.parametrize("found_by", ["the newest", "a pass"])
    def test_its_distribution_point_is_watched_where_others_activated_it(
        self, deployment: TestDeployment, pointing: EnforcementHandler, monkeypatch: pytest.MonkeyPatch, found_by: str
    ) -> None:
        """The run that finds it looks there, or the next one does."""
        if found_by == "a pass":
            monkeypatch.setattr("jitr.handlers.enforce.NEWEST", 0)
        else:
            monkeypatch.setattr(Reconciliation, "steps", lambda *_, **__: iter(()))
        device = odd.pointing_device(deployment.ca, 1, ADDRESS)
        by_hand(deployment, device, deployment.ca)
        deployment.publish(deployment.ca.crl([1], number=2))
        for request_id in ("r1", "r2"):
            pointing.run(SCHEDULE, request_id=request_id)
        assert deployment.iot.status(device) == "REVOKED"

    def test_a_listed_one_does_not_get_in(self, deployment: TestDeployment, pointing: EnforcementHandler) -> None:
        """Its CRL is found."""
        deployment.publish(deployment.ca.crl([1], number=2))
        device = odd.pointing_device(deployment.ca, 1, ADDRESS)
        assert deployment.knock(device).outcome is Outcome.REJECTED
        assert deployment.iot.status(device) == "REVOKED"


@pytest.fixture
def latin_1(deployment: TestDeployment) -> pki.CertificateAuthority:
    """A CA whose subject is TeletexString in Latin-1, first in the fleet file."""
    ca = odd.odd_ca(LATIN_1)
    deployment.iot.register_ca(ca)
    managed = ManagedCa(
        name="fabrica",
        ca_certificate_id=ca.ca_certificate_id,
        certificate=pki.pem(ca.certificate),
        crl=f"s3://{BUCKET}/fabrica.crl",
        policy="default",
    )
    cas = (managed, *deployment.configuration.cas)
    deployment.configuration = replace(deployment.configuration, cas=cas, enforcement_tps=1000.0)
    deployment.activation = deployment.container()
    publish(deployment, ca)
    return ca


def publish(deployment: TestDeployment, ca: pki.CertificateAuthority, *serials: int) -> None:
    """Publish the Latin-1 CA's CRL, under its name as its certificate writes it."""
    number = raw_der.extension("cRLNumber", raw_der.integer(1 + len(serials)))
    listed = raw_der.entries(serials) if serials else None
    deployment.publish(raw_der.crl(ca, listed, extensions=[number], issuer=LATIN_1), key="fabrica.crl")


def test_a_ca_with_latin_1_in_its_name_is_enforced_as_any_other(
    deployment: TestDeployment, function: EnforcementHandler, latin_1: pki.CertificateAuthority
) -> None:
    """Its devices get in and go off, and so do those of the CA behind it."""
    run = build_function(deployment.configuration, ENVIRONMENT).run
    key = pki.new_key()
    device = odd.device(raw_der.certificate(latin_1, 7, issuer=LATIN_1, key=key), 7, key)
    assert deployment.deliver(deployment.iot.connect(device, latin_1)).outcome is Outcome.ACTIVATED
    other = deployment.ca.issue("device-2", serial=8)
    assert deployment.knock(other).outcome is Outcome.ACTIVATED
    publish(deployment, latin_1, 7)
    deployment.publish(deployment.ca.crl([8], number=2))
    answer = run(SCHEDULE, request_id="r")
    assert {each["ca"]: each["outcome"] for each in answer["sweeps"]} == {
        "fabrica": "enforced",
        "factory-1": "enforced",
    }
    assert (deployment.iot.status(device), deployment.iot.status(other)) == ("REVOKED", "REVOKED")


@pytest.mark.parametrize("points", [(NO_URL,), (NO_URL, ADDRESS)], ids=["alone", "beside a usable one"])
def test_a_distribution_point_that_is_no_url_keeps_no_other_ca_from_its_crl(
    deployment: TestDeployment, pointing: EnforcementHandler, points: tuple[str, ...]
) -> None:
    """It is somebody's certificate that says so; another CA's listed device goes off in the same run."""
    key = pki.new_key()
    odd_one = odd.device(raw_der.certificate(deployment.ca, 1, odd.point(*points), key=key), 1, key)
    by_hand(deployment, odd_one, deployment.ca)
    other = adopted(deployment)
    listed = other.issue("device-9", serial=9)
    by_hand(deployment, listed, other)
    deployment.publish(other.crl([9], number=2), key="other.crl")
    deployment.publish(deployment.ca.crl([1], number=2))
    answers = [ran(pointing, request_id) for request_id in ("r1", "r2")]
    assert deployment.iot.status(listed) == "REVOKED"
    # What one usable point says is enforced, whatever the other one is.
    assert deployment.iot.status(odd_one) == ("REVOKED" if len(points) > 1 else "ACTIVE")
    told = {each["location"]: each["outcome"] for each in answers[1]["sweeps"]}
    assert told[NO_URL] == "failed"


def adopted(deployment: TestDeployment) -> pki.CertificateAuthority:
    """A second CA, which comes after the first one in every run."""
    other = pki.CertificateAuthority.create("other")
    deployment.iot.register_ca(other)
    deployment.publish(other.crl(), key="other.crl")
    deployment.activation.authorities.records.adopt(
        other.ca_certificate_id, crl=f"s3://{BUCKET}/other.crl", policy="default", by="test", at=deployment.clock()
    )
    return other


def ran(function: EnforcementHandler, request_id: str) -> Any:
    """Let a schedule run; nothing of this is a failure of AWS, so that it is not to be tried again at once."""
    try:
        return function.run(SCHEDULE, request_id=request_id)
    except SweepsFailed as failure:
        pytest.fail(f"the whole run failed: {failure}")


REVERSIBLE = {
    "certificateHold marked critical": raw_der.extension("reasonCode", raw_der.integer(6, tag=0x0A), critical=True),
    "removeFromCRL": raw_der.reason(8),
    "a reason that cannot be read": raw_der.extension("reasonCode", b"\x04\x01\x06"),
}


@pytest.mark.parametrize("reason", REVERSIBLE)
def test_what_may_end_never_becomes_revoked_for_good(
    deployment: TestDeployment, function: EnforcementHandler, reason: str
) -> None:
    """Off, and `jitr device reinstate` can bring it back: AWS IoT does not lead out of REVOKED."""
    device = deployment.ca.issue("device-1", serial=1)
    assert deployment.knock(device).outcome is Outcome.ACTIVATED
    number = raw_der.extension("cRLNumber", raw_der.integer(2))
    deployment.publish(raw_der.crl(deployment.ca, raw_der.entry(1, REVERSIBLE[reason]), extensions=[number]))
    function.run(SCHEDULE, request_id="r")
    assert deployment.iot.status(device) == "INACTIVE"
