"""`jitr doctor` on a stack that was really deployed: what the emulator can tell is right, what it cannot is unknown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from jitr_cli.checks.catalogue import CHECKS
from jitr_local.story.jitr_command import jitr
from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e

# What the template alone decides, whatever other tests do to CAs, CRLs and devices of the same stack.
DEPLOYED = (
    "clock",
    "stack",
    "rule_enabled",
    "rule_sql",
    "rule_target",
    "rule_error_action",
    "other_rules",
    "event_sources",
    "destinations",
    "schedules",
    "log_groups",
    "crl_bucket",
)


def examined(world: World, *arguments: str) -> tuple[int, list[Mapping[str, Any]]]:
    """What the command says, and its exit code."""
    done = jitr(world.instance, "doctor", "--json", *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["checks"]


def test_every_check_comes_to_an_end_and_the_deployed_parts_are_as_deployed(world: World) -> None:
    """No check is a bug of ours; nothing that the template made is found wrong."""
    exit_code, found = examined(world)
    assert exit_code in (0, 1, 2)
    assert {each["check"] for each in found} == {check.code for check in CHECKS}
    of_the_template = [each for each in found if each["check"] in DEPLOYED]
    assert [each for each in of_the_template if each["status"] in ("error", "warning")] == []
    told = {each["check"] for each in of_the_template if each["status"] == "ok"}
    assert {"clock", "rule_enabled", "rule_sql", "rule_target", "rule_error_action", "other_rules"} <= told


def test_a_handler_that_somebody_left_on_the_registration_topic_is_found(world: World) -> None:
    """A real second rule, as the classic walk-through makes it."""
    client = world.client("iot")
    function = world.client("lambda").get_function_configuration(FunctionName=world.instance.function)["FunctionArn"]
    payload = {
        "sql": "SELECT * FROM '$aws/events/certificates/registered/#'",
        "awsIotSqlVersion": "2016-03-23",
        "ruleDisabled": False,
        "actions": [{"lambda": {"functionArn": f"{function}-of-somebody"}}],
    }
    client.create_topic_rule(ruleName="classic", topicRulePayload=payload)
    try:
        exit_code, found = examined(world, "--only", "other_rules")
        accepted, _ = examined(world, "--only", "other_rules", "--accept-rule", "classic")
    finally:
        client.delete_topic_rule(ruleName="classic")
    assert (exit_code, [each["status"] for each in found], accepted) == (1, ["error"], 0)
    assert "classic" in found[0]["message"]
