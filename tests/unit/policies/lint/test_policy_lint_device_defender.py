"""What AWS IoT Device Defender's audit finds in policies, the lint finds: its pages' examples, and their like."""

from __future__ import annotations

from typing import Any

import pytest

from jitr_fleet.policies.source import Severity
from tests.unit.policies.lint.linted import ARN, ATTACHED, AWS_ARN, THING, findings, rules, statement

MESSAGES = ["iot:Publish", "iot:RetainPublish", "iot:GetRetainedMessage"]
SHADOWS_AND_JOBS = [
    "iot:DeleteThingShadow",
    "iot:GetThingShadow",
    "iot:UpdateThingShadow",
    "iotjobsdata:DescribeJobExecution",
    "iotjobsdata:GetPendingJobExecutions",
    "iotjobsdata:StartNextPendingJobExecution",
    "iotjobsdata:UpdateJobExecution",
    "iot:DescribeJobExecution",
]

SHARED_FILTERS = ["$share/*", "$sh*", "$share/a/*", "$share/a*", "$share/a/#", "$share/a/$aws/things/*", "$share/*/x"]


# Overly permissive: audit-chk-iot-policy-permissive.


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("iot:Connect", "client/*"),
        ("iot:Publish", "topic/$aws/things/*/shadow/update"),
        ("iot:Publish", "topic/$aws/things/*"),
        ("iot:Subscribe", "topicfilter/$aws/things/*"),
        ("iot:Subscribe", "topicfilter/$aws/things/#"),
        ("iot:Subscribe", "topic/$aws/things/+/shadow/update"),
        ("iot:Subscribe", "topicfilter/$aws/things/+/shadow/update"),
        *((action, "thing/*") for action in SHADOWS_AND_JOBS),
    ],
)
def test_what_device_defender_calls_overly_permissive_is_an_error(action: str, name: str) -> None:
    """Example by example of audit-chk-iot-policy-permissive."""
    found = findings(statement(action, AWS_ARN + name))
    assert ("overly-permissive", Severity.ERROR) in {(each.rule, each.severity) for each in found}


@pytest.mark.parametrize(
    ("action", "name"),
    [
        *((action, "topic/*") for action in MESSAGES),
        *((action, "topic/*/data") for action in MESSAGES),
        ("iot:Publish", "topic/$aws/*"),
        ("iot:Publish", "topic/$*"),
        ("iot:Publish", "topic/$aws/things/?hing/shadow/update"),
        ("iot:Subscribe", "topicfilter/#"),
        ("iot:Subscribe", "topicfilter/+/data"),
        ("iot:Subscribe", "topicfilter/*"),
        *(("iot:Subscribe", f"topicfilter/{name}") for name in SHARED_FILTERS),
        ("iot:Connect", "client/sensor-*"),
        ("iot:Connect", "client/${iot:Certificate.Issuer.CommonName}/*"),
        ("iot:Connect", "client/@{account}-?"),
        ("iot:SendDirectMessage", "client/*"),
        ("iot:DeleteConnection", "client/*"),
        ("iot:AssumeRoleWithCertificate", "rolealias/*"),
        ("iot:ListNamedShadowsForThing", "thing/*"),
    ],
)
def test_what_is_as_broad_is_an_error_too(action: str, name: str) -> None:
    """Device Defender's page is silent on these; the reason it gives holds for them."""
    assert "overly-permissive" in rules(statement(action, AWS_ARN + name))


