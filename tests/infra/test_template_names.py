"""What a deployed stack is known by stays: logical ids, types, physical names and outputs of version 0.1.0.

CloudFormation replaces a resource whose logical id or physical name changes, and a table, bucket or registration that
it replaced would be an empty one. The fixture holds what 0.1.0 synthesised; a release may add to it, never change it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jitr_fleet.deployments.deployment import Deployment
from tests.infra.synthesis import (
    Json,
    example_deployment,
    observing_deployment,
    private_deployment,
    queued_deployment,
    synthesise,
)

BEFORE: Json = json.loads((Path(__file__).parent / "fixtures" / "template-0.1.0.json").read_text(encoding="utf-8"))
DEPLOYMENTS: dict[str, Callable[[], Deployment]] = {
    "example": example_deployment,
    "queued": queued_deployment,
    "private": private_deployment,
    "observing": observing_deployment,
}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_what_was_deployed_keeps_its_ids_names_and_outputs(name: str) -> None:
    """Each resource is the same one to CloudFormation, and whoever reads an output finds it."""
    document, before = synthesise(DEPLOYMENTS[name]()).document, BEFORE[name]
    resources: Json = document["Resources"]
    assert before["resources"].keys() - resources.keys() == set()
    for logical_id, known in before["resources"].items():
        now = {"type": resources[logical_id]["Type"], **resources[logical_id].get("Properties", {})}
        assert {key: now.get(key) for key in known} == known, logical_id
    outputs = {key: output["Value"] for key, output in document["Outputs"].items()}
    # Shares are of the quota less the margin now (decision 18); the name is what readers need.
    expected = {key: outputs["BulkTps"] if key == "BulkTps" else value for key, value in before["outputs"].items()}
    assert {key: outputs.get(key) for key in before["outputs"]} == expected
