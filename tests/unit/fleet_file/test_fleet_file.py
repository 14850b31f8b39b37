"""The fleet file: what a right one means."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jitr.crls.http_fetch import HttpFetcher
from jitr.errors import Undecided
from jitr.settings import CaStatus, Configuration, OnExistingThing, ThingNameSource
from jitr_fleet.deployments.concurrency import concurrency_for
from jitr_fleet.deployments.configuration import configuration_of
from jitr_fleet.deployments.deployment import Deployment, FleetCa, Registration
from jitr_fleet.fleet_file.crl_source import fetched_host
from jitr_fleet.fleet_file.reader import read_fleet
from jitr_fleet.policies.evaluation.connecting import client_ids
from jitr_local import pki
from tests.worlds.fleet_folder import (
    CA,
    CA_TABLE,
    DEPLOYMENT_TABLE,
    POLICIES,
    FleetFolder,
    with_ca_key,
    with_key,
)


@pytest.fixture
def fleet(tmp_path: Path) -> FleetFolder:
    """A folder for a fleet file, with the shipped policies and one CA."""
    return FleetFolder(tmp_path)


def test_defaults_are_the_documented_ones(fleet: FleetFolder) -> None:
    """A deployment needs account and Region, nothing else."""
    deployment = fleet.read(DEPLOYMENT_TABLE)
    policies = {"default": (POLICIES / "default.json").read_text(encoding="utf-8")}
    assert deployment == Deployment(
        name="prod-eu",
        account="111122223333",
        region="eu-west-1",
        reserved_concurrency=3,
        policies=policies,
        connects={"default": ("@{device.thing_name}",)},
    )
    assert (deployment.api_tps, deployment.log_retention_days, deployment.enforcement_minutes) == (10, 90, 5)
    shares = (deployment.activation_share, deployment.enforcement_share, deployment.bulk_share)
    assert shares == (60, 30, 10)


def test_a_cas_defaults_are_the_documented_ones(fleet: FleetFolder) -> None:
    """A CA needs name, certificate and CRL source; its id is the certificate's fingerprint."""
    assert fleet.read_ca(DEPLOYMENT_TABLE + CA_TABLE) == FleetCa(
        name="factory-1",
        certificate=pki.pem(CA.certificate),
        ca_certificate_id=CA.ca_certificate_id,
        registration=Registration.SNI_ONLY,
        status=CaStatus.ACTIVE,
        crl="s3://crls/factory-1.crl",
        policy="default",
        thing_name=ThingNameSource.CN,
        on_existing_thing=OnExistingThing.REFUSE,
    )


@pytest.mark.parametrize(
    "source",
    [
        "none",
        "cdp",
        "s3://b-1.x/a/b.crl",
        "https://crl.example.com/a.crl",
        "http://crl.example.com/crls/a%20b.crl?ca=1",
        "https://crl.example.com:443/",
        "http://crl.example.com:80/a.crl",
        "http://crl.example.com:8080/a.crl",
    ],
)
def test_every_kind_of_crl_source_is_accepted(fleet: FleetFolder, source: str) -> None:
    """An object in S3, a URL on an allowed host, the distribution points, or none spelled out."""
    hosts = 'crl_hosts = ["crl.example.com", "crl.example.com:8080"]\n'
    text = with_ca_key(f'crl = "{source}"').replace("[[", hosts + "[[", 1)
    assert fleet.read_ca(text).crl == source


def test_distribution_points_need_no_host(fleet: FleetFolder) -> None:
    """They may name objects in the stack's own bucket."""
    assert fleet.read_ca(with_ca_key('crl = "cdp"')).crl == "cdp"


@pytest.mark.parametrize("source", ["https://crl.example.com/a.crl", "http://crl.example.com:8080/a.crl"])
def test_a_host_is_named_as_the_functions_ask_for_it(source: str) -> None:
    """What the file allows is what the fetcher lets through, and the other way round."""
    allowed = HttpFetcher(hosts=frozenset({fetched_host(source)}))
    assert allowed._checked(source).geturl() == source
    with pytest.raises(Undecided, match="is not among the allowed"):
        HttpFetcher(hosts=frozenset())._checked(source)


def test_a_crl_may_be_trusted_for_some_hours_only(fleet: FleetFolder) -> None:
    """Hours in the file, seconds for the functions; without the key there is no bound."""
    bound, unbound = (
        configuration_of(fleet.read(with_ca_key(line))).cas[0].crl_max_age_seconds
        for line in ("crl_max_age_hours = 36", 'policy = "default"')
    )
    assert (bound, unbound) == (36 * 3600, None)


def test_shares_of_the_quota_reach_the_functions(fleet: FleetFolder) -> None:
    """Of ten calls a second less the margin 30 % for enforcement and 10 % for bulk work, unless the file differs."""
    usual = fleet.read(DEPLOYMENT_TABLE)
    assert (usual.activation_tps, usual.enforcement_tps, usual.bulk_tps) == (5.88, 2.94, 0.98)
    assert usual.lent_tps == 9.8
    text = "api_margin = 0\napi_tps = 50\n"
    text += "activation_share = 40\nenforcement_share = 45\nbulk_share = 15\nenforcement_minutes = 60"
    other = fleet.read(with_key(text))
    assert (other.enforcement_tps, other.bulk_tps, other.reserved_concurrency) == (22.5, 7.5, 10)
    assert other.enforcement_minutes == 60
    assert configuration_of(other).enforcement_tps == 22.5


