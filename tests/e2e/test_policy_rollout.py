"""An edit of a template reaches the policy that devices share by `cdk deploy`, and goes back the same way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jitr.telemetry import metric_names
from jitr_local.stack.local_fleet import DEPLOYMENT, POLICIES
from jitr_local.story.observations import eventually, invoke, metric_values, outputs
from tests.e2e.conftest import World
from tests.e2e.stack_templates import stack_template, update

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

pytestmark = pytest.mark.e2e
ARN = "arn:@{partition}:iot:@{region}:@{account}:topic/"
DEPLOYED_ARN = "arn:aws:iot:us-east-1:000000000000:topic/"
ROLL_OUT = f"jitr-{DEPLOYMENT}-RollOut"


def template(*topics: str) -> str:
    """A template that allows publishing to topics, each by a statement of its own."""
    statements = [{"Effect": "Allow", "Action": "iot:Publish", "Resource": f"{ARN}{topic}"} for topic in topics]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def cases(topic: str) -> str:
    """One case, because a template without any is not deployed."""
    return f"""
[devices.any]
client_id = "any"

[[cases]]
why = "A device publishes there."
device = "any"
action = "iot:Publish"
resource = "topic/{topic}"
expect = "allowed"
"""


def write(folder: Path, name: str, text: str) -> None:
    """Write a template whose first topic is `common`, with its case."""
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    (folder / f"{name}.cases.toml").write_text(cases("common"), encoding="utf-8")


def deployed(world: World, name: str) -> tuple[str, list[str]]:
    """The default version of a template's policy: its number, and the topics that it allows."""
    iot: IoTClient = world.client("iot")
    found = iot.get_policy(policyName=f"jitr-{DEPLOYMENT}_{name}")
    resources = [each["Resource"] for each in json.loads(found["policyDocument"])["Statement"]]
    return found["defaultVersionId"], [resource.removeprefix(DEPLOYED_ARN) for resource in resources]


def policies_in(document: dict[str, Any]) -> list[dict[str, str]]:
    """The policies that a template rolls out; what is changed in them is changed in the template."""
    (resource,) = [each for each in document["Resources"].values() if each["Type"] == "Custom::JitrPolicies"]
    policies: list[dict[str, str]] = resource["Properties"]["Policies"]
    return policies


def test_a_deploy_rolls_an_edit_out_and_a_failing_one_takes_it_back_and_so_does_a_revert(
    world: World, tmp_path: Path
) -> None:
    """Created; edited: a new version, but none for another order; malformed: rolled back; reverted: as at first.

    The names sort behind `default`, so that the roll-out changes y before it meets z. What the lint would never let
    through, and what a deploy after `git revert` would synthesise, is handed to CloudFormation as a template.
    """
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    iot: IoTClient = world.client("iot")
    default = iot.get_policy(policyName=f"jitr-{DEPLOYMENT}_default")["defaultVersionId"]
    write(folder, "y", template("common", "old"))
    write(folder, "z", template("common", "other"))
    world.stack.deploy(world.cas, policies=folder)
    assert deployed(world, "y") == ("1", ["common", "old"])
    assert deployed(world, "z") == ("1", ["common", "other"])
    first = stack_template(world)

    write(folder, "y", template("common", "new"))
    write(folder, "z", json.dumps(json.loads(template("other", "common")), indent=3))
    world.stack.deploy(world.cas, policies=folder)
    assert deployed(world, "y") == ("2", ["common", "new"])
    assert deployed(world, "z") == ("1", ["common", "other"])

    document = stack_template(world)
    *_, before, last = policies_in(document)
    before["Document"] = before["Document"].replace("topic/common", "topic/never")
    last["Document"] = "{"
    status, failures = update(world, document)
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "AWS IoT refuses policy jitr-local_z: MalformedPolicyException" in failures[0]
    assert deployed(world, "y") == ("4", ["common", "new"])
    assert deployed(world, "z") == ("1", ["common", "other"])

    assert update(world, first)[0] == "UPDATE_COMPLETE"
    assert deployed(world, "y") == ("5", ["common", "old"])
    assert iot.get_policy(policyName=f"jitr-{DEPLOYMENT}_default")["defaultVersionId"] == default


def test_a_policy_that_was_changed_by_hand_is_measured_and_can_be_brought_back(strict_world: World) -> None:
    """With permissions enforced: the scheduled function sees it, the roll-out function makes it what was deployed."""
    iot: IoTClient = strict_world.client("iot")
    policy = f"jitr-{DEPLOYMENT}_default"
    before = iot.get_policy(policyName=policy)
    by_hand = json.loads(before["policyDocument"])
    by_hand["Statement"][0]["Resource"] = "*"
    iot.create_policy_version(policyName=policy, policyDocument=json.dumps(by_hand), setAsDefault=True)
    enforcement = outputs(strict_world.instance).enforcement_function
    invoke(strict_world.instance, {}, function=enforcement)
    assert measured(strict_world, enforcement, 1) == 1
    assert invoke(strict_world.instance, {}, function=ROLL_OUT)["policies"][policy] == "updated"
    assert json.loads(iot.get_policy(policyName=policy)["policyDocument"]) == json.loads(before["policyDocument"])
    invoke(strict_world.instance, {}, function=enforcement)
    assert measured(strict_world, enforcement, 0) == 0


def measured(world: World, function: str, wanted: float) -> Any:
    """Wait until the function's newest figure of drifted policies is as wanted, and return it."""
    found = eventually(
        lambda: metric_values(world.instance, function, metric_names.DRIFTED_POLICIES),
        within=20,
        wanted=lambda seen: bool(seen) and seen[-1] == wanted,
    )
    return found[-1] if found else None
