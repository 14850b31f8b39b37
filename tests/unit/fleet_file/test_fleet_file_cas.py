"""CAs in the fleet file: in AWS Private CA, created by the stack, registered with proof; and their devices' Things."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from jitr.authorities.verification_certificate import sign_verification
from jitr.settings import Mode
from jitr_fleet.deployments.configuration import configuration_of
from jitr_fleet.deployments.deployment import CrlKind, Fleet, NewPrivateCa, PrivateCaType, Registration
from jitr_fleet.fleet_file.reader import read_fleet
from jitr_fleet.fleet_file.warnings import warnings_of
from jitr_fleet.issuing.cas import CaRequest, sign_intermediate
from jitr_fleet.policies.context import PolicyCa
from jitr_local import pki
from tests.worlds import odd_certificates as odd
from tests.worlds.fleet_folder import CA, CA_TABLE, DEPLOYMENT_TABLE, FleetFolder, with_ca_key, with_key

ARN = "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/12345678-1234-1234-1234-123456789012"
CODE = "5a" * 32
HEAD = DEPLOYMENT_TABLE + '[[deployments.prod-eu.cas]]\nname = "factory-1"\n'
BY_ARN = HEAD + f'private_ca = "{ARN}"\ncrl = "cdp"\n'
CREATED = HEAD + "[deployments.prod-eu.cas.private_ca]\n"
ROOT = CREATED + 'type = "root"\ncommon_name = "Factory 1"\n'
PLACE = "deployments.prod-eu.cas[0]"


@pytest.fixture
def fleet(tmp_path: Path) -> FleetFolder:
    """A folder for a fleet file, with the shipped policies and one CA."""
    return FleetFolder(tmp_path)


def put_proof(
    fleet: FleetFolder, *, ca: pki.CertificateAuthority = CA, code: str = CODE, at: datetime | None = None
) -> None:
    """Write a verification certificate beside the fleet file."""
    made = sign_verification(code, ca=ca.certificate, ca_key=ca.key, at=at or pki.now())
    (fleet.folder / "proof.pem").write_text(pki.pem(made), encoding="utf-8")


def default_mode(*lines: str) -> str:
    """A CA in DEFAULT mode with its proof."""
    more = ('registration = "DEFAULT"', 'verification_certificate = "proof.pem"', *lines)
    return with_ca_key("\n".join(more))


def elsewhere(text: str, *, account: str = "444455556666", region: str = "eu-west-1") -> str:
    """The same deployment in another place, behind the first."""
    moved = text.replace("prod-eu", "test").replace("111122223333", account).replace("eu-west-1", region)
    return text + "\n" + moved


def read_all(fleet: FleetFolder, text: str) -> Fleet:
    """Read a fleet file of several deployments."""
    fleet.file.write_text(text, encoding="utf-8")
    return read_fleet(fleet.file)


class TestPrivateCas:
    """CAs in AWS Private CA."""

    def test_an_arn_alone_leaves_id_and_certificate_to_the_deploy(self, fleet: FleetFolder) -> None:
        """Synth asks nobody, so it cannot know them."""
        ca = fleet.read_ca(BY_ARN)
        assert (ca.private_ca, ca.certificate, ca.ca_certificate_id) == (ARN, "", "")
        (managed,) = configuration_of(fleet.read(BY_ARN)).cas
        assert managed.known_at_deploy
        assert managed.crl == "cdp"

    def test_a_certificate_beside_the_arn_is_what_counts(self, fleet: FleetFolder) -> None:
        """What was reviewed is then what runs."""
        ca = fleet.read_ca(with_ca_key(f'private_ca = "{ARN}"'))
        assert (ca.ca_certificate_id, ca.known_at_deploy) == (CA.ca_certificate_id, False)

    def test_a_ca_that_the_stack_creates_has_documented_defaults(self, fleet: FleetFolder) -> None:
        """A type and a name are enough."""
        ca = fleet.read_ca(ROOT)
        assert ca.private_ca == NewPrivateCa(
            kind=PrivateCaType.ROOT,
            parent=None,
            subject={"CommonName": "Factory 1"},
            key_algorithm="EC_prime256v1",
            validity_years=10,
            crl=CrlKind.COMPLETE,
            crl_days=7,
        )
        assert (ca.registration, ca.crl) == (Registration.SNI_ONLY, "")

    def test_partitioned_crls_are_found_by_the_certificates(self, fleet: FleetFolder) -> None:
        """Each names its own; a complete one has a key that the deploy knows."""
        assert fleet.read_ca(ROOT + 'crl = "PARTITIONED"').crl == "cdp"

    def test_a_subordinate_ca_has_a_parent_and_any_subject(self, fleet: FleetFolder) -> None:
        """All fields at once."""
        more = f'type = "subordinate"\nparent = "{ARN}"\ncommon_name = "F"\norganization = "Example"\ncountry = "DE"\n'
        made = fleet.read_ca(CREATED + more + 'organizational_unit = "Pumps"').private_ca
        assert isinstance(made, NewPrivateCa)
        assert (made.kind, made.parent) == (PrivateCaType.SUBORDINATE, ARN)
        assert made.subject == {
            "CommonName": "F",
            "Organization": "Example",
            "OrganizationalUnit": "Pumps",
            "Country": "DE",
        }

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (HEAD + 'crl = "none"', f"{PLACE}.certificate: missing; expected: PEM file with the CA's certificate; or"),
            (HEAD + f'private_ca = "{ARN}"', f"{PLACE}.crl: missing"),
            (BY_ARN.replace("eu-west-1:", "us-east-1:"), f"{PLACE}.private_ca: found a CA in us-east-1; expected: one"),
            (BY_ARN + f'ca_certificate_id = "{"ab" * 32}"', "the deploy finds it out; leave it out"),
            (BY_ARN.replace(ARN, "arn:aws:acm:x"), f"{PLACE}.private_ca: "),
            (CREATED + 'type = "root"', f"{PLACE}.private_ca.common_name: missing; expected: common name"),
            (CREATED + 'type = "leaf"\ncommon_name = "F"', f"{PLACE}.private_ca.type: "),
            (ROOT + f'parent = "{ARN}"', f"{PLACE}.private_ca.parent: found a parent; a root has none"),
            (ROOT.replace('"root"', '"subordinate"'), f"{PLACE}.private_ca.parent: missing"),
            (
                ROOT.replace('"root"', '"subordinate"') + f'parent = "{ARN.replace("eu-west", "us-west")}"',
                f"{PLACE}.private_ca.parent: found a CA in us-west-1",
            ),
            (ROOT + "validity_years = 0", f"{PLACE}.private_ca.validity_years: found 0; at least 1"),
            (ROOT + 'key_algorithm = "RSA_1024"', f"{PLACE}.private_ca.key_algorithm: "),
            (ROOT.replace("Factory 1", "Factory, O=x"), f"{PLACE}.private_ca.common_name: "),
            (ROOT + 'organisation = "x"', "did you mean organization?"),
            (ROOT.replace("[deployments.prod-eu.cas.", 'crl = "none"\n[deployments.prod-eu.cas.'), "leave it out"),
            (
                ROOT.replace("[deployments.prod-eu.cas.", 'registration = "existing"\n[deployments.prod-eu.cas.'),
                "cannot be registered already",
            ),
            (
                ROOT.replace(
                    "[deployments.prod-eu.cas.", 'certificate = "cas/factory-1.pem"\n[deployments.prod-eu.cas.'
                ),
                f"{PLACE}.certificate: found",
            ),
        ],
        ids=lambda each: each[:40] if each.startswith(PLACE) else "",
    )
    def test_a_wrong_private_ca_says_what_is_wrong(self, fleet: FleetFolder, text: str, words: str) -> None:
        """One mistake, at its key."""
        assert words in fleet.mistake(text)

    def test_one_private_ca_twice_is_refused(self, fleet: FleetFolder) -> None:
        """By its ARN, since nothing else is known."""
        again = BY_ARN.removeprefix(DEPLOYMENT_TABLE).replace("factory-1", "factory-2")
        assert '"factory-1" and "factory-2" have the same private_ca' in fleet.mistake(BY_ARN + again)

    def test_publishers_of_other_accounts_do_not_go_with_a_created_ca(self, fleet: FleetFolder) -> None:
        """The bucket then has ACLs, under which they would own what they write."""
        role = "arn:aws:iam::444455556666:role/publisher"
        text = ROOT.replace("[[", f'crl_publishers = ["{role}"]\n[[', 1)
        assert fleet.mistake(text) == (
            f"deployments.prod-eu.crl_publishers: found {role}; beside a CA that the stack creates, roles of the "
            "deployment's own account only"
        )
        assert fleet.read(text.replace("444455556666", "111122223333")).crl_publishers

    def test_what_the_deploy_finds_out_must_fit_into_the_environment(self, fleet: FleetFolder) -> None:
        """A function has 4 KB for it."""
        table = ROOT.removeprefix(DEPLOYMENT_TABLE)
        many = "".join(table.replace('name = "factory-1"', f'name = "factory-{n}"') for n in range(13))
        assert "13 CAs in AWS Private CA without a certificate file; at most 12" in fleet.mistake(
            DEPLOYMENT_TABLE + many
        )

    def test_the_lint_knows_of_a_created_ca_what_the_file_says(self, fleet: FleetFolder) -> None:
        """And claims nothing about one that only the deploy will see."""
        assert PolicyCa.of(fleet.read_ca(ROOT)).issuer_fields == {"CommonName": ("Factory 1",)}
        assert PolicyCa.of(fleet.read_ca(BY_ARN)).issuer_fields is None


class TestRegistration:
    """DEFAULT mode and its proof."""

    def test_a_proof_that_aws_iot_would_take_is_taken(self, fleet: FleetFolder) -> None:
        """The registration code, signed by the CA."""
        put_proof(fleet)
        ca = fleet.read_ca(default_mode())
        assert ca.registration is Registration.DEFAULT
        assert ca.verification_certificate == (fleet.folder / "proof.pem").read_text()

    def test_in_aws_private_ca_it_is_made_at_deploy(self, fleet: FleetFolder) -> None:
        """So no file is wanted."""
        assert fleet.read_ca(BY_ARN + 'registration = "DEFAULT"').verification_certificate is None

    def test_a_proof_with_another_name_is_refused(self, fleet: FleetFolder) -> None:
        """Its CN is the registration code, and that has 64 hexadecimal digits."""
        put_proof(fleet, code="factory-1")
        assert "its common name is no registration code" in fleet.mistake(default_mode())

    def test_a_proof_by_another_ca_is_refused(self, fleet: FleetFolder) -> None:
        """Of the same name."""
        put_proof(fleet, ca=pki.CertificateAuthority.create("Factory CA 1"))
        assert "it was not signed by the key of this CA" in fleet.mistake(default_mode())

    def test_an_expired_proof_is_refused_with_the_way_on(self, fleet: FleetFolder) -> None:
        """After the registration nobody needs it any more."""
        put_proof(fleet, at=pki.now() - 5 * pki.DAY)
        mistake = fleet.mistake(default_mode())
        assert mistake.startswith(f"{PLACE}.verification_certificate: it expired at ")
        assert mistake.endswith('for a CA that is registered by now say registration = "existing"')

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"-----BEGIN CERTIFICATE REQUEST-----\n", "is the request; expected: what the CA's owner signed"),
            (pki.private_pem(CA.key).encode(), "holds a private key"),
            (b"", "holds not one readable certificate"),
            (pki.pem(CA.certificate).encode() * 2, "holds not one readable certificate"),
        ],
        ids=["request", "key", "empty", "two"],
    )
    def test_a_file_that_is_no_proof_is_refused(self, fleet: FleetFolder, content: bytes, words: str) -> None:
        """Before a deploy begins."""
        (fleet.folder / "proof.pem").write_bytes(content)
        assert words in fleet.mistake(default_mode())

    @pytest.mark.parametrize("registration", ["SNI_ONLY", "existing"])
    def test_without_default_mode_a_proof_is_refused(self, fleet: FleetFolder, registration: str) -> None:
        """AWS IoT would refuse it too."""
        put_proof(fleet)
        text = default_mode().replace('"DEFAULT"', f'"{registration}"')
        assert f"found one for {registration}; it is for" in fleet.mistake(text)

    def test_default_mode_belongs_to_one_account_of_a_region(self, fleet: FleetFolder) -> None:
        """Two accounts want SNI_ONLY, and other Regions do not matter."""
        text = BY_ARN.replace(DEPLOYMENT_TABLE, "") + 'registration = "DEFAULT"\n'
        both = DEPLOYMENT_TABLE + text + DEPLOYMENT_TABLE.replace("prod-eu", "test").replace("1111", "4444")
        both += text.replace("prod-eu", "test")
        assert fleet.mistake(both) == (
            'deployments.test.cas: CA "factory-1" is in DEFAULT mode in deployment "prod-eu" of eu-west-1 too; '
            "AWS IoT allows that in one account of a Region; say SNI_ONLY"
        )
        assert len(read_all(fleet, both.replace('registration = "DEFAULT"', "", 1)).deployments) == 2

    def test_a_code_is_that_of_one_account_and_region(self, fleet: FleetFolder) -> None:
        """The wrong one of two proofs would be refused after minutes of deploy."""
        put_proof(fleet)
        assert 'has the registration code of "prod-eu"; each account and Region has a code of its own' in fleet.mistake(
            elsewhere(default_mode(), account="111122223333", region="eu-central-1")
        )

    def test_an_eleventh_ca_with_one_subject_is_refused(self, fleet: FleetFolder) -> None:
        """In one account and Region; ten are fine."""
        tables = []
        for number in range(11):
            fleet.put_ca(f"ca-{number}", pki.CertificateAuthority.create("Same"))
            tables.append(CA_TABLE.replace("factory-1", f"ca-{number}"))
        assert len(fleet.read(DEPLOYMENT_TABLE + "".join(tables[:10])).cas) == 10
        assert fleet.mistake(DEPLOYMENT_TABLE + "".join(tables)).startswith(
            'deployments.prod-eu.cas: CA "ca-10" is one of more than 10 with the subject '
        )


class TestObservation:
    """`mode = "observe"`, allow-lists and releases."""

    def test_mode_and_allow_list_reach_the_functions(self, fleet: FleetFolder) -> None:
        """Activation without a list is the default."""
        usual = configuration_of(fleet.read(DEPLOYMENT_TABLE + CA_TABLE))
        assert (usual.mode, usual.cas[0].allow_list) == (Mode.ACTIVATE, False)
        text = with_ca_key('allow_list = true\nregistration = "existing"').replace("[[", 'mode = "observe"\n[[', 1)
        other = configuration_of(fleet.read(text))
        assert (other.mode, other.cas[0].allow_list) == (Mode.OBSERVE, True)

    @pytest.mark.parametrize("registration", ["SNI_ONLY", "DEFAULT"])
    def test_who_observes_registers_nothing(self, fleet: FleetFolder, registration: str) -> None:
        """The CA is somebody else's."""
        text = BY_ARN.replace("[[", 'mode = "observe"\n[[', 1) + f'registration = "{registration}"'
        assert 'mode = "observe" registers nothing; expected: registration = "existing"' in fleet.mistake(text)

    def test_cas_may_be_released(self, fleet: FleetFolder) -> None:
        """By name or id."""
        names = ("factory-1", "ab" * 32)
        assert fleet.read(with_key(f"released_cas = {list(names)}")).released_cas == names


