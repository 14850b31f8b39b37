"""What fills a policy variable: the connection, its Thing, and the certificate, as AWS documents it."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from jitr_fleet.policies.evaluation.certificate import CertificateFileError, facts_from_certificate, facts_from_file
from jitr_fleet.policies.evaluation.facts import NAME_SIDES, CertificateFacts, DeviceFacts, ThingFacts
from jitr_fleet.policies.language.actions import Protocol
from jitr_fleet.policies.language.variables import VariableUse
from jitr_local import pki

THING_NAME = "iot:Connection.Thing.ThingName"
IS_ATTACHED = "iot:Connection.Thing.IsAttached"
ORGANIZATION = "iot:Certificate.Subject.Organization"
THING = ThingFacts(name="sensor-1", type_name="sensor", attributes={"site": "a#1"})


def filled(facts: DeviceFacts, name: str) -> str | None:
    """What AWS IoT puts in the place of a variable, None where it leaves it."""
    values = facts.filled_in(VariableUse.parse(name)).values
    return values[0] if values else None


def organizations(*values: str) -> DeviceFacts:
    """A device whose certificate has these organizations in its subject."""
    return DeviceFacts(certificate=CertificateFacts(names={"Subject.Organization": values}))


class TestThing:
    """Which Thing a connection is taken for."""

    def test_by_its_exclusive_attachment_whatever_the_client_id(self) -> None:
        """As activation attaches it."""
        facts = DeviceFacts(client_id="other", thing=THING)
        assert (filled(facts, THING_NAME), filled(facts, IS_ATTACHED)) == ("sensor-1", "true")

    def test_else_by_the_client_id(self) -> None:
        """Which has to be the Thing's name, letter by letter."""
        facts = DeviceFacts(client_id="sensor-1", thing=replace(THING, exclusive=False))
        assert (filled(facts, THING_NAME), filled(facts, IS_ATTACHED)) == ("sensor-1", "true")
        for other in ("Sensor-1", "sensor-10", ""):
            renamed = replace(facts, client_id=other)
            assert (filled(renamed, THING_NAME), filled(renamed, IS_ATTACHED)) == (None, "false")
        nameless = replace(facts, client_id=None)
        assert nameless.filled_in(VariableUse.parse(THING_NAME)).unknown

    def test_a_thing_of_that_name_need_not_be_ones_own(self) -> None:
        """AWS's pages differ on whether its variables are filled then; the strict reading comes first."""
        facts = DeviceFacts(client_id="sensor-1", thing=replace(THING, attached=False))
        strict, lenient = facts.readings()
        assert (filled(strict, THING_NAME), filled(strict, IS_ATTACHED)) == (None, "false")
        assert (filled(lenient, THING_NAME), filled(lenient, IS_ATTACHED)) == ("sensor-1", "false")
        assert filled(replace(lenient, client_id="x"), THING_NAME) is None
        assert len(DeviceFacts(client_id="sensor-1", thing=THING).readings()) == 1

    def test_a_type_or_attributes_that_nobody_said_are_unknown(self) -> None:
        """An empty type and an empty table say that there are none."""
        silent, bare = ThingFacts(name="a"), ThingFacts(name="a", type_name="", attributes={})
        for name in ("iot:Connection.Thing.ThingTypeName", "iot:Connection.Thing.Attributes[site]"):
            assert DeviceFacts(thing=silent).condition_values(VariableUse.parse(name)).unknown
            found = DeviceFacts(thing=bare).condition_values(VariableUse.parse(name))
            assert (found.values, found.unknown) == ((), False)

    def test_a_request_over_https_can_name_the_thing(self) -> None:
        """Credentials for a role alias do, in a header; Greengrass's data plane does not, nor do shadows."""
        facts = DeviceFacts(client_id="x", thing=THING)
        assert filled(facts.for_action("iot:AssumeRoleWithCertificate"), THING_NAME) == "sensor-1"
        for action in ("greengrass:Discover", "iot:GetThingShadow", "iot:DescribeJobExecution", "iot:GetConnection"):
            assert filled(facts.for_action(action), THING_NAME) is None
            assert filled(facts.for_action(action), "iot:ClientId") is None
        assert filled(facts.for_action("iot:Publish"), THING_NAME) == "sensor-1"

    def test_its_type_and_attributes(self) -> None:
        """An attribute that is not there fills nothing; one with MQTT's wildcards fills."""
        facts = DeviceFacts(thing=THING)
        assert filled(facts, "iot:Connection.Thing.ThingTypeName") == "sensor"
        assert filled(facts, "iot:Connection.Thing.Attributes[site]") == "a#1"
        assert filled(facts, "iot:Connection.Thing.Attributes[Site]") is None
        assert filled(DeviceFacts(thing=replace(THING, type_name=None)), "iot:Connection.Thing.ThingTypeName") is None

    def test_there_is_none_over_https(self) -> None:
        """Nor a client id, and so not even the answer that it is not attached."""
        facts = DeviceFacts(client_id="sensor-1", thing=THING, protocol=Protocol.HTTPS, source_ip="203.0.113.7")
        assert [filled(facts, name) for name in (THING_NAME, IS_ATTACHED, "iot:ClientId")] == [None] * 3
        assert filled(facts, "aws:SourceIp") == "203.0.113.7"

    def test_no_thing_at_all(self) -> None:
        """Is not attached."""
        assert (filled(DeviceFacts(client_id="a"), THING_NAME), filled(DeviceFacts(), IS_ATTACHED)) == (None, "false")


