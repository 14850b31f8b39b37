"""`jitr ca adopt` and `jitr ca release`: a CA under management at once, and out of it again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from jitr.crls.http_fetch import HttpFetcher
from jitr.errors import Outcome, Reason, Undecided
from jitr_local import pki
from jitr_local.pki import CertificateAuthority
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.bundle_server import BundleServer
from tests.cli.worlds.devices import in_the_same_account
from tests.worlds.deployment import BUCKET, TestDeployment

CRL = f"s3://{BUCKET}/other.crl"


@pytest.fixture
def other(stack: TestDeployment) -> CertificateAuthority:
    """A CA that somebody registered by hand, its CRL published."""
    ca = CertificateAuthority.create("Other CA")
    stack.iot.register_ca(ca)
    stack.publish(ca.crl(), key="other.crl")
    return ca


def test_an_adopted_cas_devices_are_activated(stack: TestDeployment, other: CertificateAuthority, jitr: Jitr) -> None:
    """Adopted at the prompt, in force for the next device, with no deploy in between."""
    answer = jitr("ca", "adopt", "--ca-certificate-id", other.ca_certificate_id, "--crl", CRL, "--yes")
    assert answer.exit_code == 0, answer.err
    assert "Region us-east-1 · deployment test" in answer.err
    result = stack.deliver(stack.iot.connect(other.issue(), other))
    assert result.outcome is Outcome.ACTIVATED


def test_a_released_cas_devices_wait(stack: TestDeployment, other: CertificateAuthority, jitr: Jitr) -> None:
    """Its next device is nobody's."""
    jitr("ca", "adopt", "--ca-certificate-id", other.ca_certificate_id, "--crl", CRL, "--yes")
    assert jitr("ca", "release", "--ca-certificate-id", other.ca_certificate_id, "--yes").exit_code == 0
    assert stack.deliver(stack.iot.connect(other.issue(), other)).outcome is Outcome.UNMANAGED_CA
    again = jitr("ca", "release", "--ca-certificate-id", other.ca_certificate_id, "--yes")
    assert (again.exit_code, "is not adopted" in again.err) == (64, True)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--crl", "s3://somebody-elses/x.crl"], "only the deployment's bucket"),
        (["--crl", "s3://" + BUCKET], "is not s3://bucket/key"),
        (["--crl", "https://example.com/x.crl"], "not among the deployment's crl_hosts"),
        (["--crl", "https://crl.example.com.evil.example/x.crl"], "not among the deployment's crl_hosts"),
        (["--crl", "/srv/x.crl"], "is not s3://bucket/key"),
        (["--crl", CRL, "--policy", "admin"], "not deployed; there are: default, walkthrough"),
        (["--crl", CRL, "--deployment", "prod"], "no deployment 'prod'"),
    ],
)
def test_what_is_not_deployed_is_refused(
    stack: TestDeployment, other: CertificateAuthority, jitr: Jitr, options: list[str], complaint: str
) -> None:
    """Nothing is written, and the message says what there is."""
    answer = jitr("ca", "adopt", "--ca-certificate-id", other.ca_certificate_id, "--yes", *options)
    assert (answer.exit_code, answer.out) == (64, "")
    assert complaint in answer.err
    assert list(stack.activation.authorities.records.records()) == []


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no HTTP host answer."""

    def fetch(_self: HttpFetcher, _url: str, *, etag: str | None) -> None:
        raise Undecided(Reason.FETCH_FAILED, "no answer")

    monkeypatch.setattr(HttpFetcher, "fetch", fetch)


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("source", ["https://crl.example.com/other.crl", "cdp"])
def test_other_sources_are_adopted_where_the_deployment_allows_them(
    stack: TestDeployment, other: CertificateAuthority, jitr: Jitr, source: str
) -> None:
    """A URL on an allowed host, or the certificates' own distribution points."""
    answer = jitr("ca", "adopt", "--ca-certificate-id", other.ca_certificate_id, "--crl", source, "--yes")
    assert answer.exit_code == 0, answer.err
    (record,) = stack.activation.authorities.records.records()
    assert record.adopted_crl == source