class TestThings:
    """Type, groups and attributes."""

    def test_they_reach_the_functions(self, fleet: FleetFolder) -> None:
        """As the file says them."""
        lines = (
            'thing_type = "pump"\nthing_groups = ["pumps", "eu"]\nthing_attributes = { model = "A1", site = "north" }'
        )
        (ca,) = configuration_of(fleet.read(with_ca_key(lines))).cas
        assert (ca.thing_type, ca.thing_groups) == ("pump", ("pumps", "eu"))
        assert ca.thing_attributes == {"model": "A1", "site": "north"}

    @pytest.mark.parametrize(
        ("lines", "words"),
        [
            ('thing_name = "off"\nthing_type = "pump"', 'thing_type: found one beside thing_name = "off"'),
            ('thing_name = "off"\nthing_groups = ["a"]', 'thing_groups: found one beside thing_name = "off"'),
            ('thing_attributes = { certificate_id = "x" }', "it says whom a Thing belongs to"),
            ('thing_attributes = { a = "1", b = "2", c = "3" }', "AWS IoT allows 2 beside ours, or 49 with thing_type"),
            ('thing_attributes = { "a b" = "1" }', "names of letters, digits and _.,@/:#-"),
            ('thing_attributes = { a = "ü" }', "names of letters, digits and _.,@/:#-"),
            ("thing_attributes = { a = 1 }", "a table of texts is expected"),
            (f"thing_groups = {[f'g{n}' for n in range(11)]}", "found 11; a Thing may be in 10 groups"),
            ('thing_groups = ["a", "a"]', "found a name twice"),
            ('thing_groups = ["a b"]', "names of letters, digits, : _ and -"),
            ('thing_type = "*"', "letters, digits, : _ and -, at most 128"),
        ],
    )
    def test_what_no_thing_could_have_is_refused(self, fleet: FleetFolder, lines: str, words: str) -> None:
        """As AWS IoT would, after the first device knocked."""
        assert words in fleet.mistake(with_ca_key(lines))

    def test_with_a_type_there_may_be_fifty_attributes(self, fleet: FleetFolder) -> None:
        """One of them is ours."""
        attributes = ", ".join(f'a{n} = "x"' for n in range(49))
        lines = f'thing_type = "pump"\nthing_attributes = {{ {attributes} }}'
        assert len(fleet.read_ca(with_ca_key(lines)).thing_attributes) == 49
        assert "AWS IoT allows 49 beside ours" in fleet.mistake(with_ca_key(lines.replace("{ ", '{ b = "x", ')))

    def test_two_stacks_of_a_place_do_not_create_one_group(self, fleet: FleetFolder) -> None:
        """One of them says so, or they stand in different places."""
        fleet.put_ca("factory-2", pki.CertificateAuthority.create("Factory CA 2"))
        first = with_ca_key('thing_groups = ["pumps"]')
        second = first.replace("prod-eu", "test").replace("cas/factory-1", "cas/factory-2")
        assert fleet.mistake(first + "\n" + second) == (
            'deployments.test.cas: the thing group pumps of CA "factory-1" is created by deployment "prod-eu" too; '
            "one of the two creates it; say create_thing_groups = false in the other"
        )
        said = second.replace("[[", "create_thing_groups = false\n[[", 1)
        assert len(read_all(fleet, first + "\n" + said).deployments) == 2
        assert len(read_all(fleet, elsewhere(first)).deployments) == 2