@pytest.mark.parametrize("action", ["iot:Connect", "iot:Subscribe", *MESSAGES, *SHADOWS_AND_JOBS])
def test_a_star_for_a_resource_is_overly_permissive(action: str) -> None:
    """Whatever the action applies to."""
    assert "overly-permissive" in rules(statement(action, "*"))


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iot:Publish", f"{ARN}topic/$aws/things/{THING}/shadow/*"),
        ("iot:Subscribe", [f"{ARN}topicfilter/$aws/things/{THING}/{each}/*" for each in ("shadow", "jobs")]),
        ("iot:Receive", f"{ARN}topic/$aws/things/*"),
        ("iot:ListRetainedMessages", "*"),
        ("iot:ListNamedShadowsForThing", "*"),
        (SHADOWS_AND_JOBS[:7], [f"{ARN}thing/MyThing1", f"{ARN}thing/MyThing2"]),
        ("iot:Publish", f"{ARN}topic/$aws/rules/ingest/*"),
    ],
)  # fmt: skip
def test_what_device_defender_calls_compliant_is_clean(action: object, resource: object) -> None:
    """Broad receiving included."""
    assert rules(statement(action, resource)) == set()


@pytest.mark.parametrize("resource", [f"{ARN}topic/*", "*"])
def test_receiving_everything_is_a_warning_of_ours(resource: str) -> None:
    """Device Defender calls it compliant, because of subscriptions; direct messages need none."""
    (finding,) = findings(statement("iot:Receive", resource))
    assert (finding.rule, finding.severity) == ("broad-receive", Severity.WARNING)


def test_connecting_as_its_thing_is_clean() -> None:
    """Device Defender's compliant example of iot:Connect."""
    assert rules(statement("iot:Connect", f"{ARN}client/{THING}", Condition=ATTACHED)) == set()


@pytest.mark.parametrize(
    ("condition", "rule"),
    [
        ({}, "client-id-unbound"),
        ({"Condition": ATTACHED}, "client-id-free"),
        ({"Condition": {"Bool": {"iot:Connection.Thing.IsAttached": True}}}, "client-id-free"),
        ({"Condition": {"Bool": {"iot:Connection.Thing.IsAttached": ["true", "false"]}}}, "client-id-unbound"),
        ({"Condition": {"BoolIfExists": {"iot:Connection.Thing.IsAttached": "true"}}}, "client-id-unbound"),
        ({"Condition": {"StringEquals": {"iot:Connection.Thing.IsAttached": "true"}}}, "client-id-unbound"),
    ],
    ids=["no condition", "attached", "in JSON's own word", "attached or not", "if it exists", "as a text"],
)
def test_the_client_id_of_its_own_is_everybodys_unless_attached(condition: dict[str, Any], rule: str) -> None:
    """Only a Bool that has to be true ties the connection to a Thing."""
    assert rules(statement("iot:Connect", f"{ARN}client/${{iot:ClientId}}", **condition)) == {rule}


@pytest.mark.parametrize(
    ("condition", "is_bound"),
    [
        (None, False),
        ({"Bool": "true"}, True),
        ({"Bool": ["true"]}, True),
        ({"Bool": True}, True),
        ({"Bool": "false"}, False),
        ({"Bool": ["true", "false"]}, False),
        ({"Bool": ["true", 0]}, False),
        ({"BoolIfExists": "true"}, False),
    ],
)
def test_the_name_of_its_thing_needs_the_thing_to_be_attached(condition: dict[str, Any] | None, is_bound: bool) -> None:
    """The same condition as for the client id of the connection's own."""
    written = {operator: {"iot:Connection.Thing.IsAttached": value} for operator, value in (condition or {}).items()}
    extra: dict[str, Any] = {"Condition": written} if written else {}
    found = rules(statement("iot:Connect", f"{ARN}client/{THING}", **extra))
    assert ("thing-not-required" not in found) is is_bound


@pytest.mark.parametrize("name", ["sensor", "${iot:Certificate.Issuer.CommonName}", "@{account}"])
def test_a_client_id_of_many_devices_is_told_that_each_may_take_it(name: str) -> None:
    """A value that many devices share is none of the device's own."""
    (finding,) = findings(statement("iot:Connect", f"{ARN}client/{name}"))
    assert finding.rule == "shared-client-id"
    assert "may take any other one's client id" in finding.message


@pytest.mark.parametrize(
    ("action", "name", "is_found"),
    [
        ("iot:Publish", "topic/news/*", True),
        ("iot:Publish", "topic/$aws/things/s*", True),
        ("iot:Publish", "topic/${iot:Certificate.Issuer.CommonName}/*", True),
        ("iot:Publish", f"topic/data/*/{THING}", True),
        ("iot:Publish", f"topic/data/{THING}/*", False),
        ("iot:Publish", "topic/news", False),
        ("iot:Receive", "topic/news/*", False),
        ("iot:Subscribe", "topicfilter/news/*", True),
        ("iot:Subscribe", "topicfilter/$share/a/news/*", True),
        ("iot:Subscribe", f"topicfilter/$share/{THING}/news/*", True),
        ("iot:Subscribe", f"topicfilter/$share/a/{THING}/*", False),
        ("iot:UpdateThingShadow", "thing/MyThing*", True),
    ],
)
def test_a_wildcard_with_no_variable_before_it_is_a_warning(action: str, name: str, is_found: bool) -> None:
    """Device Defender finds nothing in these; another device's name may match."""
    found = [(each.rule, each.severity) for each in findings(statement(action, ARN + name))]
    assert found == ([("wildcard-without-variable", Severity.WARNING)] if is_found else [])


