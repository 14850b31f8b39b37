"""The enforcement function as Lambda sees it: what it sweeps for which event, and what it reports."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from cryptography import x509

from jitr.handlers.enforce import EnforcementHandler, SweepsFailed, build_function, published_at, published_object
from jitr.settings import CaStatus, Mode
from jitr_local import pki
from tests.aws.aws_faults import CallLog, failing
from tests.aws.emf import follow_stdout, logged, written
from tests.worlds.deployment import BUCKET, CRL_KEY, ENVIRONMENT, TestDeployment

SCHEDULE = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def created(key: str = CRL_KEY, *, now: datetime | None = None) -> dict[str, Any]:
    """S3's event for an object that was published just now."""
    at = (now or datetime.now(UTC)).isoformat(timespec="seconds").replace("+00:00", "Z")
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 1}, "reason": "PutObject"}
    return {"source": "aws.s3", "detail-type": "Object Created", "time": at, "detail": detail}


def figures(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """Return all figures that were written, the last of each name."""
    found: dict[str, float] = {}
    for line in capsys.readouterr().out.splitlines():
        written = json.loads(line)
        if "_aws" in written:
            assert written["deployment"] == "test"
            found |= {name: value[0] for name, value in written.items() if isinstance(value, list)}
    return found


def test_a_published_crl_is_enforced_at_once(
    deployment: TestDeployment, function: EnforcementHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """S3 says so, the device is off, and how long it took is measured."""
    device = deployment.ca.issue("device-1", serial=1)
    deployment.knock(device)
    deployment.publish(deployment.ca.crl([1], number=2))
    answer = function.run(created(), request_id="r")
    location = f"s3://{BUCKET}/{CRL_KEY}"
    assert answer["sweeps"] == [
        {
            "ca": "factory-1",
            "location": location,
            "outcome": "enforced",
            "reason": None,
            "switched_off": 1,
            "vanished": 0,
        }
    ]
    assert deployment.iot.status(device) == "REVOKED"
    measured = figures(capsys)
    assert measured["SwitchedOff"] == 1
    assert measured["SweepFailed"] == 0
    assert 0 <= measured["RevocationSeconds"] < 30
    assert 0 < measured["CrlLifePassed"] < 0.1
    assert measured["CaDaysLeft"] > 3000


def test_another_object_in_the_bucket_is_nobodys_crl(deployment: TestDeployment, function: EnforcementHandler) -> None:
    """Nothing is swept."""
    assert function.run(created("notes.txt"), request_id="r") == {"sweeps": []}


@pytest.mark.parametrize("status", list(CaStatus))
def test_a_schedule_sweeps_every_ca_whatever_its_status(
    deployment: TestDeployment, monkeypatch: pytest.MonkeyPatch, status: CaStatus
) -> None:
    """A retired CA brings in nobody, but its devices are still revoked."""
    device = deployment.ca.issue("device-1", serial=1)
    deployment.knock(device)
    deployment.configure(status=status)
    deployment.publish(deployment.ca.crl([1], number=2))
    real = boto3.Session.client
    monkeypatch.setattr(
        boto3.Session,
        "client",
        lambda session, service, **options: (
            deployment.iot_client if service == "iot" else real(session, service, **options)
        ),
    )
    function = build_function(replace(deployment.configuration, enforcement_tps=1000.0), ENVIRONMENT)
    function.run(SCHEDULE, request_id="r")
    assert deployment.iot.status(device) == "REVOKED"


def test_an_unusable_crl_is_reported_and_not_retried(
    deployment: TestDeployment, function: EnforcementHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next schedule looks again; Lambda's retries could not make it better."""
    deployment.publish(b"garbage")
    answer = function.run(SCHEDULE, request_id="r")
    assert [(each["outcome"], each["reason"]) for each in answer["sweeps"]] == [("failed", "malformed")]
    assert figures(capsys)["SweepFailed"] == 1


def test_an_object_of_another_bucket_that_is_refused_is_not_asked_for_again_at_once(
    function: EnforcementHandler,
) -> None:
    """S3 says 403 of a missing one too: neither comes right within the minutes of Lambda's retries."""
    elsewhere = replace(function.authorities.configuration.cas[0], crl="s3://pki-of-others/gone.crl")
    configuration = replace(function.authorities.configuration, cas=(elsewhere,))
    authorities = replace(function.authorities, configuration=configuration)
    handler = replace(function, authorities=authorities)
    with failing(function.enforcement.crls.sources.s3, "GetObject", "AccessDenied", 403):
        answer = handler.run(SCHEDULE, request_id="r")
    assert [(each["outcome"], each["reason"]) for each in answer["sweeps"]] == [("failed", "access_denied")]


def test_a_refusal_of_the_own_bucket_is_raised(deployment: TestDeployment, function: EnforcementHandler) -> None:
    """There a missing CRL is 404, so this is a permission that is being deployed."""
    refused = failing(function.enforcement.crls.sources.s3, "GetObject", "AccessDenied", 403)
    with refused, pytest.raises(SweepsFailed, match="access_denied"):
        function.run(SCHEDULE, request_id="r")


def test_a_failing_aws_call_is_raised(deployment: TestDeployment, function: EnforcementHandler) -> None:
    """So that Lambda delivers the event again, and at last dead-letters it."""
    device = deployment.ca.issue("device-1", serial=1)
    deployment.knock(device)
    deployment.publish(deployment.ca.crl([1], number=2))
    throttled = failing(deployment.iot_client, "UpdateCertificate", "ThrottlingException")
    with throttled, pytest.raises(SweepsFailed, match="throttled"):
        function.run(created(), request_id="r")
    function.run(created(), request_id="r")
    assert deployment.iot.status(device) == "REVOKED"


def test_a_certificate_that_others_activated_is_found_and_revoked(
    deployment: TestDeployment, function: EnforcementHandler
) -> None:
    """Never seen by us, ACTIVE, and on the CRL since long: the next schedule brings it in and switches it off."""
    deployment.publish(deployment.ca.crl([1], number=2))
    function.run(SCHEDULE, request_id="r1")
    device = deployment.ca.issue("device-1", serial=1)
    deployment.iot.connect(device, deployment.ca)
    deployment.iot.certificates[device.certificate_id].status = "ACTIVE"
    function.run(SCHEDULE, request_id="r2")
    assert deployment.iot.status(device) == "REVOKED"


def test_where_only_certificates_say_where_the_crl_is_those_of_others_say_so_too(
    deployment: TestDeployment, function: EnforcementHandler
) -> None:
    """No device was ever activated here: the schedule finds theirs, and by them the CRL that lists one."""
    url = f"https://{BUCKET}.s3.us-east-1.amazonaws.com/{CRL_KEY}"
    ca = replace(deployment.configuration.cas[0], crl="cdp")
    configuration = replace(deployment.configuration, cas=(ca,))
    function = build_function(configuration, ENVIRONMENT)
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    named = [(x509.CRLDistributionPoints([point]), False)]
    device = deployment.ca.issue("device-1", serial=1, extensions=named)
    deployment.iot.connect(device, deployment.ca)
    deployment.iot.certificates[device.certificate_id].status = "ACTIVE"
    deployment.publish(deployment.ca.crl([1], number=2))
    function.run(SCHEDULE, request_id="r1")
    assert deployment.iot.status(device) == "REVOKED"


def test_known_certificates_are_not_described_again(deployment: TestDeployment, function: EnforcementHandler) -> None:
    """The search for unknown ones costs one list call, however many there are."""
    for serial in range(1, 6):
        deployment.knock(deployment.ca.issue(f"device-{serial}", serial=serial))
    deployment.iot.calls.clear()
    function.run(SCHEDULE, request_id="r")
    assert "DescribeCertificate" not in deployment.iot.calls


def test_an_adopted_cas_crl_is_swept(deployment: TestDeployment, function: EnforcementHandler) -> None:
    """Adoption brings enforcement with it."""
    other = pki.CertificateAuthority.create("Other CA")
    deployment.iot.register_ca(other)
    deployment.publish(other.crl(), key="other.crl")
    deployment.activation.authorities.records.adopt(
        other.ca_certificate_id, crl=f"s3://{BUCKET}/other.crl", policy="default", by="test", at=deployment.clock()
    )
    outcomes = {each["location"]: each["outcome"] for each in function.run(SCHEDULE, request_id="r")["sweeps"]}
    assert outcomes[f"s3://{BUCKET}/other.crl"] == "enforced"


@pytest.mark.parametrize(
    "event", [None, [], "text", {}, {"detail": None}, {"detail": {"bucket": "b"}}, {"detail": {"bucket": {"name": 1}}}]
)
def test_any_other_event_is_a_schedule(event: object) -> None:
    """Nobody can make it sweep less by inventing an event; only an object's event narrows it."""
    assert published_object(event) is None
    assert published_at(event) is None


def test_the_time_of_publication_is_s3s() -> None:
    """As the event says."""
    when = datetime(2026, 11, 20, 12, 34, 56, tzinfo=UTC)
    assert published_at(created(now=when)) == when


def policy_allowing(resource: str, **options: Any) -> str:
    """A policy that allows a connect."""
    statement = {"Effect": "Allow", "Action": ["iot:Connect"], "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": statement}, **options)


TEMPLATE_MEANS = "arn:aws:iot:us-east-1:000000000000:client/x"


@pytest.mark.parametrize(
    ("deployed", "drifted"),
    [(None, 0), (policy_allowing(TEMPLATE_MEANS, indent=4), 0), (policy_allowing("*"), 1)],
    ids=["not there yet", "written differently", "changed by hand"],
)
def test_a_schedule_measures_how_many_policies_are_not_what_their_templates_say(
    deployment: TestDeployment,
    function: EnforcementHandler,
    capsys: pytest.CaptureFixture[str],
    deployed: str | None,
    drifted: int,
) -> None:
    """By meaning; and it writes 0 too, which ends the alarm."""
    if deployed is not None:
        deployment.iot_client.create_policy(policyName="jitr-test_default", policyDocument=deployed)
    function.run(SCHEDULE, request_id="r")
    assert figures(capsys)["DriftedPolicies"] == drifted
    assert deployment.iot.calls.count("GetPolicy") == 1


def test_a_drifted_policy_is_named_in_the_log(
    deployment: TestDeployment, function: EnforcementHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """The metric only counts."""
    deployment.iot_client.create_policy(policyName="jitr-test_default", policyDocument=policy_allowing("*"))
    function.run(SCHEDULE, request_id="r")
    warned = [vars(each) for each in caplog.records if each.levelname == "WARNING"]
    assert [(each["outcome"], each["policy"]) for each in warned] == [("drifted", "jitr-test_default")]


def test_a_published_crl_does_not_wait_for_policies(deployment: TestDeployment, function: EnforcementHandler) -> None:
    """Only a schedule compares them."""
    function.run(created(), request_id="r")
    assert "GetPolicy" not in deployment.iot.calls


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "InternalFailureException"])
def test_policies_that_cannot_be_read_disturb_no_sweep(
    deployment: TestDeployment, function: EnforcementHandler, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    """The device is off, the sweep is no failure, and nothing is measured rather than 0."""
    device = deployment.ca.issue("device-1", serial=1)
    deployment.knock(device)
    deployment.publish(deployment.ca.crl([1], number=2))
    with failing(deployment.iot_client, "GetPolicy", code):
        answer = function.run(SCHEDULE, request_id="r")
    assert [each["outcome"] for each in answer["sweeps"]] == ["enforced"]
    assert deployment.iot.status(device) == "REVOKED"
    measured = figures(capsys)
    assert "DriftedPolicies" not in measured
    assert measured["SweepFailed"] == 0


def test_a_template_that_cannot_be_used_keeps_no_sweep_from_running(
    deployment: TestDeployment, function: EnforcementHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """Templates are read when they are compared, not when the function starts."""
    deployment.configuration.policies["default"] = "{"  # type: ignore[index]
    assert [each["outcome"] for each in function.run(SCHEDULE, request_id="r")["sweeps"]] == ["enforced"]
    assert "DriftedPolicies" not in figures(capsys)


def test_a_failing_sweep_does_not_hide_drift(
    deployment: TestDeployment, function: EnforcementHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """The policies are compared before the sweep's failure is raised."""
    deployment.iot_client.create_policy(policyName="jitr-test_default", policyDocument=policy_allowing("*"))
    denied = failing(deployment.iot_client, "ListCertificatesByCA", "AccessDeniedException")
    with denied, pytest.raises(SweepsFailed):
        function.run(SCHEDULE, request_id="r")
    assert figures(capsys)["DriftedPolicies"] == 1


def test_after_sweeps_that_took_long_policies_have_to_wait(
    deployment: TestDeployment, function: EnforcementHandler
) -> None:
    """The function's time is the sweeps'; the next schedule compares."""

    def slow(**_: Any) -> None:
        deployment.clock.advance(minutes=11)

    late = replace(function, enforcement=replace(function.enforcement, clock=deployment.clock))
    deployment.iot_client.meta.events.register_first("before-call.iot.ListCertificatesByCA", slow)
    late.run(SCHEDULE, request_id="r")
    assert "GetPolicy" not in deployment.iot.calls


def test_a_deployment_that_only_observes_enforces_nothing(
    deployment: TestDeployment, function: EnforcementHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so, and asks nobody for anything."""
    device = deployment.ca.issue("device-1", serial=1)
    deployment.knock(device)
    deployment.publish(deployment.ca.crl([1], number=2))
    calls = CallLog(deployment.iot_client, deployment.dynamodb, deployment.s3)
    observing = build_function(replace(deployment.configuration, mode=Mode.OBSERVE), ENVIRONMENT)
    for event in (created(), SCHEDULE):
        assert observing.run(event, request_id="r") == {"sweeps": []}
    assert calls.calls == []
    assert deployment.iot.status(device) == "ACTIVE"
    assert "nothing is enforced: the deployment only observes" in caplog.text


class TestDeviceLines:
    """What happens to a device is in the log under its certificate id, not only in a count."""

    @pytest.fixture(autouse=True)
    def _followed(self, function: EnforcementHandler, monkeypatch: pytest.MonkeyPatch) -> None:
        """The logger is there once the function is."""
        follow_stdout(monkeypatch)

    def lines(self, capsys: pytest.CaptureFixture[str], device: pki.Device) -> list[dict[str, Any]]:
        """Return what the log says about a device."""
        return [line for line in logged(written(capsys)) if line.get("certificate_id") == device.certificate_id]

    def test_each_device_that_a_crl_switches_off_has_a_line(
        self, deployment: TestDeployment, function: EnforcementHandler, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With the reason, what it is now, and the CRL's number and address."""
        revoked, held = (deployment.ca.issue(f"device-{n}", serial=n) for n in (1, 2))
        for device in (revoked, held):
            deployment.knock(device)
        on_hold = pki.revoked_entry(2, reason=x509.ReasonFlags.certificate_hold)
        deployment.publish(deployment.ca.crl([1, on_hold], number=7))
        function.run(created(), request_id="r")
        lines = logged(written(capsys))
        found = {line["certificate_id"]: line for line in lines if line.get("outcome") == "switched_off"}
        assert found.keys() == {revoked.certificate_id, held.certificate_id}
        told = found[revoked.certificate_id]
        assert (told["reason"], told["status"], told["crl_number"]) == ("revoked", "REVOKED", 7)
        assert told["crl_location"] == f"s3://{BUCKET}/{CRL_KEY}"
        told = found[held.certificate_id]
        assert (told["reason"], told["status"]) == ("certificate_hold", "INACTIVE")

    def test_a_braked_device_says_that_it_is_one(
        self,
        deployment: TestDeployment,
        function: EnforcementHandler,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: Any,
    ) -> None:
        """INACTIVE, and with a reason of its own."""
        monkeypatch.setattr("jitr.enforcement.brake.SMALLEST_BRAKE", 0)
        device = deployment.ca.issue("device-1", serial=1)
        deployment.knock(device)
        deployment.publish(deployment.ca.crl([1], number=2))
        function.run(created(), request_id="r")
        # moto has no GetConnection: that the connection could not be looked at has a line of its own.
        (told,) = (each for each in self.lines(capsys, device) if each["outcome"] != "connection_unknown")
        assert (told["outcome"], told["reason"], told["status"]) == ("switched_off", "revocation_braked", "INACTIVE")

    def test_a_device_that_could_not_be_switched_off_is_named(
        self, deployment: TestDeployment, function: EnforcementHandler, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The sweep failed at this one."""
        device = deployment.ca.issue("device-1", serial=1)
        deployment.knock(device)
        deployment.publish(deployment.ca.crl([1], number=2))
        with (
            failing(deployment.iot_client, "UpdateCertificate", "AccessDeniedException", 403),
            pytest.raises(SweepsFailed),
        ):
            function.run(created(), request_id="r")
        (told,) = self.lines(capsys, device)
        assert (told["outcome"], told["reason"], told["level"]) == ("failed", "access_denied", "ERROR")

    def test_a_certificate_that_others_registered_has_a_line(
        self, deployment: TestDeployment, function: EnforcementHandler, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """From then on the CRL reaches it."""
        device = deployment.ca.issue("device-1", serial=1)
        deployment.iot.connect(device, deployment.ca)
        deployment.iot.certificates[device.certificate_id].status = "ACTIVE"
        function.run(SCHEDULE, request_id="r")
        (told,) = self.lines(capsys, device)
        assert (told["outcome"], told["ca_certificate_id"]) == ("imported", deployment.ca.ca_certificate_id)

    def test_an_import_that_fails_is_told(
        self, deployment: TestDeployment, function: EnforcementHandler, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With the certificate at which it failed, by whatever looked for it."""
        device = deployment.ca.issue("device-1", serial=1)
        deployment.iot.connect(device, deployment.ca)
        deployment.iot.certificates[device.certificate_id].status = "ACTIVE"
        with (
            failing(deployment.iot_client, "DescribeCertificate", "AccessDeniedException", 403),
            pytest.raises(SweepsFailed),
        ):
            function.run(SCHEDULE, request_id="r")
        told = {(line["outcome"], line["reason"], line["ca"]) for line in self.lines(capsys, device)}
        assert told == {("failed", "access_denied", "factory-1")}