class TestWarnings:
    """What is allowed, but worth a word."""

    def test_a_ca_that_ends_within_a_year_is_worth_a_word(self, fleet: FleetFolder) -> None:
        """Not one that is retired, nor one that stays."""
        at = pki.now()
        for days, status, said in [(364, "ACTIVE", 1), (364, "retired", 0), (366, "ACTIVE", 0)]:
            fleet.put_ca("factory-1", pki.CertificateAuthority.create(not_after=at + days * pki.DAY))
            warnings = list(warnings_of(fleet.read(with_ca_key(f'status = "{status}"')), at=at + timedelta(seconds=1)))
            assert len(warnings) == said
        assert not list(warnings_of(fleet.read(BY_ARN), at=at))

    def test_a_ca_that_the_stack_makes_for_a_year_is_worth_a_word(self, fleet: FleetFolder) -> None:
        """Its devices outlive it; two years are enough."""
        (warning,) = warnings_of(fleet.read(ROOT + "validity_years = 1"), at=pki.now())
        assert warning.startswith("prod-eu: the certificate of CA factory-1 will be valid for a year")
        assert not list(warnings_of(fleet.read(ROOT + "validity_years = 2"), at=pki.now()))

    def test_a_root_that_allows_cas_below_it_is_worth_a_word(self, fleet: FleetFolder) -> None:
        """One of those may be what signs the devices; a root without room for a CA cannot be meant otherwise."""
        for path_length, said in [(None, 1), (1, 1), (0, 0)]:
            fleet.put_ca("factory-1", pki.CertificateAuthority.create(path_length=path_length))
            warnings = list(warnings_of(fleet.read(DEPLOYMENT_TABLE + CA_TABLE), at=pki.now()))
            assert len(warnings) == said, path_length
            assert all("name the certificate of one device as `device`" in each for each in warnings)
        fleet.put_ca("factory-1", pki.CertificateAuthority.create(path_length=None))
        assert not list(warnings_of(fleet.read(with_ca_key('status = "retired"')), at=pki.now()))

    def test_a_ca_above_another_one_is_worth_a_word(self, fleet: FleetFolder) -> None:
        """AWS IoT wants the one that signs the devices; said once, unless one of them brings in nobody."""
        root, line = chain()
        fleet.put_ca("factory-1", root)
        fleet.put_ca("line-1", line)
        text = DEPLOYMENT_TABLE + CA_TABLE + CA_TABLE.replace("factory-1", "line-1")
        (warning,) = warnings_of(fleet.read(text), at=pki.now())
        assert warning.startswith("prod-eu: CA factory-1 issued CA line-1. AWS IoT looks at no chain")
        assert not list(warnings_of(fleet.read(text.replace("crl =", 'status = "retired"\ncrl =', 1)), at=pki.now()))


