"""`jitr ca list|show|devices`: what there is, who manages it, and what keeps devices out."""

from __future__ import annotations

import csv
import io
import json

import pytest

from jitr_local.pki import CertificateAuthority
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.bundle_server import BundleServer
from tests.worlds.deployment import BUCKET, CRL_KEY, TestDeployment


def show(jitr: Jitr, ca: CertificateAuthority, *more: str) -> Answer:
    """Show a CA."""
    return jitr("ca", "show", "--ca-certificate-id", ca.ca_certificate_id, *more)


@pytest.fixture
def adopted(stack: TestDeployment, jitr: Jitr) -> CertificateAuthority:
    """A second CA, adopted."""
    ca = CertificateAuthority.create("Adopted CA", key="RSA-2048")
    stack.iot.register_ca(ca)
    jitr("ca", "adopt", "--ca-certificate-id", ca.ca_certificate_id, "--crl", "none", "--yes")
    return ca


@pytest.fixture
def unmanaged(stack: TestDeployment) -> CertificateAuthority:
    """A third one, which somebody registered by hand."""
    ca = CertificateAuthority.create("Unmanaged CA")
    stack.iot.register_ca(ca, status="INACTIVE")
    return ca


def test_every_registered_ca_is_listed_with_its_owner(
    stack: TestDeployment, jitr: Jitr, adopted: CertificateAuthority, unmanaged: CertificateAuthority
) -> None:
    """In the fleet file, adopted, and nobody's."""
    answer = jitr("ca", "list", "--json")
    assert answer.exit_code == 0, answer.err
    owners = {
        each["ca_certificate_id"]: [management["managed"] for management in each["deployments"]]
        for each in answer.json["cas"]
    }
    assert owners == {
        stack.ca.ca_certificate_id: ["fleet_file"],
        adopted.ca_certificate_id: ["adopted"],
        unmanaged.ca_certificate_id: [],
    }
    assert answer.json["missing"] == []


def test_the_table_says_the_same_in_words(
    stack: TestDeployment, jitr: Jitr, adopted: CertificateAuthority, unmanaged: CertificateAuthority
) -> None:
    """One line a CA, ids whole, for copying."""
    stack.knock(stack.ca.issue())
    jitr("ca", "hold", "--ca-certificate-id", adopted.ca_certificate_id, "--yes")
    lines = {line.split("  ")[0].strip(): line for line in jitr("ca", "list").out.splitlines()}
    assert stack.ca.ca_certificate_id in lines["factory-1 (test)"]
    assert "number 1 of " in lines["factory-1 (test)"]
    assert "ACTIVE, on hold" in lines[f"adopted-{adopted.ca_certificate_id[:12]} (test)"]
    assert "never checked" in lines[f"adopted-{adopted.ca_certificate_id[:12]} (test)"]
    assert "INACTIVE" in next(line for name, line in lines.items() if name.startswith("unmanaged: CN=Unmanaged"))


