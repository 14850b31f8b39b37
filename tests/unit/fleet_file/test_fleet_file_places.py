"""The fleet file: Regions, partitions and buckets that are there, and the line of each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitr_fleet.deployments.names import partition_of
from jitr_fleet.deployments.regions import known_regions
from jitr_fleet.files.mistakes import FleetFileError
from jitr_fleet.fleet_file.reader import read_fleet
from tests.worlds.fleet_folder import CA_TABLE, DEPLOYMENT_TABLE, FleetFolder, with_ca_key

OWN = "jitr-prod-eu-crl-111122223333-eu-west-1"


@pytest.fixture
def fleet(tmp_path: Path) -> FleetFolder:
    """A folder for a fleet file, with the shipped policies and one CA."""
    return FleetFolder(tmp_path)


def test_a_misspelt_region_is_a_mistake(fleet: FleetFolder) -> None:
    """Found here, not as a traceback of the CDK's."""
    assert fleet.mistake(DEPLOYMENT_TABLE.replace("eu-west-1", "eu-wst-1")) == (
        'deployments.prod-eu.region: found "eu-wst-1", which is no AWS Region; did you mean eu-west-1? '
        "expected: a Region that the installed boto3 knows, or new_region = true for one that is newer"
    )


def test_a_region_that_resembles_none_gets_no_suggestion(fleet: FleetFolder) -> None:
    """A guess would only mislead."""
    assert "did you mean" not in fleet.mistake(DEPLOYMENT_TABLE.replace("eu-west-1", "zz-qqqqqqqq-99"))


def test_a_region_may_be_newer_than_boto3(fleet: FleetFolder) -> None:
    """Then the file says so."""
    text = DEPLOYMENT_TABLE.replace("eu-west-1", "eu-west-42") + "new_region = true\n"
    assert fleet.read(text).region == "eu-west-42"


def test_each_known_region_is_in_the_partition_that_botocore_says() -> None:
    """The functions' ARNs are made of it, also where the list is not at hand."""
    regions = known_regions()
    assert {"eu-west-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"} <= regions.keys()
    assert {region: partition_of(region) for region in regions} == dict(regions)


def test_the_european_sovereign_cloud_is_known(fleet: FleetFolder) -> None:
    """Its Regions begin with four letters."""
    assert fleet.read(DEPLOYMENT_TABLE.replace("eu-west-1", "eusc-de-east-1")).region == "eusc-de-east-1"


@pytest.mark.parametrize("key", ["factory-1.crl", "crls/2026/factory_1+a.crl"])
def test_a_key_alone_is_one_of_the_stacks_own_bucket(fleet: FleetFolder, key: str) -> None:
    """What the functions get is the whole address, as before."""
    assert fleet.read_ca(with_ca_key(f'crl = "{key}"')).crl == f"s3://{OWN}/{key}"


@pytest.mark.parametrize("word", ["nonne", "factory-1.pem", "/factory-1.crl", "../factory-1.crl", "factory 1.crl"])
def test_other_words_are_no_keys(fleet: FleetFolder, word: str) -> None:
    """A misspelt `none` must not become an object that is never there."""
    assert f'crl: found "{word}"' in fleet.mistake(with_ca_key(f'crl = "{word}"'))


def test_a_key_alone_may_not_be_one_of_enforcements_copies(fleet: FleetFolder) -> None:
    """As with the whole address: the function writes there what it has enforced."""
    mistake = fleet.mistake(with_ca_key('crl = "enforced/factory-1.crl"'))
    assert mistake == fleet.mistake(with_ca_key(f'crl = "s3://{OWN}/enforced/factory-1.crl"'))
    assert "are the enforcement function's own" in mistake


@pytest.mark.parametrize(
    ("bucket", "where"),
    [
        ("jitr-prod-eu-crl-444455556666-eu-west-1", "account 444455556666 and Region eu-west-1"),
        ("jitr-prod-eu-crl-111122223333-us-east-1", "account 111122223333 and Region us-east-1"),
    ],
)
def test_another_accounts_or_regions_bucket_of_ours_is_a_mistake(fleet: FleetFolder, bucket: str, where: str) -> None:
    """Mostly a line copied from another deployment; the functions may not read it."""
    assert fleet.mistake(with_ca_key(f'crl = "s3://{bucket}/a.crl"')) == (
        f'deployments.prod-eu.cas[0].crl: found "s3://{bucket}/a.crl", a bucket of jitr in {where}; '
        f'"a.crl" alone stands for this deployment\'s own bucket, {OWN}'
    )


@pytest.mark.parametrize("bucket", [OWN, "jitr-test-crl-111122223333-eu-west-1", "crls", "jitr-crl-archive"])
def test_buckets_that_may_be_read_are_no_mistake(fleet: FleetFolder, bucket: str) -> None:
    """The own one, a neighbour's in the same account and Region, and whatever is not of jitr's scheme."""
    assert fleet.read_ca(with_ca_key(f'crl = "s3://{bucket}/a.crl"')).crl == f"s3://{bucket}/a.crl"


def test_each_mistake_has_its_line(fleet: FleetFolder) -> None:
    """Of the key, or of the table that lacks one; of text that is no TOML the parser's."""
    fleet.file.write_text(DEPLOYMENT_TABLE + "regon = 1\n" + CA_TABLE.replace('crl = "', 'crl = "ftp://'))
    with pytest.raises(FleetFileError) as caught:
        read_fleet(fleet.file)
    assert {mistake.key: mistake.line for mistake in caught.value.mistakes} == {
        "deployments.prod-eu.regon": 5,
        "deployments.prod-eu.cas[0].crl": 10,
    }
    fleet.file.write_text("[deployments.prod-eu]\naccount = \n")
    with pytest.raises(FleetFileError) as caught:
        read_fleet(fleet.file)
    assert [mistake.line for mistake in caught.value.mistakes] == [2]