class TestCertificate:
    """Its values, and those that AWS IoT refuses to fill in."""

    def test_the_first_value_and_the_later_ones(self) -> None:
        """Counted from zero; one that is not there fills nothing."""
        facts = organizations("A", "B")
        names = (ORGANIZATION, f"{ORGANIZATION}.0", f"{ORGANIZATION}.1", f"{ORGANIZATION}.2", f"{ORGANIZATION}.List")
        assert [filled(facts, name) for name in names] == ["A", "A", "B", None, None]

    def test_five_values_count_and_no_more(self) -> None:
        """AWS IoT ignores the sixth, in conditions too."""
        facts = organizations(*"ABCDEF")
        assert (filled(facts, f"{ORGANIZATION}.4"), filled(facts, f"{ORGANIZATION}.5")) == ("E", None)
        assert facts.condition_values(VariableUse.parse(f"{ORGANIZATION}.List")).values == tuple("ABCDE")

    @pytest.mark.parametrize("character", list("*$+?#"))
    def test_a_value_with_a_wildcard_is_not_filled_in(self, character: str) -> None:
        """A condition sees it all the same."""
        facts = organizations(f"a{character}b")
        assert filled(facts, ORGANIZATION) is None
        assert facts.condition_values(VariableUse.parse(ORGANIZATION)).values

    def test_1024_characters_are_filled_in_and_no_more(self) -> None:
        """Longer values stay out."""
        assert filled(organizations("a" * 1024), ORGANIZATION) == "a" * 1024
        assert filled(organizations("a" * 1025), ORGANIZATION) is None

    def test_special_characters_get_a_backslash(self) -> None:
        """AWS's own example, and all the others."""
        assert filled(organizations("Amazon Web Services O=Amazon.com Inc."), ORGANIZATION) == (
            r"Amazon Web Services O\=Amazon.com Inc."
        )
        assert filled(organizations('a,"\\=<>;b'), ORGANIZATION) == r"a\,\"\\\=\<\>\;b"

    def test_the_serial_number_is_decimal(self) -> None:
        """AWS's own example."""
        facts = DeviceFacts(certificate=CertificateFacts(serial_number=0x921285CBB7A5E086))
        assert filled(facts, "iot:Certificate.SerialNumber") == "10525622389124227206"

    def test_available_keys_are_the_names_that_have_values(self) -> None:
        """Empty ones are not available."""
        facts = DeviceFacts(
            certificate=CertificateFacts(
                serial_number=1, names={"Subject.Title": ("x",), "Issuer.State": ()}, said=frozenset(NAME_SIDES)
            )
        )
        found = facts.condition_values(VariableUse.parse("iot:Certificate.AvailableKeys")).values
        assert set(found) == {"iot:Certificate.Subject.Title", "iot:Certificate.SerialNumber"}

    def test_every_reason_is_given(self) -> None:
        """A variable that stays as it stands says why."""
        for facts in (
            DeviceFacts(),
            DeviceFacts(protocol=Protocol.HTTPS),
            DeviceFacts(thing=replace(THING, exclusive=False)),
        ):
            for name in (
                "iot:ClientId",
                THING_NAME,
                ORGANIZATION,
                "iot:nonsense",
                "iot:CertificateId",
                "iot:DomainName",
            ):
                found = facts.filled_in(VariableUse.parse(name))
                assert (found.values, bool(found.problem)) == ((), True)


class TestDeviceValues:
    """What `@{device.…}` stands for."""

    def test_all_of_them(self) -> None:
        """The serial number in lower-case hexadecimal, as Thing names have it."""
        certificate = CertificateFacts(
            certificate_id="ab" * 32, serial_number=0xABC, names={"Subject.CommonName": ("d",)}
        )
        assert DeviceFacts(thing=THING, certificate=certificate).device_values() == {
            "device.thing_name": "sensor-1",
            "device.common_name": "d",
            "device.serial": "abc",
            "device.certificate_id": "ab" * 32,
        }

    def test_what_is_not_known_or_not_one_is_missing(self) -> None:
        """Two common names are none."""
        certificate = CertificateFacts(names={"Subject.CommonName": ("d", "e")})
        assert DeviceFacts(certificate=certificate).device_values() == {}