def test_a_ca_with_a_provisioning_template_is_refused(
    stack: TestDeployment, other: CertificateAuthority, jitr: Jitr
) -> None:
    """AWS IoT would activate its devices by itself, past every check."""
    stack.iot.cas[other.ca_certificate_id].registration_config = {
        "templateBody": "{}",
        "roleArn": "arn:aws:iam::1:role/x",
    }
    answer = jitr("ca", "adopt", "--ca-certificate-id", other.ca_certificate_id, "--crl", CRL, "--yes")
    assert (answer.exit_code, "provisioning template" in answer.err) == (64, True)
    assert list(stack.activation.authorities.records.records()) == []


def test_an_unregistered_ca_is_refused(stack: TestDeployment, jitr: Jitr) -> None:
    """AWS IoT does not know it."""
    answer = jitr("ca", "adopt", "--ca-certificate-id", "a" * 64, "--crl", CRL, "--yes")
    assert (answer.exit_code, "ca_not_found" in answer.err) == (69, True)


@pytest.mark.parametrize("identifier", ["", "abc", "g" * 64, "a" * 65])
def test_an_id_of_another_form_is_usage(stack: TestDeployment, jitr: Jitr, identifier: str) -> None:
    """Before any call."""
    assert jitr("ca", "adopt", "--ca-certificate-id", identifier, "--crl", CRL, "--yes").exit_code == 64
    assert stack.iot.calls == []


def test_a_dry_run_writes_nothing(stack: TestDeployment, other: CertificateAuthority, jitr: Jitr) -> None:
    """It only says what would be done."""
    answer = jitr("ca", "adopt", "--ca-certificate-id", other.ca_certificate_id, "--crl", CRL, "--dry-run")
    assert (answer.exit_code, "adopt CA" in answer.err) == (0, True)
    assert list(stack.activation.authorities.records.records()) == []


def test_nobody_there_to_say_yes_writes_nothing(stack: TestDeployment, other: CertificateAuthority, jitr: Jitr) -> None:
    """Without --yes and without a terminal the command ends as interrupted."""
    answer = jitr("ca", "adopt", "--ca-certificate-id", other.ca_certificate_id, "--crl", CRL)
    assert answer.exit_code == 130
    assert list(stack.activation.authorities.records.records()) == []


def test_a_ca_without_crl_is_adopted_with_a_warning(
    stack: TestDeployment, other: CertificateAuthority, jitr: Jitr
) -> None:
    """`none` is possible, but only spelled out and not in silence."""
    answer = jitr("ca", "adopt", "--ca-certificate-id", other.ca_certificate_id, "--crl", "none", "--yes")
    assert (answer.exit_code, "ever checked for revocation" in answer.err) == (0, True)


def adopt(jitr: Jitr, ca: CertificateAuthority, *more: object) -> str:
    """Adopt a CA and return the words that were said."""
    answer = jitr("ca", "adopt", "--ca-certificate-id", ca.ca_certificate_id, "--crl", CRL, "--yes", *more)
    assert answer.exit_code == 0, answer.err
    return answer.err


def test_a_ca_in_good_order_is_adopted_without_a_warning(
    stack: TestDeployment, other: CertificateAuthority, jitr: Jitr
) -> None:
    """Warnings that always come are not read."""
    words = adopt(jitr, other)
    assert "warning" not in words
    assert "note" not in words


def test_a_ca_of_the_fleet_file_is_adopted_with_a_warning(stack: TestDeployment, jitr: Jitr) -> None:
    """The fleet file wins; whoever adopts thinks otherwise."""
    assert "the fleet file wins, so adopting changes nothing" in adopt(jitr, stack.ca)


def test_a_second_adoption_says_what_it_replaces(
    stack: TestDeployment, other: CertificateAuthority, jitr: Jitr
) -> None:
    """With the CRL source and policy of before."""
    adopt(jitr, other)
    words = adopt(jitr, other, "--policy", "walkthrough")
    assert "it is adopted already" in words
    assert f"CRL {CRL}, policy default" in words