def test_pages_of_cas_are_all_read(stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS IoT lists 250 at most at once."""
    monkeypatch.setattr("jitr_cli.ca.list.DESCRIBED_PER_SECOND", 10_000.0)
    monkeypatch.setattr("jitr_cli.authorities.registry._PAGE", 2)
    for n in range(4):
        stack.iot.register_ca(CertificateAuthority.create(f"CA {n}"))
    assert len(jitr("ca", "list", "--json").json["cas"]) == 5
    assert stack.iot.calls.count("ListCACertificates") == 3


def test_a_managed_ca_that_aws_iot_does_not_know_is_said(
    stack: TestDeployment, jitr: Jitr, adopted: CertificateAuthority
) -> None:
    """Its devices cannot even register."""
    stack.iot.cas.clear()
    answer = jitr("ca", "list", "--json")
    assert [(each["name"], each["managed"]) for each in answer.json["missing"]] == [
        ("factory-1", "fleet_file"),
        (f"adopted-{adopted.ca_certificate_id[:12]}", "adopted"),
    ]
    assert "which AWS IoT does not know" in answer.err


def test_unknown_is_not_unmanaged(
    stack: TestDeployment, jitr: Jitr, bundles: BundleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the deployment's configuration cannot be read, it is said, and no obstacle is made of it."""
    monkeypatch.setattr(bundles, "status", 403)
    answer = jitr("ca", "list", "--json")
    assert (answer.exit_code, "warning: what deployment test's fleet file says is unknown" in answer.err) == (0, True)
    assert answer.json["cas"][0]["obstacles"] == []


def test_a_ca_is_shown_with_everything_that_decides(stack: TestDeployment, jitr: Jitr) -> None:
    """AWS IoT's side, the deployment's, and the CRL as it was accepted and enforced."""
    stack.knock(stack.ca.issue())
    stack.sweep()
    answer = show(jitr, stack.ca, "--json")
    assert answer.exit_code == 0, answer.err
    shown = answer.json
    assert shown["subject"] == stack.ca.certificate.subject.rfc4514_string()
    assert (shown["mode"], shown["status"], shown["auto_registration"]) == ("SNI_ONLY", "ACTIVE", True)
    assert (shown["key"], shown["obstacles"]) == ("EC P-256", [])
    (deployment,) = shown["deployments"]
    assert (deployment["managed"], deployment["name"], deployment["policy"]) == ("fleet_file", "factory-1", "default")
    assert (deployment["on_hold"], deployment["devices_activated"]) == (False, 1)
    (crl,) = deployment["crls"]
    assert crl["address"] == f"s3://{BUCKET}/{CRL_KEY}"
    assert (crl["accepted_number"], crl["enforced"], crl["brake"]) == (1, True, None)


def test_a_crl_that_is_accepted_and_not_yet_enforced_is_shown_so(stack: TestDeployment, jitr: Jitr) -> None:
    """Between the two its devices are still on."""
    stack.knock(stack.ca.issue())
    (crl,) = show(jitr, stack.ca, "--json").json["deployments"][0]["crls"]
    assert crl["enforced"] is False
    assert "not enforced yet" in show(jitr, stack.ca).out


def test_a_brake_is_shown(stack: TestDeployment, jitr: Jitr) -> None:
    """Somebody has to decide."""
    devices = [stack.ca.issue(f"device-{n}", serial=n) for n in range(1, 103)]
    for device in devices:
        stack.knock(device)
    stack.publish(stack.ca.crl(range(1, 103), number=2))
    stack.sweep()
    (crl,) = show(jitr, stack.ca, "--json").json["deployments"][0]["crls"]
    assert crl["brake"] == "waiting"


def test_what_is_shown_in_words_names_holds_and_obstacles(stack: TestDeployment, jitr: Jitr) -> None:
    """For people."""
    jitr("ca", "hold", "--ca-certificate-id", stack.ca.ca_certificate_id, "--yes")
    stack.iot.cas[stack.ca.ca_certificate_id].status = "INACTIVE"
    lines = show(jitr, stack.ca).out.splitlines()
    assert any(line.startswith("  on hold") and "arn:aws:" in line for line in lines)
    assert [line for line in lines if line.startswith("keeps devices out")] == [
        "keeps devices out  it is INACTIVE in AWS IoT: jitr ca activate",
        next(line for line in lines if "deployment test holds it" in line),
    ]


def test_devices_are_counted_on_request(stack: TestDeployment, jitr: Jitr) -> None:
    """It takes a call for 250 of them."""
    stack.knock(stack.ca.issue("active"))
    stack.iot.connect(stack.ca.issue("waiting"), stack.ca)
    assert show(jitr, stack.ca, "--count-devices", "--json").json["devices"] == {"ACTIVE": 1, "PENDING_ACTIVATION": 1}
    assert "devices" not in show(jitr, stack.ca, "--json").json


def test_a_subject_cannot_command_the_terminal(stack: TestDeployment, jitr: Jitr) -> None:
    """What stands in a certificate was written by somebody else."""
    hostile = CertificateAuthority.create("CA\x1b[2J")
    stack.iot.register_ca(hostile)
    assert "\x1b" not in show(jitr, hostile).out
    assert "\x1b" not in jitr("ca", "list").out


def test_an_unregistered_ca_is_not_shown(stack: TestDeployment, jitr: Jitr) -> None:
    """69: AWS IoT does not know it."""
    answer = jitr("ca", "show", "--ca-certificate-id", "a" * 64)
    assert (answer.exit_code, answer.out, "ca_not_found" in answer.err) == (69, "", True)


@pytest.fixture
def fleet(stack: TestDeployment) -> list[str]:
    """Seven devices, the oldest first; two of them wait."""
    ids = []
    for n in range(7):
        device = stack.ca.issue(f"device-{n}")
        stack.iot.connect(device, stack.ca)
        stack.iot.certificates[device.certificate_id].status = "PENDING_ACTIVATION" if n in (2, 5) else "ACTIVE"
        ids.append(device.certificate_id)
    return ids


def devices(jitr: Jitr, stack: TestDeployment, *more: str) -> Answer:
    """List the CA's devices."""
    return jitr("ca", "devices", "--ca-certificate-id", stack.ca.ca_certificate_id, *more)


def test_devices_are_listed_page_by_page(
    stack: TestDeployment, jitr: Jitr, fleet: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, the oldest first."""
    monkeypatch.setattr("jitr_cli.authorities.registry._PAGE", 3)
    answer = devices(jitr, stack, "--json")
    assert [each["certificate_id"] for each in answer.json["devices"]] == fleet
    assert stack.iot.calls.count("ListCertificatesByCA") == 3


@pytest.mark.parametrize("form", ["csv", "json", "table"])
def test_each_format_holds_the_same(stack: TestDeployment, jitr: Jitr, fleet: list[str], form: str) -> None:
    """Id, status and time, and with --status some of them only."""
    answer = devices(jitr, stack, "--format", form, "--status", "PENDING_ACTIVATION")
    assert answer.exit_code == 0, answer.err
    rows: list[list[str]]
    if form == "json":
        rows = [list(each.values()) for each in json.loads(answer.out)["devices"]]
    elif form == "csv":
        header, *rows = csv.reader(io.StringIO(answer.out))
        assert header == ["certificate_id", "status", "registered_at"]
    else:
        rows = [line.split() for line in answer.out.splitlines() if "PENDING" in line]
        assert "2 devices" in answer.err
    assert rows == [[fleet[n], "PENDING_ACTIVATION", "2026-02-01T00:00:00Z"] for n in (2, 5)]


def test_a_ca_without_devices_lists_none(stack: TestDeployment, jitr: Jitr) -> None:
    """And an unknown one is not taken for it."""
    answer = devices(jitr, stack)
    assert (answer.exit_code, answer.out, "0 devices" in answer.err) == (0, "", True)
    assert jitr("ca", "devices", "--ca-certificate-id", "a" * 64).exit_code == 69
