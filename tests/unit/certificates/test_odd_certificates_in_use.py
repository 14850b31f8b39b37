"""Odd certificates through activation, import and enforcement: good ones get in, listed ones are off."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jitr.enforcement.unknown_certificates import UnknownCertificates
from jitr.errors import Outcome, Reason
from jitr.settings import OnExistingThing
from jitr_local import pki
from tests.worlds import odd_certificates as odd
from tests.worlds import raw_der
from tests.worlds.deployment import TestDeployment

SERIAL = 0x1234


@pytest.mark.parametrize("kind", odd.KINDS)
def test_a_good_device_gets_in_and_goes_off_when_it_is_listed(deployment: TestDeployment, kind: str) -> None:
    """A sweep reaches what was activated."""
    device = odd.odd_device(kind, deployment.ca, SERIAL)
    assert deployment.knock(device).outcome is Outcome.ACTIVATED
    deployment.publish(deployment.ca.crl([SERIAL], number=2))
    deployment.sweep()
    assert deployment.iot.status(device) == "REVOKED"


@pytest.mark.parametrize("kind", odd.KINDS)
def test_a_listed_device_does_not_get_in(deployment: TestDeployment, kind: str) -> None:
    """Whatever is odd about its certificate; noRevAvail does not switch the check off."""
    device = odd.odd_device(kind, deployment.ca, SERIAL)
    deployment.publish(deployment.ca.crl([SERIAL], number=2))
    result = deployment.knock(device)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.REVOKED)
    assert deployment.iot.status(device) == "REVOKED"


@pytest.mark.parametrize("kind", odd.KINDS)
def test_what_others_activated_goes_off_when_it_is_listed(deployment: TestDeployment, kind: str) -> None:
    """Import brings it into the registry, the next sweep switches it off."""
    device = odd.odd_device(kind, deployment.ca, SERIAL)
    deployment.iot.connect(device, deployment.ca)
    deployment.iot.certificates[device.certificate_id].status = "ACTIVE"
    deployment.publish(deployment.ca.crl([SERIAL], number=2))
    deployment.sweep()
    assert imported(deployment) == 1
    deployment.sweep()
    assert deployment.iot.status(device) == "REVOKED"


@pytest.mark.parametrize("kind", odd.KINDS)
def test_a_renewed_device_gives_up_its_odd_certificate(deployment: TestDeployment, kind: str) -> None:
    """Names and dates are compared as they are read, whoever wrote the old one."""
    deployment.configure(on_existing_thing=OnExistingThing.REPLACE)
    old = odd.odd_device(kind, deployment.ca, SERIAL)
    assert deployment.knock(old).outcome is Outcome.ACTIVATED
    name = "device_1" if "underscore" in kind else odd.DEVICE
    new = deployment.ca.issue(name, not_before=deployment.clock() - timedelta(minutes=5))
    assert deployment.knock(new).outcome is Outcome.ACTIVATED
    assert (deployment.iot.status(old), deployment.iot.status(new)) == ("INACTIVE", "ACTIVE")


def imported(deployment: TestDeployment) -> int:
    """Import the CA's newest certificates; returns how many were unknown."""
    enforcement = deployment.enforcement()
    unknown = UnknownCertificates(
        registry=enforcement.registry,
        rows=enforcement.rows,
        versions=enforcement.versions,
        pace=lambda: None,
        watch=lambda _ca, _certificate: None,
    )
    return unknown.import_newest(deployment.ca.ca_certificate_id, deployment.ca.certificate, at_most=100)


def test_an_unknown_critical_extension_keeps_out(deployment: TestDeployment) -> None:
    """For good, with a reason of its own, and without a dead letter."""
    key = pki.new_key()
    der = raw_der.certificate(deployment.ca, SERIAL, raw_der.extension("unknown", b"\x05\x00", critical=True), key=key)
    device = odd.device(der, SERIAL, key)
    result = deployment.knock(device)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.UNKNOWN_CRITICAL_EXTENSION)
    assert deployment.iot.status(device) == "PENDING_ACTIVATION"


def test_what_has_two_readings_keeps_out_and_says_where(deployment: TestDeployment) -> None:
    """A byte after the end is no certificate of ours; the message names field and byte."""
    key = pki.new_key()
    device = odd.device(raw_der.certificate(deployment.ca, SERIAL, key=key) + b"\x00", SERIAL, key)
    result = deployment.knock(device)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.MALFORMED_CERTIFICATE)
    assert "byte 0" in result.message
    assert deployment.iot.status(device) == "PENDING_ACTIVATION"
