"""`jitr device import`: certificates that others registered, brought under revocation."""

from __future__ import annotations

import pytest
from cryptography import x509

from jitr.certificates import issuer_key
from jitr.enforcement.sweep import SweepOutcome
from jitr_local import pki
from jitr_local.pki import Device
from tests.aws.aws_faults import CallLog, Killed
from tests.cli.conftest import Jitr
from tests.worlds.deployment import TestDeployment

HOLD = x509.ReasonFlags.certificate_hold


def foreign(stack: TestDeployment, serials: range) -> list[Device]:
    """Certificates that somebody else activated."""
    devices = [stack.ca.issue(f"device-{serial}", serial=serial) for serial in serials]
    for device in devices:
        stack.iot.connect(device, stack.ca)
        stack.iot.certificates[device.certificate_id].status = "ACTIVE"
    return devices


def run(jitr: Jitr, stack: TestDeployment, *more: str) -> tuple[int, str]:
    """Import everything of the first CA, fast."""
    answer = jitr(
        "device", "import", "--ca-certificate-id", stack.ca.ca_certificate_id, "--rate", "100", "--yes", *more
    )
    return answer.exit_code, answer.err


def test_imported_certificates_are_revoked_by_the_next_sweep(stack: TestDeployment, jitr: Jitr) -> None:
    """Even if the CRL that lists them was enforced long ago."""
    devices = foreign(stack, range(1, 4))
    stack.publish(stack.ca.crl([1, 2], number=2))
    assert stack.sweep().switched_off == 0
    exit_code, words = run(jitr, stack)
    assert exit_code == 0, words
    assert "3 certificates are not in the registry" in words
    sweep = stack.sweep()
    assert (sweep.outcome, sweep.switched_off) == (SweepOutcome.ENFORCED, 2)
    assert [stack.iot.status(device) for device in devices] == ["REVOKED", "REVOKED", "ACTIVE"]


@pytest.mark.parametrize(("reason", "expected"), [(None, "REVOKED"), (HOLD, "INACTIVE")])
def test_a_second_certificate_of_a_listed_serial_goes_too(
    stack: TestDeployment, jitr: Jitr, reason: x509.ReasonFlags | None, expected: str
) -> None:
    """The first one was switched off long ago; whoever activated the second one did not look."""
    first = stack.ca.issue("device-1", serial=1)
    stack.knock(first)
    stack.publish(stack.ca.crl([pki.revoked_entry(1, reason=reason)], number=2))
    stack.sweep()
    (second,) = foreign(stack, range(1, 2))
    assert second.certificate_id != first.certificate_id
    exit_code, words = run(jitr, stack)
    assert exit_code == 0, words
    assert stack.iot.status(second) == expected


def test_a_second_import_finds_nothing_to_do(stack: TestDeployment, jitr: Jitr) -> None:
    """Those that were activated here are known as well, and cost no DescribeCertificate."""
    foreign(stack, range(1, 4))
    stack.knock(stack.ca.issue("ours", serial=9))
    run(jitr, stack)
    stack.iot.calls.clear()
    _, words = run(jitr, stack)
    assert "0 certificates are not in the registry" in words
    assert "DescribeCertificate" not in stack.iot.calls


def test_an_interrupted_import_goes_on_where_it_stopped(stack: TestDeployment, jitr: Jitr) -> None:
    """What is in the registry is not described again."""
    devices = foreign(stack, range(1, 11))
    log = CallLog(stack.iot_client)
    log.kill_after = 6
    with pytest.raises(Killed):
        run(jitr, stack)
    log.kill_after = None
    stack.iot.calls.clear()
    run(jitr, stack)
    assert 0 < stack.iot.calls.count("DescribeCertificate") < len(devices)
    keys = [f"{issuer_key(stack.ca.certificate)}#{serial:x}" for serial in range(1, 11)]
    assert len(list(stack.activation.rows.rows(keys))) == len(devices)


def test_a_dry_run_writes_nothing(stack: TestDeployment, jitr: Jitr) -> None:
    """It only says how many there are and how long it would take."""
    foreign(stack, range(1, 4))
    exit_code, words = run(jitr, stack, "--dry-run")
    assert (exit_code, "3 certificates" in words) == (0, True)
    assert "DescribeCertificate" not in stack.iot.calls


def test_a_ca_that_the_deployment_does_not_manage_is_worth_a_warning(stack: TestDeployment, jitr: Jitr) -> None:
    """Its certificates come into the registry, and no sweep of this deployment reads that CA's CRL."""
    managed = stack.ca.ca_certificate_id
    assert "warning" not in run(jitr, stack)[1]
    stack.ca = pki.CertificateAuthority.create("Other CA")
    stack.iot.register_ca(stack.ca)
    exit_code, words = run(jitr, stack)
    assert exit_code == 0, words
    assert f"does not manage CA {stack.ca.ca_certificate_id}: it enforces no CRL of that CA" in words
    assert managed not in words
