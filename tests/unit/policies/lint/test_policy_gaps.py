"""Where AWS's documents once were read otherwise: a test for each kind, in lint and evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jitr.policies.document import parse_document
from jitr.policies.values import PolicyError
from jitr_fleet.policies.authoring.diff import DiffStatus, Side, diff_policies
from jitr_fleet.policies.cases.suite import run_suite
from jitr_fleet.policies.evaluation.decision import Decision, evaluate
from jitr_fleet.policies.evaluation.facts import DeviceFacts, ThingFacts
from jitr_fleet.policies.evaluation.request import EXAMPLE_VALUES, AccessRequest
from jitr_fleet.policies.source import Severity
from tests.unit.policies.lint.linted import ARN, ATTACHED, THING, all_findings, findings, rules, statement

AWS = "arn:aws:iot:xx-example-1:123456789012:"
SENSOR = DeviceFacts(client_id="sensor-1", thing=ThingFacts(name="sensor-1"))
SITE = "${iot:Connection.Thing.Attributes[site]}"
WILL = {"ForAllValues:StringEquals": {"iot:ConnectAttributes": ["LastWill"]}}


def decided(action: str, resource: str, *statements: dict[str, Any], facts: DeviceFacts = SENSOR) -> Decision:
    """Ask a policy of these statements."""
    document = parse_document({"Version": "2012-10-17", "Statement": list(statements)})
    return evaluate([document], AccessRequest.of(action, resource, facts, EXAMPLE_VALUES))


class TestConnectAttributes:
    """1: persistent sessions and Last Wills."""

    def test_documented_policies_have_no_finding_and_can_be_compared(self) -> None:
        """The key, its topic, and the empty list."""
        will = {"ArnEquals": {"iot:LastWillTopic": "arn:@{partition}:iot:@{region}:@{account}:topic/will"}}
        nothing: dict[str, Any] = {"ForAllValues:StringEquals": {"iot:ConnectAttributes": []}}
        for condition in (WILL, will, nothing):
            found = statement("iot:Connect", f"{ARN}client/{THING}", Condition={**condition, **ATTACHED})
            assert rules(found) == set()
            text = json.dumps({"Version": "2012-10-17", "Statement": [found]})
            assert diff_policies("p", Side(label="a", text=text), Side(label="b", text=text)).status is DiffStatus.SAME

    @pytest.mark.parametrize(
        ("said", "expected"),
        [(("LastWill",), "allowed"), ((), "allowed"), (("PersistentConnect",), "implicit_deny"), (None, None)],
    )
    def test_the_question_says_what_the_connection_asks_for(
        self, said: tuple[str, ...] | None, expected: object
    ) -> None:
        """A plain connection has none; what nobody said leaves it open."""
        facts = SENSOR if said is None else DeviceFacts(client_id="a", said={"iot:ConnectAttributes": said})
        resource = f"client/{facts.client_id}"
        allow = statement("iot:Connect", f"{AWS}client/*", Condition=WILL)
        assert decided("iot:Connect", resource, allow, facts=facts).decision == expected


@pytest.mark.parametrize(
    "condition",
    [
        {"DateLessThan": {"aws:CurrentTime": "2026-W05-1"}},
        {"DateLessThan": {"aws:CurrentTime": "20260131T120000Z"}},
        {"DateLessThan": {"aws:CurrentTime": "2026-01-31 12:00"}},
        {"NumericLessThan": {"aws:EpochTime": "1_000"}},
        {"NumericLessThan": {"aws:EpochTime": " 1"}},
    ],
)
def test_dates_and_numbers_are_those_of_iam_not_of_python(condition: dict[str, Any]) -> None:
    """10: what only Python reads AWS does not, and a Deny with it would be off."""
    found = rules(statement("iot:Connect", f"{ARN}client/{THING}", Condition={**condition, **ATTACHED}))
    assert "condition-value" in found


class TestQuestionsWithoutAnswer:
    """A question that no request can ask is refused: with a Deny or a negated condition it would be allowed."""

    @pytest.mark.parametrize(
        ("said", "message"),
        [
            ({"iot:ConnectAttributes": ("PersistentConnect",), "iot:LastWillTopic": ("d/x",)}, "Last Will's topic"),
            ({"iot:ConnectAttributes": ("LastWill",), "iot:LastWillTopic": ()}, "Last Will's topic"),
            ({"iot:LastWillTopic": ("topic/d/x",)}, "write it as d/x"),
            ({"iot:Topic": ()}, "iot:Topic is never without a value"),
            ({"aws:VpcSourceIp": ("10.0.0.300",)}, "'10.0.0.300' is no IP address"),
        ],
    )
    def test_what_the_question_says_must_be_possible(self, said: dict[str, tuple[str, ...]], message: str) -> None:
        """Contradictions, a topic with its type before it, an empty topic of a direct message, no address."""
        with pytest.raises(PolicyError, match=message):
            AccessRequest.of("iot:Connect", "client/a", DeviceFacts(client_id="a", said=said), EXAMPLE_VALUES)

    def test_a_source_address_that_is_none_is_refused(self) -> None:
        """NotIpAddress would hold for it."""
        with pytest.raises(PolicyError, match="is no IP address"):
            AccessRequest.of("iot:Publish", "topic/a", DeviceFacts(source_ip="10.0.0.300"), EXAMPLE_VALUES)

    @pytest.mark.parametrize("resource", ["arn:", "arn:x", "arn:aws:iot:topic/x"])
    def test_an_arn_with_too_few_parts_is_refused(self, resource: str) -> None:
        """It would match a Resource of *."""
        with pytest.raises(PolicyError, match="is no ARN"):
            AccessRequest.of("iot:Publish", resource, SENSOR, EXAMPLE_VALUES)

    def test_a_connection_is_one_whatever_the_case_of_its_action(self) -> None:
        """Only with its own client id, which is the resource if none is said."""
        with pytest.raises(PolicyError, match="connects as 'sensor-1'"):
            AccessRequest.of("iot:connect", "client/other", SENSOR, EXAMPLE_VALUES)
        assert AccessRequest.of("iot:connect", None, SENSOR, EXAMPLE_VALUES).resource == f"{AWS}client/sensor-1"


def test_a_case_with_a_misspelt_action_does_not_pass(tmp_path: Path) -> None:
    """2: it is denied by every policy, and says nothing; the lint does not take it for the control plane."""
    (tmp_path / "p.json").write_text('{"Version": "2012-10-17", "Statement": []}', encoding="utf-8")
    (tmp_path / "p.cases.toml").write_text(
        '[devices.a]\nclient_id = "a"\n[[cases]]\nwhy = "x"\ndevice = "a"\naction = "iot:UpdateThingShadw"\n'
        'resource = "thing/a"\nexpect = "denied"\n',
        encoding="utf-8",
    )
    suite = run_suite(tmp_path / "p.json")
    assert not suite.passed
    assert "iot:UpdateThingShadow" in str(suite.mistakes)
    assert rules(statement("iot:UpdateThingShadw", f"{ARN}thing/a")) == {"unknown-action"}


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("iot:GetThingShadow", "thing"),
        ("iotjobsdata:UpdateJobExecution", "thing"),
        ("greengrass:Discover", "thing"),
        ("greengrass:PutCertificateAuthorities", "thing"),
        ("iot:GetConnection", "client"),
        ("iot:SendDirectMessage", "client"),
        ("iot:ListSubscriptions", "client"),
        ("iot:DeleteConnection", "client"),
    ],
)
def test_without_a_connection_there_is_no_thing(action: str, kind: str) -> None:
    """3: over HTTPS and for Greengrass; the statement does nothing, and the lint says so."""
    allow = statement(action, f"{AWS}{kind}/{THING}")
    assert decided(action, f"{kind}/sensor-1", allow).decision == "implicit_deny"
    assert "thing-variable-without-thing" in rules(allow)


def test_a_role_alias_is_asked_for_in_a_things_name() -> None:
    """3: the header names it."""
    allow = statement("iot:AssumeRoleWithCertificate", f"{AWS}rolealias/{THING}")
    assert decided("iot:AssumeRoleWithCertificate", "rolealias/sensor-1", allow).allowed
    assert rules(allow) == set()


def test_an_attribute_is_many_devices() -> None:
    """4: device a-1 would connect as a-2."""
    (finding,) = findings(statement("iot:Connect", f"{ARN}client/{SITE}-*", Condition=ATTACHED))
    assert (finding.rule, finding.severity) == ("overly-permissive", Severity.ERROR)
    assert rules(statement("iot:Connect", f"{ARN}client/{SITE}", Condition=ATTACHED)) == {"shared-client-id"}
    assert rules(statement("iot:Publish", f"{ARN}topic/{SITE}/*")) == set()


@pytest.mark.parametrize("sign", ["-", "_", ":", "", "-a"])
def test_a_longer_name_may_be_another_things(sign: str) -> None:
    """5: the Thing `sensor` connects as `sensor-1`, and speaks for `sensor_1`."""
    (finding,) = findings(statement("iot:Connect", f"{ARN}client/{THING}{sign}*", Condition=ATTACHED))
    assert (finding.rule, finding.severity) == ("client-id-of-others", Severity.ERROR)
    assert rules(statement("iot:Publish", f"{ARN}topic/d/{THING}{sign}*")) == {"wildcard-after-variable"}
    assert rules(statement("iot:Publish", f"{ARN}topic/d/{THING}/{sign}*")) == set()
    assert rules(statement("iot:Publish", f"{ARN}topic/d/${{iot:CertificateId}}-*")) == set()


@pytest.mark.parametrize("operator", ["StringEquals", "StringNotEquals"])
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_what_nobody_said_is_not_absent(operator: str, effect: str) -> None:
    """6: undetermined, with the option and the key that say it."""
    condition = {operator: {"aws:SourceVpce": "vpce-1"}}
    found = decided(
        "iot:Publish",
        "topic/a",
        statement("iot:Publish", "*", effect=effect, Condition=condition),
        *([statement("iot:Publish", "*")] if effect == "Deny" else []),
    )
    assert found.decision is None
    assert "--source-vpce" in found.problem
    assert "source_vpce" in found.problem


def test_what_decides_anyway_needs_no_more_to_be_said() -> None:
    """6: a Deny that applies, or an Allow with no open Deny beside it."""
    is_open = {"StringEquals": {"aws:SourceVpce": "vpce-1"}}
    allow, deny = statement("iot:Publish", "*"), statement("iot:Publish", "*", effect="Deny")
    maybe = statement("iot:Publish", "*", Condition=is_open)
    assert decided("iot:Publish", "topic/a", maybe, allow).decision == "allowed"
    assert decided("iot:Publish", "topic/a", maybe, deny).decision == "explicit_deny"
    assert decided("iot:Receive", "topic/a", maybe).decision == "implicit_deny"


@pytest.mark.parametrize("resource", [f"topic/{SITE}/*", f"topic/{THING}/*"])
def test_an_unattached_thing_gets_the_stricter_reading(resource: str) -> None:
    """7: not resolved where that allows less, resolved where that denies more."""
    thing = ThingFacts(name="sensor-1", attributes={"site": "sensor-1"}, attached=False)
    facts = DeviceFacts(client_id="sensor-1", thing=thing)
    allow, deny = (statement("iot:Publish", f"{AWS}{resource}", effect=each) for each in ("Allow", "Deny"))
    everything = statement("iot:Publish", "*")
    assert decided("iot:Publish", "topic/sensor-1/a", allow, facts=facts).decision == "implicit_deny"
    assert decided("iot:Publish", "topic/sensor-1/a", everything, deny, facts=facts).decision == "explicit_deny"


def test_greengrass_has_actions_and_resources_of_its_own() -> None:
    """8: both of connectivity, and Discover on a Thing only."""
    for action in ("greengrass:GetConnectivityInfo", "greengrass:UpdateConnectivityInfo", "greengrass:Discover"):
        assert rules(statement(action, f"{ARN}thing/core")) == set()
    assert rules(statement("greengrass:Discover", f"{ARN}topic/x")) == {"action-resource"}


def test_what_means_the_same_is_judged_alike() -> None:
    """9: any client id, twice; IsAttached required, twice; AWS's own example is a warning."""
    for name in ("*", "${iot:ClientId}"):
        (finding,) = findings(statement("iot:Connect", f"{ARN}client/{name}", Condition=ATTACHED))
        assert (finding.rule, finding.severity) == ("client-id-free", Severity.WARNING)
    detached = {"Bool": {"iot:Connection.Thing.IsAttached": "false"}}
    allow = statement("iot:Connect", f"{ARN}client/{THING}")
    assert rules(allow, statement("iot:Connect", f"{ARN}client/*", effect="Deny", Condition=detached)) == set()
    (finding,) = findings(allow)
    assert (finding.rule, finding.severity) == ("thing-not-required", Severity.WARNING)
    assert "Device Defender" not in finding.message