@pytest.mark.parametrize(
    ("client", "is_tied"),
    [
        (THING, True),
        ("${iot:Certificate.Subject.CommonName}", True),
        ("@{device.serial}", True),
        ("fixed", True),
        ("sensor-*", False),
        ("${iot:ClientId}", False),
        ("*", False),
    ],
)
def test_a_client_id_in_a_topic_is_an_error_unless_the_policy_ties_it(client: str, is_tied: bool) -> None:
    """The `+` trick works wherever the device may choose."""
    connect = statement("iot:Connect", f"{ARN}client/{client}")
    subscribe = statement("iot:Subscribe", f"{ARN}topicfilter/my/${{iot:ClientId}}/topic")
    assert ("client-id-in-topic" not in rules(connect, subscribe)) is is_tied


# Potentially misconfigured: audit-chk-iot-misconfigured-policies.

BUILDING = (
    statement("iot:Subscribe", f"{ARN}topicfilter/building/*"),
    statement("iot:Receive", f"{ARN}topic/building/*"),
)
# Said of the example itself, beside what Device Defender says of it.
BROAD = {"wildcard-without-variable"}


def test_mqtt_wildcards_in_a_deny_are_an_error() -> None:
    """POLICY_CONTAINS_MQTT_WILDCARDS_IN_DENY_STATEMENT, with both wildcards, in topics too."""
    for name in ("topicfilter/building/control_room/#", "topicfilter/building/+/door", "topic/building/control_room/#"):
        action = "iot:Subscribe" if name.startswith("topicfilter") else "iot:Receive"
        assert rules(*BUILDING, statement(action, ARN + name, effect="Deny")) - BROAD == {"mqtt-wildcard-in-deny"}


@pytest.mark.parametrize(
    ("denied", "received", "rule"),
    [
        ("building/control_room/*", None, "denied-filter-reachable"),
        ("building/control_room/door", None, "denied-filter-reachable"),
        ("building/control_room/*", "building/control_room/*", None),
        ("building/control_room/*", "building/control_room/door", "denied-filter-reachable"),
        ("building/control_room/door", "building/control_room/*", None),
        ("garden/*", None, None),
    ],
)
def test_a_denied_filter_that_a_wider_one_passes_is_an_error(
    denied: str, received: str | None, rule: str | None
) -> None:
    """TOPIC_FILTERS_INTENDED_TO_DENY_ALLOWED_USING_WILDCARDS, unless receiving is denied as well."""
    statements = [*BUILDING, statement("iot:Subscribe", f"{ARN}topicfilter/{denied}", effect="Deny")]
    if received:
        statements.append(statement("iot:Receive", f"{ARN}topic/{received}", effect="Deny"))
    assert rules(*statements) - BROAD == ({rule} if rule else set())


def test_a_wildcard_that_is_written_out_passes_a_denied_filter_too() -> None:
    """The filter `building/#` is allowed by its own name here."""
    subscribe = statement("iot:Subscribe", f"{ARN}topicfilter/building/#")
    deny = statement("iot:Subscribe", f"{ARN}topicfilter/building/control_room/*", effect="Deny")
    assert "denied-filter-reachable" in rules(subscribe, BUILDING[1], deny)
