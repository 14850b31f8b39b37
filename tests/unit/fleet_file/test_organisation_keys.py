"""Keys of the fleet file for organisations: what does not go together is a mistake before any deploy."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitr_fleet.deployments.configuration import configuration_of
from jitr_fleet.deployments.deployment import Deployment
from jitr_fleet.files.mistakes import FleetFileError
from jitr_fleet.fleet_file.reader import read_fleet

KEY = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
VPC = 'vpc_subnets = ["subnet-0123456789abcdef0"]\nvpc_security_groups = ["sg-0123456789abcdef0"]\n'


def read(tmp_path: Path, lines: str) -> Deployment:
    """Read a fleet file with one deployment that says this."""
    (tmp_path / "policies").mkdir()
    file = tmp_path / "fleet.toml"
    file.write_text(f'[deployments.prod]\naccount = "111122223333"\nregion = "eu-west-1"\n{lines}')
    (found,) = read_fleet(file).deployments
    return found


def test_all_of_them_together_are_right(tmp_path: Path) -> None:
    """And private hosts reach the functions."""
    found = read(
        tmp_path,
        f'kms_key = "{KEY}"\ncrl_kms_keys = ["{KEY}"]\niot_kms_key = "{KEY}"\n'
        'permissions_boundary = "arn:aws:iam::111122223333:policy/developers"\nrole_path = "/platform/jitr/"\n'
        'termination_protection = true\ncrl_hosts = ["crl.corp.example"]\nprivate_crl_hosts = ["crl.corp.example"]\n'
        f'tags = {{ cost-center = "4711" }}\n{VPC}',
    )
    assert (found.kms_key, found.crl_kms_keys, found.iot_kms_key) == (KEY, (KEY,), KEY)
    assert (found.role_path, found.termination_protection, found.tags) == (
        "/platform/jitr/",
        True,
        {"cost-center": "4711"},
    )
    assert configuration_of(found).private_crl_hosts == ("crl.corp.example",)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (f'kms_key = "{KEY.replace("eu-west-1", "us-east-1")}"', "a key of the Region eu-west-1"),
        (f'crl_kms_keys = ["{KEY.replace("eu-west-1", "us-east-1")}"]', "a key of the Region eu-west-1"),
        ('kms_key = "alias/jitr"', "the ARN of a key, not of an alias"),
        ('vpc_subnets = ["subnet-0123456789abcdef0"]', "vpc_security_groups: missing"),
        ('vpc_security_groups = ["sg-0123456789abcdef0"]', "vpc_subnets: missing"),
        ('crl_hosts = ["a.example"]\nprivate_crl_hosts = ["a.example"]', "only functions in vpc_subnets reach"),
        (f'private_crl_hosts = ["a.example"]\n{VPC}', "name it in crl_hosts too"),
        ('tags = { "aws:x" = "1" }', "aws: and jitr: are no names of yours"),
        ('tags = { "jitr:deployment" = "other" }', "aws: and jitr: are no names of yours"),
        ('role_path = "jitr"', 'a path such as "/jitr/"'),
        ('permissions_boundary = "developers"', "the ARN of a managed policy"),
    ],
)
def test_what_does_not_go_together_is_a_mistake(tmp_path: Path, lines: str, words: str) -> None:
    """With what is right."""
    with pytest.raises(FleetFileError) as wrong:
        read(tmp_path, lines)
    assert words in str(wrong.value)