def test_what_holds_without_a_value_is_a_warning() -> None:
    """ForAllValues, NotEquals and NotLike in an Allow; not with Null beside them, and not in a Deny."""
    key = "iot:Certificate.Subject.Organization"
    for condition in (
        {"ForAllValues:StringEquals": {f"{key}.List": "a"}},
        {"StringNotEquals": {key: "a"}},
        {"StringNotLike": {key: "a*"}},
    ):
        assert rules(statement("iot:Receive", f"{ARN}topic/a", Condition=condition)) == {"holds-without-value"}
        bound = {**condition, "Null": {key: "false"}}
        assert rules(statement("iot:Receive", f"{ARN}topic/a", Condition=bound)) == set()
        assert rules(statement("iot:Receive", f"{ARN}topic/a", effect="Deny", Condition=condition)) == set()


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (["iot:RetainPublish", "iot:Connect"], {"retain-without-publish"}),
        (["iot:Subscribe", "iot:Connect"], {"subscribe-without-receive"}),
        (["iot:Publish"], {"no-connect"}),
        (["iot:Publish", "iot:RetainPublish", "iot:Connect"], set()),
        (["iotjobsdata:UpdateJobExecution"], set()),
    ],
)
def test_half_a_pair_is_a_warning(actions: list[str], expected: set[str]) -> None:
    """An action that does nothing without another one."""
    pairs = {"retain-without-publish", "subscribe-without-receive", "no-connect"}
    assert {finding.rule for finding in all_findings(*(statement(each, "*") for each in actions))} & pairs == expected