def aws_example() -> x509.Certificate:
    """The names of the certificate on AWS's page about certificate variables."""
    key = pki.new_key()
    oids = NameOID
    subject = [
        (oids.COUNTRY_NAME, "US"), (oids.ORGANIZATION_NAME, "IoT Devices"),
        (oids.ORGANIZATIONAL_UNIT_NAME, "LightBulb"),
        (oids.STATE_OR_PROVINCE_NAME, "NY"), (oids.COMMON_NAME, "LightBulb Device Cert"), (oids.GIVEN_NAME, "Bulb"),
        (oids.INITIALS, "ZZ"), (oids.DN_QUALIFIER, "Bulb001"), (oids.SURNAME, "Multi Color"), (oids.TITLE, "RGB"),
        (oids.PSEUDONYM, "RGB Device"), (oids.GENERATION_QUALIFIER, "4"), (oids.SERIAL_NUMBER, "123"),
        (oids.LOCALITY_NAME, "not a variable"),
    ]  # fmt: skip
    directory = x509.Name([x509.NameAttribute(oids.COMMON_NAME, "LightBulbCert")])
    alternative: list[x509.GeneralName] = [
        x509.DNSName("example.com"),
        x509.IPAddress(ipaddress.ip_address("1.2.3.4")),
        x509.UniformResourceIdentifier("ResourceIdentifier001"),
        x509.RFC822Name("device1@example.com"),
        x509.DirectoryName(directory),
        x509.DNSName("example.org"),
    ]
    issuer_alternative: list[x509.GeneralName] = [x509.DNSName("issuer.com")]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, text) for oid, text in subject]))
        .issuer_name(x509.Name([x509.NameAttribute(oids.COMMON_NAME, "IoT Devices Primary CA")]))
        .public_key(key.public_key())
        .serial_number(0x921285CBB7A5E086)
        .not_valid_before(pki.now())
        .not_valid_after(pki.now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternative), critical=False)
        .add_extension(x509.IssuerAlternativeName(issuer_alternative), critical=False)
        .sign(key, hashes.SHA256())
    )


def test_a_certificate_tells_its_facts() -> None:
    """Every variable of AWS's own example."""
    certificate = aws_example()
    facts = DeviceFacts(certificate=facts_from_certificate(certificate))
    expected = {
        "iot:CertificateId": certificate.fingerprint(hashes.SHA256()).hex(),
        "iot:Certificate.SerialNumber": "10525622389124227206",
        "iot:Certificate.Subject.Country": "US",
        "iot:Certificate.Subject.Organization": "IoT Devices",
        "iot:Certificate.Subject.OrganizationalUnit": "LightBulb",
        "iot:Certificate.Subject.State": "NY",
        "iot:Certificate.Subject.CommonName": "LightBulb Device Cert",
        "iot:Certificate.Subject.GivenName": "Bulb",
        "iot:Certificate.Subject.Initials": "ZZ",
        "iot:Certificate.Subject.DistinguishedNameQualifier": "Bulb001",
        "iot:Certificate.Subject.Surname": "Multi Color",
        "iot:Certificate.Subject.Title": "RGB",
        "iot:Certificate.Subject.Pseudonym": "RGB Device",
        "iot:Certificate.Subject.GenerationQualifier": "4",
        "iot:Certificate.Subject.SerialNumber": "123",
        "iot:Certificate.Issuer.CommonName": "IoT Devices Primary CA",
        "iot:Certificate.Issuer.Country": None,
        "iot:Certificate.Subject.AlternativeName.DNSName": "example.com",
        "iot:Certificate.Subject.AlternativeName.DNSName.1": "example.org",
        "iot:Certificate.Subject.AlternativeName.IPAddress": "1.2.3.4",
        "iot:Certificate.Subject.AlternativeName.UniformResourceIdentifier": "ResourceIdentifier001",
        "iot:Certificate.Subject.AlternativeName.RFC822Name": "device1@example.com",
        "iot:Certificate.Subject.AlternativeName.DirectoryName": r"CN\=LightBulbCert",
        "iot:Certificate.Issuer.AlternativeName.DNSName": "issuer.com",
    }
    assert {name: filled(facts, name) for name in expected} == expected


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x30\x82", b"-----BEGIN CERTIFICATE-----\nx"])
def test_a_file_without_a_certificate_says_so(content: bytes, tmp_path: Path) -> None:
    """Whatever it holds instead."""
    file = tmp_path / "device.pem"
    file.write_bytes(content)
    with pytest.raises(CertificateFileError, match="holds no readable certificate"):
        facts_from_file(file)
    with pytest.raises(CertificateFileError, match="cannot be read"):
        facts_from_file(tmp_path / "missing.pem")


def test_pem_and_der_are_the_same(tmp_path: Path) -> None:
    """The first certificate of a bundle counts."""
    ca = pki.CertificateAuthority.create("CA")
    certificate = ca.issue().certificate
    (tmp_path / "device.der").write_bytes(pki.der(certificate))
    (tmp_path / "device.pem").write_text(pki.pem(certificate) + pki.pem(ca.certificate))
    facts = facts_from_file(tmp_path / "device.pem")
    assert facts == facts_from_file(tmp_path / "device.der")
    assert facts.serial_number == certificate.serial_number
