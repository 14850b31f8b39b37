"""The fleet file: what each wrong one says. Key, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from jitr_fleet.files.mistakes import FleetFileError
from jitr_fleet.fleet_file.reader import read_fleet
from jitr_local import pki
from tests.worlds.fleet_folder import CA, CA_TABLE, DEPLOYMENT_TABLE, FleetFolder, with_ca_key, with_key


@pytest.fixture
def fleet(tmp_path: Path) -> FleetFolder:
    """A folder for a fleet file, with the shipped policies and one CA."""
    return FleetFolder(tmp_path)


class TestWrongDeployment:
    """What is wrong with the file or a deployment in it."""

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        """With its whole path."""
        with pytest.raises(FleetFileError, match=r"nowhere\.toml: cannot be read: No such file"):
            read_fleet(tmp_path / "nowhere.toml")

    def test_text_that_is_no_toml_is_placed(self, fleet: FleetFolder) -> None:
        """Line and column."""
        assert "is no TOML" in fleet.mistake("[deployments.prod-eu\n")
        assert "line 1" in fleet.mistake("[deployments.prod-eu\n")

    def test_a_file_in_another_encoding_is_refused(self, fleet: FleetFolder) -> None:
        """Not guessed at."""
        fleet.file.write_bytes("# Grüße".encode("latin-1"))
        with pytest.raises(FleetFileError, match="is not UTF-8"):
            read_fleet(fleet.file)

    def test_an_empty_file_deploys_nothing_and_says_so(self, fleet: FleetFolder) -> None:
        """An empty app would look like success."""
        assert fleet.mistake("").startswith("deployments: missing or empty; expected: at least one")

    @pytest.mark.parametrize("text", ["deployments = 1", "[[deployments]]\nname = 'x'"])
    def test_deployments_of_another_shape_are_refused(self, fleet: FleetFolder, text: str) -> None:
        """Each has a table of its own."""
        assert fleet.mistake(text) == "deployments: found no table; expected: [deployments.<name>]"

    def test_a_deployment_that_is_no_table_is_refused(self, fleet: FleetFolder) -> None:
        """Shown as it stands."""
        assert fleet.mistake('[deployments]\nprod-eu = "x"') == (
            'deployments.prod-eu: found "x"; a table is expected here'
        )

    @pytest.mark.parametrize("name", ["Prod", "1prod", "prod_eu", "a" * 25, '"prod eu"', '"prod\\n"', '""'])
    def test_a_deployments_name_is_part_of_other_names(self, fleet: FleetFolder, name: str) -> None:
        """So only what fits all of them."""
        text = DEPLOYMENT_TABLE.replace("prod-eu", name)
        assert "a lower-case letter, then up to 23" in fleet.mistake(text)

    def test_an_unknown_key_suggests_the_near_one(self, fleet: FleetFolder) -> None:
        """And lists all."""
        mistake = fleet.mistake(with_key("crl_host = []"))
        assert mistake.startswith(
            "deployments.prod-eu.crl_host: unknown key; did you mean crl_hosts? allowed: account,"
        )

    def test_an_unknown_table_is_named(self, fleet: FleetFolder) -> None:
        """At the top of the file too."""
        mistake = fleet.mistake(DEPLOYMENT_TABLE + "[deployment.x]\n")
        assert mistake == "deployment: unknown key; did you mean deployments? allowed: deployments"

    def test_all_mistakes_are_shown_together(self, fleet: FleetFolder) -> None:
        """A person mends them in one go."""
        found = fleet.mistakes(
            '[deployments.prod-eu]\naccount = 1\nstatus = "x"\n'
            '[[deployments.prod-eu.cas]]\nname = "f"\nstatus = "active"\n'
        )
        assert [mistake.split(":")[0].removeprefix("deployments.prod-eu.") for mistake in found] == [
            "status",
            "account",
            "region",
            "cas[0].status",
            "cas[0].certificate",
            "cas[0].crl",
        ]

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ('account = "12345"', 'account: found "12345"; expected: 12 digits in quotes'),
            (
                "account = 111122223333",
                "account: found 111122223333; a text in quotes is expected: 12 digits in quotes",
            ),
            ('account = "\uff1111122223333"', "12 digits in quotes"),
            ('region = "Ireland"', 'region: found "Ireland"; expected: an AWS Region such as "eu-west-1"'),
        ],
    )
    def test_account_and_region_are_checked(self, fleet: FleetFolder, line: str, words: str) -> None:
        """They become part of every ARN."""
        name = line.split("=", maxsplit=1)[0].strip()
        kept = [each for each in DEPLOYMENT_TABLE.splitlines() if not each.startswith(name)]
        assert words in fleet.mistake("\n".join([*kept, line]))

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ('ingestion = "dirct"', 'did you mean "direct"? allowed: direct, queue'),
            ("maximum_concurrency = 1", "at least 2 is expected"),
            ("maximum_concurrency = 1001", "at most 1000 is expected"),
            ('maximum_concurrency = "off"', "allowed: auto, or a number from 2 on"),
            ('crl_hosts = ["https://crl.example.com/x"]', "host names in lower case, with :port where"),
            ('crl_hosts = "crl.example.com"', "a list of texts is expected"),
            ("crl_hosts = [1]", "a list of texts is expected"),
            ('crl_hosts = ["localhost"]', "host names in lower case"),
            ('crl_hosts = ["crl.example.com:65536"]', "host names in lower case"),
            ('crl_hosts = ["crl.example.com:0"]', "host names in lower case"),
            ('crl_publishers = ["*"]', "ARNs of roles"),
            ('crl_publishers = ["arn:aws:iam::111122223333:root"]', "ARNs of roles"),
            ('crl_publishers = ["arn:aws:iam::111122223333:role/*"]', "no wildcards"),
            ('alarm_email = "on-call"', "an e-mail address"),
            ("api_margin = 10", "api_margin leaves nothing of api_tps = 10"),
            ("api_margin = nan", "a number is expected"),
            ("api_margin = -0.5", "at least 0 is expected"),
            ('api_margin = "some"', "a number is expected"),
            ("api_tps = 0", "api_tps: found 0; at least 1 is expected"),
            ("api_tps = 2.5", "a whole number is expected"),
            ("api_tps = true", "api_tps: found true; a whole number is expected"),
            ("enforcement_share = 0", "enforcement_share: found 0; at least 1 is expected"),
            ("bulk_share = 101", "bulk_share: found 101; at most 100 is expected"),
            (
                "activation_share = 61",
                "activation_share + enforcement_share + bulk_share make 101 percent; together they make 100 at most",
            ),
            ("enforcement_minutes = 0", "enforcement_minutes: found 0; at least 1 is expected"),
            ("enforcement_minutes = 61", "enforcement_minutes: found 61; at most 60 is expected"),
            ('reserved_concurrency = "of"', 'did you mean "off"? allowed: auto, off, or a number from 1 on'),
            ("reserved_concurrency = 0", "reserved_concurrency: found 0; at least 1 is expected"),
            ("reserved_concurrency = false", "allowed: auto, off, or a number from 1 on"),
            ("log_retention_days = 100", "allowed: 1, 3, 5, 7, 14, 30, 60, 90, 120"),
            ('policies = "nowhere"', "deployments.prod-eu.policies: there is no folder"),
            ("cas = 1", "cas: found no list of tables; expected: [[deployments.prod-eu.cas]]"),
        ],
    )
    def test_a_wrong_value_says_what_is_allowed(self, fleet: FleetFolder, line: str, words: str) -> None:
        """Key, found, allowed."""
        assert words in fleet.mistake(with_key(line))


class TestWrongCa:
    """What is wrong with a CA."""

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ('registration = "DEFAULT"', "cas[0].verification_certificate: missing; DEFAULT wants a proof"),
            ('registration = "sni_only"', "allowed: SNI_ONLY, DEFAULT, existing"),
            ('status = "active"', 'cas[0].status: found "active"; '),
            (
                'crl = "https://crl.example.com/a.crl"',
                'cas[0].crl: host "crl.example.com" is not among crl_hosts; allowed: nothing',
            ),
            ('crl = "http://crl.example.com:8080/a"', 'host "crl.example.com:8080" is not among crl_hosts'),
            ('crl = "http://crl.example.com:443/a"', 'host "crl.example.com:443" is not among crl_hosts'),
            ('crl = "https://me@crl.example.com/a"', '"https://host/path"'),
            ('crl = "https://crl.example.com"', '"https://host/path"'),
            ('crl = "https://CRL.example.com/a"', '"https://host/path"'),
            ('crl = "https://crl.example.com/a#b"', '"https://host/path"'),
            ('crl = "https://crl.example.com:65536/a"', '"https://host/path"'),
            ('crl = "https://[::1]/a"', '"https://host/path"'),
            ('crl = "ftp://crl.example.com/a"', '"https://host/path"'),
            (
                'crl = "s3://jitr-prod-eu-crl-111122223333-eu-west-1/enforced/a.crl"',
                "keys below enforced/ are the enforcement function's own",
            ),
            ("crl_max_age_hours = 0", "at least 1 is expected"),
            ("crl_max_age_hours = 8785", "at most 8784 is expected"),
            ('crl = "s3://bucket"', 'cas[0].crl: found "s3://bucket"; expected: "s3://bucket/key"'),
            ('crl = "s3://bucket/*"', 'expected: "s3://bucket/key"'),
            ('crl = "s3://bucket/${aws:username}"', 'expected: "s3://bucket/key"'),
            ('crl = "None"', 'or "none" to spell out that revocation is not checked'),
            ('policy = "defalt"', 'there is no policy template "defalt"; did you mean default? allowed: default'),
            ('policy = "../default"', "the name of a template"),
            ('thing_name = "common_name"', "allowed: cn, serial, certificate_id, off"),
            ('on_existing_thing = "replce"', 'did you mean "replace"?'),
            ('ca_certificate_id = "AB"', "64 lower-case hexadecimal digits"),
            ('name = "factory 1"', "letters, digits, _ . and -"),
            ('polcy = "default"', "cas[0].polcy: unknown key; did you mean policy?"),
        ],
    )
    def test_a_wrong_value_says_what_is_allowed(self, fleet: FleetFolder, line: str, words: str) -> None:
        """Key, found, allowed."""
        mistake = fleet.mistake(with_ca_key(line))
        assert mistake.startswith("deployments.prod-eu.cas[0].")
        assert words in mistake

    def test_a_host_that_is_nearly_right_is_suggested(self, fleet: FleetFolder) -> None:
        """Typing mistakes in host names are hard to see."""
        text = with_ca_key('crl = "https://crl.exampel.com/a.crl"')
        mistake = fleet.mistake(text.replace("[[", 'crl_hosts = ["crl.example.com"]\n[[', 1))
        assert mistake.endswith("did you mean crl.example.com? allowed: crl.example.com")

    def test_the_crl_source_must_be_spelled_out(self, fleet: FleetFolder) -> None:
        """No default: nobody gets a deployment that checks nothing without having said so."""
        text = DEPLOYMENT_TABLE + CA_TABLE.replace('crl = "s3://crls/factory-1.crl"\n', "")
        assert fleet.mistake(text).startswith(
            "deployments.prod-eu.cas[0].crl: missing; expected: where the CA's CRL is"
        )

    def test_a_ca_that_is_no_table_is_refused(self, fleet: FleetFolder) -> None:
        """Placed by its number."""
        assert fleet.mistake(with_key('cas = ["x"]')) == (
            'deployments.prod-eu.cas[0]: found "x"; a table is expected here'
        )

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "it is empty"),
            (b"hello", "holds neither DER nor PEM"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no readable certificate"),
            (pki.pem(CA.certificate).encode() * 2, "holds 2 certificates in PEM"),
            (pki.pem(CA.certificate).encode() + pki.private_pem(CA.key).encode(), "holds a private key"),
            (pki.der(CA.certificate), "holds 0 certificates in PEM"),
            (pki.pem(CA.certificate).encode()[:-40], "holds no readable certificate"),
        ],
        ids=["empty", "text", "garbage", "two blocks", "with key", "DER", "cut off"],
    )
    def test_a_file_that_is_no_certificate_is_refused(self, fleet: FleetFolder, content: bytes, words: str) -> None:
        """One PEM block, and no private key anywhere near."""
        (fleet.folder / "cas" / "factory-1.pem").write_bytes(content)
        mistake = fleet.mistake(DEPLOYMENT_TABLE + CA_TABLE)
        assert mistake.startswith("deployments.prod-eu.cas[0].certificate: ")
        assert words in mistake

    def test_a_missing_certificate_is_named(self, fleet: FleetFolder) -> None:
        """With the path that was looked at."""
        mistake = fleet.mistake(with_ca_key('certificate = "cas/nowhere.pem"'))
        assert f"{fleet.folder / 'cas' / 'nowhere.pem'} cannot be read: No such file or directory" in mistake

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda: pki.CertificateAuthority.create(key="RSA-1024"), "the CA's RSA key has 1024 bits"),
            (lambda: pki.CertificateAuthority.create(not_after=pki.now() - pki.DAY / 2), "the certificate expired at"),
            (
                lambda: pki.CertificateAuthority.create(not_before=pki.now() + pki.DAY),
                "the certificate is not valid before",
            ),
            (
                lambda: pki.CertificateAuthority.create(
                    extensions=[(x509.BasicConstraints(ca=False, path_length=None), True)]
                ),
                "the certificate is no CA",
            ),
            (lambda: pki.CertificateAuthority.create(extensions=[]), "the certificate is no CA"),
            (
                lambda: pki.CertificateAuthority.create(key_usage=pki.ca_key_usage(key_cert_sign=False)),
                "does not have keyCertSign",
            ),
        ],
        ids=["weak", "expired", "not valid yet", "no CA", "no basicConstraints", "signs CRLs only"],
    )
    def test_a_certificate_that_is_no_usable_ca_is_refused(
        self, fleet: FleetFolder, make: Callable[[], pki.CertificateAuthority], words: str
    ) -> None:
        """Weak, outside its validity, or a device's."""
        fleet.put_ca("factory-1", make())
        assert words in fleet.mistake(DEPLOYMENT_TABLE + CA_TABLE)

    def test_two_cas_of_one_name_are_refused(self, fleet: FleetFolder) -> None:
        """Whatever their certificates are."""
        fleet.put_ca("factory-2", pki.CertificateAuthority.create("Factory CA 2"))
        text = DEPLOYMENT_TABLE + CA_TABLE + CA_TABLE.replace("cas/factory-1", "cas/factory-2")
        assert fleet.mistake(text) == ('deployments.prod-eu.cas: 2 CAs named "factory-1"; each needs a name of its own')

    @pytest.mark.parametrize(
        ("first", "second", "found"),
        [
            ("factory-2", None, 'CA "factory-1" was formerly "factory-2", and so is or was another'),
            ("line", "line", 'CA "factory-1" was formerly "line", and so is or was another'),
            ("factory-1", None, 'CA "factory-1" was formerly "factory-1"; leave `formerly` out'),
        ],
    )
    def test_a_former_name_that_another_ca_has_or_had_is_refused(
        self, fleet: FleetFolder, first: str, second: str | None, found: str
    ) -> None:
        """Both would be one resource of the stack; and a CA that kept its name has no other."""
        fleet.put_ca("factory-2", pki.CertificateAuthority.create("Factory CA 2"))
        renamed = CA_TABLE + f'formerly = "{first}"\n'
        other = CA_TABLE.replace("factory-1", "factory-2") + (f'formerly = "{second}"\n' if second else "")
        assert found in fleet.mistake(DEPLOYMENT_TABLE + renamed + other)

    def test_one_certificate_under_two_names_is_refused(self, fleet: FleetFolder) -> None:
        """Its devices would have two policies and two CRLs."""
        text = DEPLOYMENT_TABLE + CA_TABLE + CA_TABLE.replace('name = "factory-1"', 'name = "factory-2"')
        assert '"factory-1" and "factory-2" have the same certificate' in fleet.mistake(text)

    def test_one_id_for_two_certificates_is_refused(self, fleet: FleetFolder) -> None:
        """Ids can be given by hand, so they can be given twice."""
        fleet.put_ca("factory-2", pki.CertificateAuthority.create("Factory CA 2"))
        table = CA_TABLE + f'ca_certificate_id = "{"ab" * 32}"\n'
        text = DEPLOYMENT_TABLE + table + table.replace("factory-1", "factory-2")
        assert '"factory-1" and "factory-2" have the same ca_certificate_id' in fleet.mistake(text)

    def test_one_ca_in_two_deployments_of_one_region_is_refused(self, fleet: FleetFolder) -> None:
        """Both would decide each of its events."""
        text = DEPLOYMENT_TABLE + CA_TABLE
        twice = text + text.replace("prod-eu", "test")
        assert fleet.mistake(twice) == (
            'deployments.test.cas: CA "factory-1" is managed by deployment "prod-eu" too; '
            "one deployment of an account and Region manages a CA"
        )

    def test_one_ca_in_two_accounts_is_fine(self, fleet: FleetFolder) -> None:
        """That is what SNI_ONLY is for."""
        text = DEPLOYMENT_TABLE + CA_TABLE
        fleet.file.write_text(text + text.replace("prod-eu", "test").replace("111122223333", "444455556666"))
        assert read_fleet(fleet.file).names() == ("prod-eu", "test")