def test_topics_that_aws_refuses_are_warnings() -> None:
    """AWS IoT's own events, and more than seven slashes; basic ingest has three more."""
    assert rules(statement("iot:Publish", f"{ARN}topic/$aws/events/x/{THING}")) == {"reserved-topic"}
    assert rules(statement("iot:Receive", f"{ARN}topic/$aws/events/x/{THING}")) == set()
    assert rules(statement("iot:Publish", f"{ARN}topic/{THING}/1/2/3/4/5/6/7")) == set()
    assert rules(statement("iot:Publish", f"{ARN}topic/{THING}/1/2/3/4/5/6/7/8")) == {"too-many-levels"}
    assert rules(statement("iot:Publish", f"{ARN}topic/$aws/rules/r/1/2/3/4/5/6/7/8")) == set()


def test_direct_messages_to_any_client_need_their_topics_named() -> None:
    """AWS's pattern; without it, or with a star, every device can be written to."""
    everyone = f"{ARN}client/*"
    named = {"StringEquals": {"iot:Topic": ["commands/reboot"]}}
    assert rules(statement("iot:SendDirectMessage", everyone, Condition=named)) == set()
    assert rules(statement("iot:SendDirectMessage", everyone)) == {"overly-permissive"}
    star = {"StringLike": {"iot:Topic": "*"}}
    assert rules(statement("iot:SendDirectMessage", everyone, Condition=star)) == {"overly-permissive"}
    assert rules(statement("iot:Receive", f"{ARN}topic/*")) == {"broad-receive"}


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (statement("iot:GetThingShadow", "arn:aws:iot:eu-west-1:111122223333:/thing/X"), "has a slash before the type"),
        (statement("iot:Receive", f"{ARN}topic/${{iot:Connection.Thing.Attributes.role}}"), "write Attributes[role]"),
        (statement("iot:Receive", f"{ARN}to\u00a0pic/a"), "\\u00a0"),
        (statement("iot:Receive", None), "found null"),
        (statement("iot:Receive", []), "found []"),
        (statement("iot:Publish", f"{ARN}topic/$aws/commands/things/*"), "$aws/commands/things/${iot:Conn"),
        (statement("iot:Publish", f"{ARN}topic/$aws/commands/clients/*"), "$aws/commands/clients/${iot:ClientId}/"),
        (statement("iot:Publish", f"{ARN}topic/d/${{aws:username}}"), "a device is no principal of IAM"),
        (
            statement("iot:Receive", f"{ARN}topic/a", Condition={"StringEquals": {"iot:Topic": "a"}}),
            "nobody can set iot:Topic here",
        ),
        (statement("iot:Receive", f"{ARN}topic/${{iot:JobId}}"), "is a key for conditions"),
    ],
)
def test_messages_name_what_is_wrong_and_what_mends_it(written: dict[str, Any], words: str) -> None:
    """In the words of JSON and of AWS."""
    assert any(words in finding.message for finding in findings(written)), findings(written)