def test_what_keeps_its_devices_out_is_said(stack: TestDeployment, other: CertificateAuthority, jitr: Jitr) -> None:
    """Adopting alone lets nobody in."""
    ca = stack.iot.cas[other.ca_certificate_id]
    ca.status, ca.auto_registration = "INACTIVE", "DISABLE"
    words = adopt(jitr, other)
    assert "note: it is INACTIVE in AWS IoT: jitr ca activate" in words
    assert "note: auto-registration is off" in words


@pytest.mark.parametrize(
    ("crl", "complaint"),
    [
        (None, "there is no CRL at"),
        (b"no CRL", "(malformed)"),
        ("another CA's", "(issuer_mismatch)"),
        ("forged", "(bad_signature)"),
        ("expired", "(expired)"),
    ],
    ids=["missing", "unreadable", "another CA's", "forged", "expired"],
)
def test_a_crl_that_would_not_be_used_is_said(
    stack: TestDeployment, other: CertificateAuthority, jitr: Jitr, crl: bytes | str | None, complaint: str
) -> None:
    """It may be published later, so the CA is adopted all the same."""
    made = {
        "another CA's": stack.ca.crl(),
        "forged": other.crl(signing_key=stack.ca.key),
        "expired": other.crl(this_update=pki.now() - timedelta(days=30)),
    }
    if crl is None:
        stack.s3.delete_object(Bucket=BUCKET, Key="other.crl")
    else:
        stack.publish(made[crl] if isinstance(crl, str) else crl, key="other.crl")
    words = adopt(jitr, other)
    assert "warning" in words
    assert complaint in words


@pytest.mark.usefixtures("unreachable")
def test_an_http_source_that_does_not_answer_here_is_said(
    stack: TestDeployment, other: CertificateAuthority, jitr: Jitr
) -> None:
    """The function may be able to reach it."""
    assert "cannot be read from this computer" in adopt(jitr, other, "--crl", "https://crl.example.com/other.crl")


