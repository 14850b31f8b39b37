"""The list of actions agrees with what others know of AWS."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from jitr_fleet.policies.language.actions import ACTIONS, ANY_RESOURCE, FORMER_NAMES, GREENGRASS, SERVICES
from jitr_fleet.policies.language.control_plane import is_control_plane

# cfn-lint's copy of AWS's service authorization reference.
LINTER = Path(find_spec("cfnlint").origin or "").parent  # type: ignore[union-attr] # a development requirement
REFERENCE: dict[str, Any] = json.loads(
    (LINTER / "data" / "AdditionalSpecs" / "Policies.json").read_text(encoding="utf-8")
)
# Documented in the developer guides only, not as actions of IAM.
GUIDE_ONLY = {
    "iot:AssumeRoleWithCertificate",
    "greengrass:GetDeploymentConfiguration",
    "greengrass:ListThingGroupsForCoreDevice",
    "greengrass:PutCertificateAuthorities",
    "greengrass:VerifyClientDeviceIdentity",
    "greengrass:VerifyClientDeviceIoTCertificateAssociation",
}


def operations(service: str) -> list[str]:
    """Return the operations of a service's API."""
    return list(botocore.session.get_session().get_service_model(service).operation_names)


@pytest.mark.parametrize("name", [name for name in ACTIONS if name not in GUIDE_ONLY])
def test_each_action_is_one_of_aws_with_the_same_types_of_resource(name: str) -> None:
    """By the service authorization reference."""
    service, _, operation = name.partition(":")
    known = REFERENCE[service]["Actions"][operation.lower()]
    types = set(ACTIONS[name].resource_types)
    if name.startswith("greengrass:"):
        # The reference names Greengrass's own resources; AWS IoT's policies name the Thing or * too (device-auth).
        assert GREENGRASS in types or types - {ANY_RESOURCE} == set(known.get("Resources", ()))
    else:
        assert types - {ANY_RESOURCE} == set(known.get("Resources", ()))


@pytest.mark.parametrize(
    ("service", "prefix"), [("iot-data", "iot"), ("iot-jobs-data", "iotjobsdata")], ids=["messages", "jobs"]
)
def test_no_operation_of_the_data_plane_is_missing(service: str, prefix: str) -> None:
    """Apart from StartCommandExecution, which is for whoever sends commands to devices."""
    missing = {f"{prefix}:{operation}" for operation in operations(service)} - set(ACTIONS)
    assert missing == ({"iotjobsdata:StartCommandExecution"} if prefix == "iotjobsdata" else set())


def test_every_operation_of_the_control_plane_is_told_apart() -> None:
    """By its name; DescribeJobExecution is the one that both planes have. A misspelt name is none of them."""
    assert not is_control_plane("iot:UpdateThingShadw")
    assert is_control_plane("iot:CreateThing")
    others = [name for name in operations("iot") if not is_control_plane(f"iot:{name}")]
    assert [f"iot:{name}" for name in others] == ["iot:DescribeJobExecution"]
    assert "iot:DescribeJobExecution" in FORMER_NAMES
    assert not any(is_control_plane(name) for name in ACTIONS)


def test_every_action_belongs_to_a_service_that_policies_may_name() -> None:
    """And its name is spelled as AWS spells it."""
    for name, action in ACTIONS.items():
        assert action.name == name
        assert name.partition(":")[0] in SERVICES
        assert action.about
