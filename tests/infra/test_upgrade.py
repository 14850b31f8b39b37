"""An upgrade changes a deployment in place: what each release deployed is the same resource in today's template."""

from __future__ import annotations

import json

import pytest

from jitr_fleet.deployments.versions import own_version
from tests.infra.synthesis import Json
from tests.releases.leave import HERE, leave

RELEASES = sorted(each.name for each in HERE.iterdir() if (each / "template.json").is_file())
# What would be lost, or taken for somebody else's, if it were made anew under another name.
NAMES = ("TableName", "BucketName", "QueueName", "FunctionName", "RuleName", "TopicName", "AlarmName", "LogGroupName")


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The same deployment as every release left, by this version."""
    folder = tmp_path_factory.mktemp("today")
    leave(folder)
    assert json.loads((folder / "configuration.json").read_text(encoding="utf-8"))["version"] == own_version()
    template: Json = json.loads((folder / "template.json").read_text(encoding="utf-8"))
    return template


@pytest.mark.parametrize("release", RELEASES)
def test_nothing_that_was_deployed_is_replaced_or_goes(today: Json, release: str) -> None:
    """Logical ids, types and physical names stay; so CloudFormation updates, and never replaces."""
    before: Json = json.loads((HERE / release / "template.json").read_text(encoding="utf-8"))
    assert before["Resources"].keys() - today["Resources"].keys() == set()
    for logical_id, old in before["Resources"].items():
        new = today["Resources"][logical_id]
        assert new["Type"] == old["Type"]
        names = {name: old["Properties"][name] for name in NAMES if name in old.get("Properties", {})}
        assert {name: new["Properties"].get(name) for name in names} == names, logical_id
        assert new.get("DeletionPolicy") == old.get("DeletionPolicy"), logical_id


@pytest.mark.parametrize("release", RELEASES)
def test_what_is_kept_for_good_has_the_same_identity(today: Json, release: str) -> None:
    """Keys of the table, certificate and mode of a CA: a change of these makes CloudFormation replace the resource."""
    before: Json = json.loads((HERE / release / "template.json").read_text(encoding="utf-8"))
    kept = {"AWS::DynamoDB::Table": ("KeySchema",), "AWS::IoT::CACertificate": ("CACertificatePem", "CertificateMode")}
    seen = 0
    for logical_id, old in before["Resources"].items():
        for name in kept.get(old["Type"], ()):
            assert today["Resources"][logical_id]["Properties"][name] == old["Properties"][name]
            seen += 1
    assert seen == 3


def test_the_stack_says_its_version(today: Json) -> None:
    """Which the command line compares with its own."""
    assert today["Outputs"]["Version"]["Value"] == own_version()