def chain() -> tuple[pki.CertificateAuthority, pki.CertificateAuthority]:
    """Make a root, and the CA below it that signs devices."""
    root, line = pki.CertificateAuthority.create("Root", path_length=1), pki.CertificateAuthority.create("Line 1")
    request = CaRequest(common_name="Line 1", organization=None, days=3000)
    issued = sign_intermediate(request, line.key, issuer=root.certificate, issuer_key=root.key, at=pki.now())
    return root, pki.CertificateAuthority(certificate=issued, key=line.key)


class TestSampleDevice:
    """`device`: one device's certificate shows which CA signs them."""

    TEXT = with_ca_key('device = "device.pem"')

    @staticmethod
    def put(fleet: FleetFolder, *certificates: x509.Certificate) -> None:
        """Write what the device sends."""
        (fleet.folder / "device.pem").write_text("".join(map(pki.pem, certificates)), encoding="utf-8")

    def test_a_device_of_the_ca_settles_what_the_root_left_open(self, fleet: FleetFolder) -> None:
        """A root that signs devices itself is right, and nothing is left to warn of."""
        root, _ = chain()
        fleet.put_ca("factory-1", root)
        device = root.issue().certificate
        self.put(fleet, device, root.certificate)
        deployment = fleet.read(self.TEXT)
        assert deployment.cas[0].sample_device == pki.pem(device)
        assert not list(warnings_of(deployment, at=pki.now()))

    def test_a_root_whose_intermediate_signs_the_devices_is_refused(self, fleet: FleetFolder) -> None:
        """With the CA that should be there instead, although only the root is in the file."""
        root, line = chain()
        fleet.put_ca("factory-1", root)
        self.put(fleet, line.issue().certificate)
        assert fleet.mistake(self.TEXT) == (
            f"{PLACE}.device: this CA did not sign the device; 'CN=Line 1' did; give that CA as `certificate`: the one "
            "that directly signs the devices, not a root above it"
        )

    def test_the_device_is_found_in_a_chain_of_any_order(self, fleet: FleetFolder) -> None:
        """As NSS exports it: the CA first. The CA's own certificate shows nothing."""
        root, _ = chain()
        fleet.put_ca("factory-1", root)
        device = root.issue().certificate
        self.put(fleet, root.certificate, device)
        assert fleet.read(self.TEXT).cas[0].sample_device == pki.pem(device)
        self.put(fleet, root.certificate)
        assert "holds the CA's own certificate" in fleet.mistake(self.TEXT)

    @pytest.mark.parametrize("kind", odd.KINDS)
    def test_an_odd_device_shows_its_ca_like_any_other(self, fleet: FleetFolder, kind: str) -> None:
        """What would be activated is right here too, but for names that no Thing can have."""
        root, _ = chain()
        fleet.put_ca("factory-1", root)
        device = odd.KINDS[kind](root, 0x1234, root.key)
        (fleet.folder / "device.pem").write_bytes(odd.Written(device, 0x1234).public_bytes(Encoding.PEM))
        text = self.TEXT + '\nthing_name = "serial"'
        if kind.startswith("issuer "):
            assert "did not sign the device" in fleet.mistake(text)
        else:
            assert fleet.read(text).cas[0].sample_device is not None

    @pytest.mark.parametrize("kind", odd.UNREADABLE)
    def test_a_device_that_nobody_can_read_is_refused_in_the_readers_words(self, fleet: FleetFolder, kind: str) -> None:
        """Which byte it is."""
        device = odd.unreadable_device(kind, CA)
        (fleet.folder / "device.pem").write_bytes(device.certificate.public_bytes(Encoding.PEM))
        assert re.search(r"holds no readable certificate: .*byte", fleet.mistake(self.TEXT))

    def test_a_device_of_another_ca_of_the_same_name_is_refused(self, fleet: FleetFolder) -> None:
        """Its issuer's name alone would say nothing."""
        self.put(fleet, pki.CertificateAuthority.create("Factory CA 1").issue().certificate)
        assert "did not sign the device; another CA of the same name did" in fleet.mistake(self.TEXT)

    @pytest.mark.parametrize(
        ("device", "words"),
        [
            (lambda: CA.issue(key="RSA-1024"), "would stay out: an RSA key of 1024 bits; 2048 are required (weak_key)"),
            (lambda: CA.issue("pump 1"), "is no Thing name: 1 to 128 of A-Z a-z 0-9 : _ - (unusable_name)"),
            (lambda: CA.issue(None), "0 common names; exactly one is required (unusable_name)"),
        ],
        ids=["weak", "unusable name", "no name"],
    )
    def test_a_device_that_would_stay_out_is_refused(
        self, fleet: FleetFolder, device: Callable[[], pki.Device], words: str
    ) -> None:
        """By the rules that the function has, with its reasons."""
        self.put(fleet, device().certificate)
        assert words in fleet.mistake(self.TEXT)

    def test_names_matter_as_far_as_things_have_them(self, fleet: FleetFolder) -> None:
        """Where they are named by serial number, any common name will do."""
        self.put(fleet, CA.issue("pump 1").certificate)
        assert fleet.read_ca(self.TEXT + '\nthing_name = "serial"').sample_device

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"not_after": pki.now() - pki.DAY / 2}, "would stay out: the certificate's validity ended at"),
            ({"not_before": pki.now() + pki.DAY}, "would stay out: the certificate is not valid before"),
        ],
        ids=["expired", "not yet valid"],
    )
    def test_a_device_outside_its_validity_is_worth_a_word(
        self, fleet: FleetFolder, options: dict[str, datetime], words: str
    ) -> None:
        """It shows who signed it all the same."""
        self.put(fleet, CA.issue(**options).certificate)  # type: ignore[arg-type]
        (warning,) = warnings_of(fleet.read(self.TEXT), at=pki.now())
        assert words in warning

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "holds no readable certificate: it is empty; expected: PEM with the certificate of one device"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no readable certificate"),
            (pki.private_pem(CA.key).encode(), "holds a private key; keep the key elsewhere"),
            (None, "cannot be read: No such file or directory"),
        ],
        ids=["empty", "garbage", "key", "missing"],
    )
    def test_a_file_without_a_certificate_is_refused(
        self, fleet: FleetFolder, content: bytes | None, words: str
    ) -> None:
        """And named."""
        if content is not None:
            (fleet.folder / "device.pem").write_bytes(content)
        assert words in fleet.mistake(self.TEXT)

    @pytest.mark.parametrize("text", [BY_ARN, ROOT], ids=["by its ARN", "created"])
    def test_a_ca_that_only_the_deploy_knows_takes_none(self, fleet: FleetFolder, text: str) -> None:
        """A check that silently checks nothing would be worse."""
        self.put(fleet, CA.issue().certificate)
        text = text.replace('name = "factory-1"\n', 'name = "factory-1"\ndevice = "device.pem"\n')
        assert "known only at deploy; leave it out" in fleet.mistake(text)


def test_the_cas_in_the_docs_are_accepted(fleet: FleetFolder) -> None:
    """Copied, pasted behind one deployment, and read without a complaint."""
    page = (Path(__file__).parents[3] / "docs" / "certificate-authorities.md").read_text(encoding="utf-8")
    tables = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    fleet.put_ca("factory-2", pki.CertificateAuthority.create("Factory CA 2"))
    put_proof(fleet)
    (fleet.folder / "proof.pem").rename(fleet.folder / "cas" / "factory-1.verification.pem")
    cas = fleet.read(DEPLOYMENT_TABLE + "\n".join(tables)).cas
    assert [ca.name for ca in cas] == ["factory-1", "factory-2", "factory-3"]
    assert isinstance(cas[2].private_ca, NewPrivateCa)
