"""What the local stack's app changes of a deployment before it builds it, for an emulator with permissions."""

from __future__ import annotations

import json
from pathlib import Path

from jitr.policies.template import render_policy
from jitr_fleet.deployments.deployment import Deployment, Registration
from jitr_fleet.fleet_file.reader import read_fleet
from jitr_local.stack.app import WALKTHROUGH, ask_for_no_thing
from jitr_local.stack.emulator import ACCOUNT, REGION
from jitr_local.stack.local_fleet import moved_here, write_fleet
from tests.infra.synthesis import ELSEWHERE, example_deployment, private_deployment


def local_deployment(folder: Path) -> Deployment:
    """Return the local fleet file's deployment."""
    (deployment,) = read_fleet(write_fleet(folder, [])).deployments
    return deployment


def test_only_the_walkthroughs_policy_loses_its_condition(tmp_path: Path) -> None:
    """The default policy keeps asking for a Thing; actions and resources stay as the template has them."""
    before = local_deployment(tmp_path)
    after = ask_for_no_thing(before)
    assert {name for name in before.policies if before.policies[name] != after.policies[name]} == {WALKTHROUGH}
    template, changed = (json.loads(each.policies[WALKTHROUGH])["Statement"] for each in (before, after))
    assert [statement.get("Condition") is not None for statement in template] == [True, False]
    assert changed == [{key: each[key] for key in each if key != "Condition"} for each in template]


def test_the_changed_policy_is_still_one_that_is_rendered(tmp_path: Path) -> None:
    """With account and Region filled in, and AWS's own variable left alone."""
    text = ask_for_no_thing(local_deployment(tmp_path)).policies[WALKTHROUGH]
    document = render_policy(text, {"account": "000000000000", "region": "us-east-1", "partition": "aws"})
    assert "arn:aws:iot:us-east-1:000000000000:client/${iot:ClientId}" in document


def test_a_fleet_of_ones_own_is_moved_here() -> None:
    """Same name, CAs and policies; account, Region and bucket are the emulator's, nothing of a real account is left."""
    away = example_deployment(
        kms_key="arn:aws:kms:eu-west-1:111122223333:key/1", permissions_boundary="arn:aws:iam::111122223333:policy/p"
    )
    here = moved_here(away)
    assert (here.name, here.account, here.region) == (away.name, ACCOUNT, REGION)
    assert (here.kms_key, here.permissions_boundary, here.alarm_email, here.crl_publishers) == (None, None, None, ())
    assert {ca.name: ca.registration for ca in here.cas} == dict.fromkeys(
        ("active", "inactive", "retired", "existing"), Registration.SNI_ONLY
    )
    sources = {ca.name: ca.crl for ca in here.cas}
    assert sources["active"] == f"s3://{here.crl_bucket}/active.crl"
    assert sources["inactive"] == ELSEWHERE
    assert here.policies == away.policies


def test_cas_that_only_aws_private_ca_knows_are_left_out() -> None:
    """The emulator has none of them."""
    assert [ca.name for ca in moved_here(private_deployment()).cas] == ["reviewed"]
