"""`mode = "observe"`: says what would happen, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography import x509

from jitr.aws.iot import CertificateStatus
from jitr.certificates import issuer_key
from jitr.errors import Outcome, Reason
from jitr_local import pki
from tests.aws.aws_faults import CallLog, failing
from tests.worlds.deployment import TestDeployment

READS = {
    "DescribeCertificate",
    "DescribeCACertificate",
    "GetObject",
    "GetItem",
}


def listed(deployment: TestDeployment) -> pki.Device:
    """A device on the CRL."""
    deployment.publish(deployment.ca.crl([5]))
    return deployment.ca.issue(serial=5)


def held(deployment: TestDeployment) -> pki.Device:
    """A device on hold."""
    deployment.publish(deployment.ca.crl([pki.revoked_entry(5, reason=x509.ReasonFlags.certificate_hold)]))
    return deployment.ca.issue(serial=5)


def without_crl(deployment: TestDeployment) -> pki.Device:
    """A device whose CA publishes nothing usable."""
    deployment.publish(b"<html>")
    return deployment.ca.issue()


def revoked_before(deployment: TestDeployment) -> pki.Device:
    """A device whose row says that it was revoked, before it was deleted and registered again."""
    device = deployment.ca.issue(serial=5)
    key = f"{issuer_key(deployment.ca.certificate)}#5"
    deployment.activation.rows.want_revocation(
        key, certificate_id=device.certificate_id, wanted=CertificateStatus.REVOKED, facts={}
    )
    deployment.activation.rows.finish_revocation(key, done=CertificateStatus.REVOKED)
    return device


def unlisted(deployment: TestDeployment) -> pki.Device:
    """A device that its CA's allow-list does not name."""
    deployment.configure(allow_list=True)
    return deployment.ca.issue()


CASES: dict[str, tuple[Callable[[TestDeployment], pki.Device], Reason | None, int]] = {
    "good": (lambda deployment: deployment.ca.issue(), None, 8),
    "weak": (lambda deployment: deployment.ca.issue(key="RSA-1024"), Reason.WEAK_KEY, 4),
    "listed": (listed, Reason.REVOKED, 5),
    "on hold": (held, Reason.CERTIFICATE_HOLD, 5),
    "no usable CRL": (without_crl, Reason.MALFORMED, 5),
    "not on the allow-list": (unlisted, Reason.NOT_ALLOWED, 5),
    "revoked before": (revoked_before, Reason.REVOKED_BEFORE, 6),
}


@pytest.mark.parametrize("case", CASES)
def test_it_says_how_the_event_would_end_and_writes_nothing(deployment: TestDeployment, case: str) -> None:
    """The reason that the function would give; only calls that read."""
    arrange, reason, step = CASES[case]
    device = arrange(deployment)
    event = deployment.iot.connect(device, deployment.ca)
    log = CallLog(deployment.iot_client, deployment.dynamodb, deployment.s3)
    result = deployment.observer().activate(event, owner="event")
    assert (result.outcome, result.reason, result.step) == (Outcome.OBSERVED, reason, step)
    assert set(log.calls) <= READS
    assert deployment.iot.status(device) == "PENDING_ACTIVATION"


@pytest.mark.parametrize("case", CASES)
def test_the_function_then_ends_with_what_was_foreseen(deployment: TestDeployment, case: str) -> None:
    """One set of rules: an observation that was wrong would be worse than none."""
    arrange, _, _ = CASES[case]
    device = arrange(deployment)
    event = deployment.iot.connect(device, deployment.ca)
    observed = deployment.observer().activate(event, owner="event")
    try:
        ended = deployment.deliver(event).reason
    except Exception as error:  # noqa: BLE001 - an undecided event is raised
        ended = getattr(error, "reason", None)
    assert ended == observed.reason


@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE", "REVOKED"])
def test_what_is_decided_stays_as_it_is(deployment: TestDeployment, status: str) -> None:
    """The handler that is there already was faster, or an operator."""
    device = deployment.ca.issue()
    event = deployment.iot.connect(device, deployment.ca)
    deployment.iot.certificates[device.certificate_id].status = status
    result = deployment.observer().activate(event, owner="event")
    assert (result.outcome, result.reason) == (Outcome.ALREADY_DECIDED, status.lower())
    assert deployment.iot.status(device) == status


def test_what_fails_is_reported_and_not_retried(deployment: TestDeployment) -> None:
    """Nobody waits for an observation."""
    event = deployment.iot.connect(deployment.ca.issue(), deployment.ca)
    with failing(deployment.iot_client, "DescribeCertificate", "ThrottlingException"):
        result = deployment.observer().activate(event, owner="event")
    assert (result.outcome, result.reason, result.step) == (Outcome.OBSERVED, Reason.THROTTLED, 2)
    assert deployment.observer().activate({"certificateId": 7}, owner="event").reason == Reason.MALFORMED_EVENT
