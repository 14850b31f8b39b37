"""Which client ids a template lets connect: what the synth works out, and what the functions make of it."""

from __future__ import annotations

import json

import pytest

from jitr.policies.connecting import ConnectingDevice, may_connect, own_client_id
from jitr_fleet.policies.evaluation.connecting import client_ids

ARN = "arn:@{partition}:iot:@{region}:@{account}:client/"
ID = "a" * 64
DEVICE = ConnectingDevice(certificate_id=ID, thing_name="pump-1", common_name="pump-1.example", serial=0xBEEF)


def template(
    *resources: str, action: object = "iot:Connect", effect: str = "Allow", version: str = "2012-10-17"
) -> str:
    """A policy of one statement."""
    statement = {"Effect": effect, "Action": action, "Resource": list(resources)}
    return json.dumps({"Version": version, "Statement": [statement]})


@pytest.mark.parametrize(
    ("resource", "pattern"),
    [
        ("${iot:Connection.Thing.ThingName}", "@{device.thing_name}"),
        ("${iot:CertificateId}", "@{device.certificate_id}"),
        ("dev-${iot:Certificate.Subject.CommonName}-*", "dev-@{device.common_name}-*"),
        ("@{device.serial}", "@{device.serial}"),
        ("${iot:ClientId}", "*"),
        ("${iot:Certificate.SerialNumber}", "*"),
        ("star${*}", "star${*}"),
        ("*", "*"),
    ],
)
def test_a_client_id_is_what_the_resource_says(resource: str, pattern: str) -> None:
    """What is not looked at counts as anything."""
    assert client_ids(template(ARN + resource)) == (pattern,)


def test_only_what_may_allow_a_connect_counts() -> None:
    """Every resource once; other actions, other resources and denials say nothing."""
    assert client_ids(template("*")) == ("*",)
    assert client_ids(template("arn:aws:iot:*:*:client/a")) == ("*",)
    assert client_ids(template(ARN + "a", ARN + "b", ARN + "a", action=["iot:Publish", "iot:*"])) == ("a", "b")
    assert client_ids(template(ARN + "a", action="iot:Publish")) == ()
    assert client_ids(template(ARN.replace("client", "topic") + "a")) == ()
    assert client_ids(template(ARN + "a", effect="Deny")) == ()
    assert client_ids(template(ARN + "${iot:CertificateId}", version="2008-10-17")) == ("*",)
    assert client_ids("no JSON") == ()


@pytest.mark.parametrize(
    ("pattern", "client_id", "allowed"),
    [
        ("@{device.thing_name}", "pump-1", True),
        ("@{device.thing_name}", "pump-2", False),
        ("dev-@{device.common_name}-*", "dev-pump-1.example-7", True),
        ("@{device.serial}", "beef", True),
        ("star${*}", "star*", True),
        ("star${*}", "stars", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
    ],
)
def test_a_device_may_connect_by_what_a_pattern_names(pattern: str, client_id: str, *, allowed: bool) -> None:
    """Wildcards in a device's own values are no wildcards."""
    assert may_connect([pattern], client_id, DEVICE) is allowed


def test_what_is_not_known_of_a_device_is_no_refusal() -> None:
    """A warning must be right."""
    assert may_connect(["@{device.thing_name}"], "anything", ConnectingDevice(certificate_id=ID))
    assert not may_connect([], "anything", DEVICE)


@pytest.mark.parametrize(
    ("patterns", "own"),
    [
        (("@{device.certificate_id}",), ID),
        (("dev-@{device.certificate_id}",), f"dev-{ID}"),
        (("@{device.certificate_id}", "other"), None),
        (("@{device.certificate_id}*",), None),
        (("@{device.certificate_id}-@{device.common_name}",), None),
        (("@{device.common_name}",), None),
        ((), None),
    ],
)
def test_only_the_certificates_id_makes_a_client_id_its_own(patterns: tuple[str, ...], own: str | None) -> None:
    """Another CA may give the same name or serial number again."""
    assert own_client_id(patterns, ID) == own