class TestReleasing:
    """The end of an adoption is the end of revocation for what is ACTIVE."""

    @pytest.fixture
    def adopted(self, stack: TestDeployment, other: CertificateAuthority, jitr: Jitr) -> CertificateAuthority:
        """An adopted CA with one device that is ACTIVE and one that waits."""
        adopt(jitr, other)
        stack.deliver(stack.iot.connect(other.issue("active-1"), other))
        stack.iot.connect(other.issue("waiting-1"), other)
        return other

    @staticmethod
    def release(jitr: Jitr, ca: CertificateAuthority, *more: object) -> Answer:
        """Release a CA."""
        return jitr("ca", "release", "--ca-certificate-id", ca.ca_certificate_id, *more)

    @staticmethod
    def is_adopted(stack: TestDeployment, ca: CertificateAuthority) -> bool:
        """Say whether it is still adopted."""
        record = stack.activation.authorities.records.record(ca.ca_certificate_id)
        return record is not None and record.adopted_policy is not None

    @pytest.mark.parametrize("option", ["--yes", "--dry-run"])
    def test_a_ca_with_active_devices_is_not_released(
        self, stack: TestDeployment, adopted: CertificateAuthority, jitr: Jitr, option: str
    ) -> None:
        """A yes to everything is no yes to that; the dry run says the same, and both say the safe way."""
        answer = self.release(jitr, adopted, option)
        assert answer.exit_code == 64
        assert "1 of its devices are ACTIVE, and stay so" in answer.err
        assert "nobody enforces the CRL for them any more" in answer.err
        assert 'put the CA into the fleet file (status = "retired"' in answer.err
        assert self.is_adopted(stack, adopted)

    def test_who_means_it_releases_it_and_explain_says_what_was_announced(
        self, stack: TestDeployment, adopted: CertificateAuthority, jitr: Jitr, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The words about `device explain` are its words."""
        in_the_same_account(monkeypatch)
        answer = self.release(jitr, adopted, "--with-active-devices", "--yes", "--json")
        assert answer.exit_code == 0, answer.err
        assert answer.json == {
            "ca_certificate_id": adopted.ca_certificate_id,
            "deployment": "test",
            "released": True,
            "active_devices": 1,
            "active_devices_more": False,
        }
        assert "inconsistent, step 1, unmanaged_ca" in answer.err
        (active,) = [each for each, found in stack.iot.certificates.items() if found.status == "ACTIVE"]
        explained = jitr("device", "explain", active, "--json").json
        assert [explained[name] for name in ("verdict", "step", "reason")] == ["inconsistent", 1, "unmanaged_ca"]

    def test_a_dry_run_releases_nothing(self, stack: TestDeployment, adopted: CertificateAuthority, jitr: Jitr) -> None:
        """With everything that it would say, as data too."""
        answer = self.release(jitr, adopted, "--with-active-devices", "--dry-run", "--json")
        assert (answer.exit_code, answer.json["released"], answer.json["active_devices"]) == (0, False, 1)
        assert self.is_adopted(stack, adopted)

    def test_a_million_devices_are_not_counted(
        self, stack: TestDeployment, adopted: CertificateAuthority, jitr: Jitr, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The list is read as far as it takes to know that there are many, and no further page of it."""
        monkeypatch.setattr("jitr_cli.ca.release.MOST_COUNTED", 2)
        (active,) = [found for found in stack.iot.certificates.values() if found.status == "ACTIVE"]
        stack.iot.certificates |= {f"{number:064x}": replace(active) for number in range(600)}
        stack.iot.calls.clear()
        answer = self.release(jitr, adopted, "--yes")
        assert (answer.exit_code, "2 or more devices of this CA are ACTIVE" in answer.err) == (64, True)
        assert stack.iot.calls.count("ListCertificatesByCA") == 1

    def test_active_devices_behind_the_first_page_are_found(
        self, stack: TestDeployment, adopted: CertificateAuthority, jitr: Jitr
    ) -> None:
        """Behind many that were switched off."""
        (active,) = [found for found in stack.iot.certificates.values() if found.status == "ACTIVE"]
        off = {f"{number:064x}": replace(active, status="INACTIVE") for number in range(600)}
        stack.iot.certificates = off | stack.iot.certificates
        assert "1 of its devices are ACTIVE" in self.release(jitr, adopted, "--yes").err

    def test_a_ca_that_the_fleet_file_has_too_loses_nothing(
        self, stack: TestDeployment, adopted: CertificateAuthority, jitr: Jitr
    ) -> None:
        """That is the way out: the file first, then the release."""
        mine = replace(
            stack.configuration.cas[0],
            name="other",
            ca_certificate_id=adopted.ca_certificate_id,
            certificate=pki.pem(adopted.certificate),
            crl=CRL,
        )
        stack.configuration = replace(stack.configuration, cas=(*stack.configuration.cas, mine))
        answer = self.release(jitr, adopted, "--yes")
        assert answer.exit_code == 0, answer.err
        assert "in the fleet file as other" in answer.err
        assert "it stays managed as that file says" in answer.err

    def test_where_the_fleet_file_is_unknown_it_is_not_counted_on(
        self,
        stack: TestDeployment,
        adopted: CertificateAuthority,
        jitr: Jitr,
        bundles: BundleServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Unknown is not managed."""
        monkeypatch.setattr(bundles, "status", 403)
        assert self.release(jitr, adopted, "--yes").exit_code == 64

    def test_without_a_crl_there_is_nothing_to_lose(
        self, stack: TestDeployment, adopted: CertificateAuthority, jitr: Jitr
    ) -> None:
        """`none` was never enforced."""
        adopt(jitr, adopted, "--crl", "none")
        assert self.release(jitr, adopted, "--yes").exit_code == 0


@pytest.mark.parametrize(("option", "adopted"), [("--yes", True), ("--dry-run", False)])
def test_an_adoption_is_told_as_data(
    stack: TestDeployment, other: CertificateAuthority, jitr: Jitr, option: str, adopted: bool
) -> None:
    """With what was warned of."""
    identifier = other.ca_certificate_id
    answer = jitr("ca", "adopt", "--ca-certificate-id", identifier, "--crl", "none", option, "--json")
    assert answer.json == {
        "ca_certificate_id": identifier,
        "deployment": "test",
        "crl": "none",
        "policy": "default",
        "adopted": adopted,
        "warnings": ["with `none` no certificate of this CA is ever checked for revocation"],
    }
