"""CAs whose certificates are odd, or that nobody can read: one of them hides no other, and can be dealt with."""

from __future__ import annotations

import pytest

from jitr_local.pki import CertificateAuthority
from tests.cli.conftest import Jitr
from tests.cli.worlds.devices import in_the_same_account
from tests.worlds import odd_certificates as odd
from tests.worlds import raw_der
from tests.worlds.deployment import BUCKET, TestDeployment
from tests.worlds.raw_der import sequence, tlv

LATIN_1 = sequence(tlv(0x31, odd.attribute(b"\x06\x03\x55\x04\x03", "Müller CA", odd.TELETEX)))
EDI_PARTY = raw_der.extension("subjectAltName", sequence(tlv(0xA5, tlv(0xA1, tlv(odd.UTF8, b"party")))))
UNREADABLE = "-----BEGIN CERTIFICATE-----\nMAUwAAEBAQ==\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def _same_account(monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_same_account(monkeypatch)


@pytest.fixture(params=["Latin-1 in its subject", "EDIPartyName in its alternative names"])
def odd_ca(request: pytest.FixtureRequest, stack: TestDeployment) -> CertificateAuthority:
    """A CA that somebody registered by hand, with its CRL in the bucket."""
    extensions = [EDI_PARTY] if "EDI" in request.param else []
    ca = odd.odd_ca(LATIN_1, *extensions)
    stack.iot.register_ca(ca)
    return ca


@pytest.fixture
def unreadable(stack: TestDeployment) -> str:
    """The id of a CA that nobody can read."""
    ca = CertificateAuthority.create("Broken CA")
    stack.iot.register_ca(ca)
    stack.iot.cas[ca.ca_certificate_id].pem = UNREADABLE
    return ca.ca_certificate_id


def test_an_odd_ca_is_listed_shown_and_adopted(stack: TestDeployment, jitr: Jitr, odd_ca: CertificateAuthority) -> None:
    """Like any other."""
    listed = jitr("ca", "list", "--json")
    assert listed.exit_code == 0, listed.err
    found = {each["ca_certificate_id"]: each for each in listed.json["cas"]}
    assert "müller ca" in found[odd_ca.ca_certificate_id]["subject"].lower()
    option = ["--ca-certificate-id", odd_ca.ca_certificate_id]
    assert jitr("ca", "show", *option).exit_code == 0
    crl = raw_der.crl(stack.ca, issuer=LATIN_1, signing_key=odd_ca.key)
    stack.publish(crl, key="odd.crl")
    answer = jitr("ca", "adopt", *option, "--crl", f"s3://{BUCKET}/odd.crl", "--yes")
    assert answer.exit_code == 0, answer.err
    assert "not usable" not in answer.err


def test_a_ca_that_nobody_can_read_hides_no_other(stack: TestDeployment, jitr: Jitr, unreadable: str) -> None:
    """It is listed with what is wrong with it."""
    answer = jitr("ca", "list", "--json")
    assert answer.exit_code == 0, answer.err
    found = {each["ca_certificate_id"]: each for each in answer.json["cas"]}
    assert found[stack.ca.ca_certificate_id]["subject"] is not None
    assert found[unreadable]["subject"] is None
    assert any("cannot be read" in each for each in found[unreadable]["obstacles"])
    assert "unreadable" in jitr("ca", "list").out
    shown = jitr("ca", "show", "--ca-certificate-id", unreadable)
    assert (shown.exit_code, "cannot be read" in shown.out + shown.err) == (0, True)


@pytest.mark.parametrize("command", [["deactivate"], ["hold"], ["auto-registration", "off"]])
def test_a_ca_that_nobody_can_read_can_be_switched_off(
    stack: TestDeployment, jitr: Jitr, unreadable: str, command: list[str]
) -> None:
    """To switch off, nothing of it has to be read."""
    answer = jitr("ca", *command, "--ca-certificate-id", unreadable, "--yes")
    assert answer.exit_code == 0, answer.err


def test_a_ca_that_nobody_can_read_is_not_adopted(stack: TestDeployment, jitr: Jitr, unreadable: str) -> None:
    """Its devices could not be checked; refused in the reader's words, and no bug of ours."""
    answer = jitr("ca", "adopt", "--ca-certificate-id", unreadable, "--crl", "none", "--yes")
    assert answer.exit_code not in (0, 70), answer.err
    assert "byte" in answer.err


def test_the_devices_of_a_ca_that_nobody_can_read_are_revoked(
    stack: TestDeployment, jitr: Jitr, unreadable: str
) -> None:
    """By their ids."""
    device = stack.ca.issue("device-1")
    stack.iot.connect(device, stack.ca)
    stack.iot.certificates[device.certificate_id].ca_certificate_id = unreadable
    stack.iot.certificates[device.certificate_id].status = "ACTIVE"
    command = ["ca", "revoke-devices", "--ca-certificate-id", unreadable, "--all", "--unmanaged", "--yes"]
    answer = jitr(*command, "--rate", "100")
    assert answer.exit_code == 0, answer.err
    assert stack.iot.status(device) == "REVOKED"