def test_another_id_can_be_given(fleet: FleetFolder) -> None:
    """Where AWS IoT's id is not the fingerprint."""
    assert fleet.read_ca(with_ca_key(f'ca_certificate_id = "{"ab" * 32}"')).ca_certificate_id == "ab" * 32


@pytest.mark.parametrize(
    ("line", "reserved"),
    [
        ('reserved_concurrency = "auto"', 3),
        ('reserved_concurrency = "off"', None),
        ("reserved_concurrency = 7", 7),
        ("api_tps = 100", 30),
        ("api_tps = 1", 1),
        ("api_tps = 100\nactivation_share = 20", 10),
    ],
)
def test_reserved_concurrency_follows_the_quota(fleet: FleetFolder, line: str, reserved: int | None) -> None:
    """60 % of the quota (or another share), half a second each, never less than one; or what the file says."""
    assert fleet.read(with_key(line)).reserved_concurrency == reserved


@pytest.mark.parametrize(("api_tps", "at_once"), [(1, 1), (5, 1), (10, 3), (50, 15), (100, 30)])
def test_activation_stays_inside_its_share(api_tps: int, at_once: int) -> None:
    """N at once make 2 n of each call a second; that is within 60 % wherever one at once is."""
    assert concurrency_for(api_tps, 60) == at_once
    assert at_once / 0.5 <= api_tps * 0.6 or at_once == 1


@pytest.mark.parametrize(
    ("lines", "at_once"),
    [
        ("api_tps = 10", 10),
        ("api_tps = 100", 100),
        ("api_tps = 1", 2),
        ("api_margin = 5", 6),
        ("activation_share = 10\nenforcement_share = 10\nbulk_share = 10", 4),
        ("maximum_concurrency = 7", 7),
    ],
)
def test_as_many_batches_are_at_work_as_may_be_lent_to(fleet: FleetFolder, lines: str, at_once: int) -> None:
    """Twice half a second of everything that the margin leaves; or what the file says."""
    assert fleet.read(with_key(lines)).maximum_concurrency == at_once


def test_paths_are_relative_to_the_file(fleet: FleetFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the command is run."""
    monkeypatch.chdir("/")
    assert fleet.read_ca(DEPLOYMENT_TABLE + CA_TABLE).name == "factory-1"


def test_policies_can_be_kept_elsewhere(fleet: FleetFolder) -> None:
    """Every .json file of the folder, by its name."""
    (fleet.folder / "policies").rename(fleet.folder / "ours")
    for suffix in ("json", "cases.toml"):
        shutil.copy(fleet.folder / "ours" / f"default.{suffix}", fleet.folder / "ours" / f"gateway.{suffix}")
    (fleet.folder / "ours" / "README.md").write_text("no policy", encoding="utf-8")
    deployment = fleet.read(with_key('policies = "ours"'))
    assert set(deployment.policies) == {"default", "gateway"}
    assert deployment.policies_folder == fleet.folder / "ours"


def test_a_certificate_is_normalised(fleet: FleetFolder) -> None:
    """Text around the block, as openssl writes it, and line ends do not change what is registered."""
    text = "subject=CN = Factory CA 1\r\n" + pki.pem(CA.certificate).replace("\n", "\r\n")
    (fleet.folder / "cas" / "factory-1.pem").write_bytes(text.encode())
    assert fleet.read_ca(DEPLOYMENT_TABLE + CA_TABLE).certificate == pki.pem(CA.certificate)


def test_a_retired_ca_may_have_expired(fleet: FleetFolder) -> None:
    """It brings in nobody, but its devices' revocation is still enforced."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    old = pki.CertificateAuthority.create(not_before=yesterday - timedelta(days=9), not_after=yesterday)
    fleet.put_ca("factory-1", old)
    assert fleet.read_ca(with_ca_key('status = "retired"')).status is CaStatus.RETIRED


def test_the_configuration_is_what_the_file_says(fleet: FleetFolder) -> None:
    """And survives the way through the bundle."""
    deployment = fleet.read(DEPLOYMENT_TABLE + CA_TABLE)
    configuration = configuration_of(deployment)
    assert Configuration.from_json(configuration.to_json()) == configuration
    assert [ca.ca_certificate_id for ca in configuration.cas] == [CA.ca_certificate_id]
    assert set(configuration.policies) == {"default"}
    assert configuration.connects == {name: client_ids(text) for name, text in configuration.policies.items()}


def test_the_shipped_file_is_right() -> None:
    """One example deployment without CAs."""
    fleet = read_fleet(POLICIES.parent / "fleet.toml")
    assert fleet.names() == ("example",)
    assert fleet.deployments[0].cas == ()


def test_the_shipped_files_comments_are_right_too(fleet: FleetFolder) -> None:
    """Uncommented, every key that it shows is accepted."""
    text = (POLICIES.parent / "fleet.toml").read_text(encoding="utf-8")
    _, _, table = text.partition("[deployments.example]")
    table = table.replace("# ingestion", "ingestion")
    incomplete = ("# ca_certificate_id", "# private_ca", "# verification_certificate")
    lines = [line.removeprefix("# ") for line in table.splitlines() if not line.startswith(incomplete)]
    kept = [line for line in lines if "=" in line or line.startswith("[[")]
    deployment = fleet.read("[deployments.example]\n" + "\n".join(kept))
    assert deployment.alarm_email == "on-call@example.com"
    assert [ca.name for ca in deployment.cas] == ["factory-1"]
