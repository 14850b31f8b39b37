"""The shipped policy template: each device as its own Thing, on its own topics, and nothing an audit would find."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jitr.policies.template import MAXIMUM_CHARACTERS, render_policy

TEMPLATE = (Path(__file__).parents[3] / "policies" / "default.json").read_text(encoding="utf-8")
VALUES = {"account": "111122223333", "region": "eu-west-1", "partition": "aws"}
THING = "${iot:Connection.Thing.ThingName}"
ARN = re.compile(r"arn:aws:iot:eu-west-1:111122223333:(client|topic|topicfilter)/(.+)")
RESOURCE_TYPES = {
    "iot:Connect": "client",
    "iot:Publish": "topic",
    "iot:Receive": "topic",
    "iot:Subscribe": "topicfilter",
}


def statements() -> list[dict[str, Any]]:
    """Return the rendered policy's statements."""
    document = json.loads(render_policy(TEMPLATE, VALUES))
    assert document["Version"] == "2012-10-17"
    return list(document["Statement"])


def several(value: str | list[str]) -> list[str]:
    """Return one or many as a list."""
    return [value] if isinstance(value, str) else value


def test_every_action_has_resources_of_its_own_type() -> None:
    """A topic filter allows no publishing, a topic no subscription; the wrong type allows nothing at all."""
    seen = set()
    for statement in statements():
        for action in several(statement["Action"]):
            seen.add(action)
            for resource in several(statement["Resource"]):
                found = ARN.fullmatch(resource)
                assert found is not None, resource
                assert found.group(1) == RESOURCE_TYPES[action]
    assert seen == set(RESOURCE_TYPES)


def test_every_resource_is_the_devices_own() -> None:
    """The Thing's name stands before any wildcard, as a whole level."""
    for statement in statements():
        for resource in several(statement["Resource"]):
            before_wildcard = resource.split("*")[0]
            assert f"/{THING}" in before_wildcard
            assert resource.endswith((f"client/{THING}", f"/{THING}/*", f"/{THING}/shadow/*", f"/{THING}/jobs/*"))


def test_only_a_certificate_with_its_thing_may_connect() -> None:
    """Without the condition a Thing name that nobody is attached to would do."""
    (connect,) = [each for each in statements() if each["Action"] == "iot:Connect"]
    assert connect["Condition"] == {"Bool": {"iot:Connection.Thing.IsAttached": ["true"]}}


def test_subscriptions_and_deliveries_cover_the_same_topics() -> None:
    """A subscription without Receive gets no message, and says nothing."""
    topics = {
        kind: {
            found.group(2)
            for each in statements()
            for resource in several(each["Resource"])
            if (found := ARN.fullmatch(resource)) is not None and found.group(1) == kind
        }
        for kind in ("topic", "topicfilter")
    }
    assert topics["topic"] == topics["topicfilter"] != set()


def test_the_policy_fits_with_the_longest_account_values() -> None:
    """Room is left for a team's own statements."""
    longest = {"account": "1" * 12, "region": "ap-southeast-99", "partition": "aws-us-gov"}
    assert len(render_policy(TEMPLATE, longest)) < MAXIMUM_CHARACTERS - 500


def test_awss_own_variables_stay() -> None:
    """They are what makes one policy serve the whole fleet."""
    assert TEMPLATE.count("${") == render_policy(TEMPLATE, VALUES).count("${") == 7
