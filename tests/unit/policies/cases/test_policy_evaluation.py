"""The evaluator of AWS IoT policies: what AWS documents, with AWS's own examples."""

from __future__ import annotations

from typing import Any

import pytest

from jitr.policies.comparison import covers
from jitr.policies.document import parse_document
from jitr.policies.values import PolicyError
from jitr_fleet.policies.evaluation.decision import Decision, evaluate
from jitr_fleet.policies.evaluation.facts import CertificateFacts, DeviceFacts, ThingFacts
from jitr_fleet.policies.evaluation.request import EXAMPLE_VALUES, AccessRequest, complete_resource, values_in
from jitr_fleet.policies.language.actions import Protocol

ARN = "arn:aws:iot:xx-example-1:123456789012:"
THING_NAME = "${iot:Connection.Thing.ThingName}"
COUNTRY = "${iot:Certificate.Subject.Country}"
UNSAID = "nobody said it; give --certificate, in cases certificate.subject"
SENSOR = DeviceFacts(client_id="sensor-1", thing=ThingFacts(name="sensor-1"))


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    """A document of statements; each allows iot:Publish on everything, unless it says otherwise."""
    filled = [{"Effect": "Allow", "Action": "iot:Publish", "Resource": "*", **each} for each in statements]
    return {"Version": version, "Statement": filled}


def decided(documents: list[dict[str, Any]], facts: DeviceFacts, action: str, resource: str | None) -> Decision:
    """Ask a question in the short form."""
    request = AccessRequest.of(action, resource, facts, EXAMPLE_VALUES)
    return evaluate([parse_document(document) for document in documents], request)


def publishes(document: dict[str, Any], topic: str, facts: DeviceFacts = SENSOR) -> str | None:
    """What the policy says to a message on a topic."""
    return decided([document], facts, "iot:Publish", f"topic/{topic}").decision


class TestAnswers:
    """Allowed, denied by a statement, denied by default."""

    def test_what_nothing_allows_is_denied_implicitly(self) -> None:
        """Also with no policy at all."""
        assert decided([], SENSOR, "iot:Publish", "topic/a").decision == "implicit_deny"
        assert publishes(policy({"Action": "iot:Receive"}), "a") == "implicit_deny"

    def test_an_explicit_deny_wins_wherever_it_stands(self) -> None:
        """Before or behind the Allow, in the same policy or another."""
        allow, deny = policy({}), policy({"Effect": "Deny", "Resource": f"{ARN}topic/secret"})
        both = policy({}, {"Effect": "Deny", "Resource": f"{ARN}topic/secret"})
        for documents in ([allow, deny], [deny, allow], [both]):
            assert decided(documents, SENSOR, "iot:Publish", "topic/secret").decision == "explicit_deny"
            assert decided(documents, SENSOR, "iot:Publish", "topic/open").decision == "allowed"

    def test_the_deciding_statement_is_named(self) -> None:
        """With its policy, counted from zero."""
        found = decided(
            [policy({"Action": "iot:Receive"}), policy({}, {"Sid": "No", "Effect": "Deny"})],
            SENSOR,
            "iot:Publish",
            "topic/a",
        )
        assert found.statement is not None
        assert (found.policy, found.statement.index, found.statement.sid) == (1, 1, "No")
        assert not found.allowed

    def test_the_explanation_says_why_for_every_statement_and_variable(self) -> None:
        """The answer first."""
        document = policy(
            {"Resource": f"{ARN}topic/{THING_NAME}/*", "Sid": "Own"},
            {"Action": "iot:Receive"},
            {"Resource": f"{ARN}topic/{COUNTRY}"},
            {"Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "false"}}},
        )
        lines = decided([document], SENSOR, "iot:Publish", "topic/sensor-1/a").explanation(["p.json"])
        assert lines == [
            "allowed by p.json /Statement/0 (Own)",
            f"Allow p.json /Statement/0 (Own) applies: resource {ARN}topic/{THING_NAME}/*",
            "Allow p.json /Statement/1 does not apply: no action matches iot:Publish",
            f"Allow p.json /Statement/2 may apply: {COUNTRY}: {UNSAID}",
            "Allow p.json /Statement/3 does not apply: Bool iot:Connection.Thing.IsAttached does not hold for 'true'",
            f"{THING_NAME} = 'sensor-1'",
            f"{COUNTRY} is open: {UNSAID}",
        ]


class TestTexts:
    """Actions, resources and the variables in them."""

    @pytest.mark.parametrize("pattern", ["iot:Publish", "iot:*", "*", "iot:P?blish", "iot:Pub*", "IOT:publish"])
    def test_actions_match_with_wildcards_and_in_any_case(self, pattern: str) -> None:
        """As IAM has it."""
        assert publishes(policy({"Action": pattern}), "a") == "allowed"

    def test_a_wildcard_reaches_over_levels(self) -> None:
        """Unlike MQTT's, which are plain characters."""
        assert publishes(policy({"Resource": f"{ARN}topic/a/*"}), "a/b/c") == "allowed"
        assert publishes(policy({"Resource": f"{ARN}topic/a/#"}), "a/b/c") == "implicit_deny"
        assert publishes(policy({"Resource": f"{ARN}topic/a/+"}), "a/b") == "implicit_deny"
        allowed = policy({"Action": "iot:Subscribe", "Resource": f"{ARN}topicfilter/a/#"})
        assert decided([allowed], SENSOR, "iot:Subscribe", "topicfilter/a/#").allowed
        assert not decided([allowed], SENSOR, "iot:Subscribe", "topicfilter/a/b").allowed

    def test_a_deny_on_a_topic_filter_does_not_stop_a_wider_one(self) -> None:
        """What AWS's audit calls a misconfiguration."""
        document = policy(
            {"Action": "iot:Subscribe"},
            {"Effect": "Deny", "Action": "iot:Subscribe", "Resource": f"{ARN}topicfilter/secret"},
        )
        assert decided([document], SENSOR, "iot:Subscribe", "topicfilter/#").allowed

    def test_a_client_called_plus_subscribes_to_everyone(self) -> None:
        """AWS's own warning about ${iot:ClientId} in topic filters."""
        document = policy({"Action": "iot:Subscribe", "Resource": f"{ARN}topicfilter/my/${{iot:ClientId}}/topic"})
        assert decided([document], DeviceFacts(client_id="+"), "iot:Subscribe", "topicfilter/my/+/topic").allowed

    def test_a_value_that_was_filled_in_is_no_pattern(self) -> None:
        """A client called * gets a topic of that name, and no other."""
        document = policy({"Resource": f"{ARN}topic/${{iot:ClientId}}/a"})
        star = DeviceFacts(client_id="*")
        assert publishes(document, "*/a", star) == "allowed"
        assert publishes(document, "b/a", star) == "implicit_deny"

    def test_a_value_is_not_read_as_a_variable_again(self) -> None:
        """A client id may look like one."""
        document = policy({"Resource": f"{ARN}topic/${{iot:ClientId}}"})
        facts = DeviceFacts(client_id="${aws:SourceIp}", source_ip="203.0.113.7")
        assert publishes(document, "${aws:SourceIp}", facts) == "allowed"
        assert publishes(document, "203.0.113.7", facts) == "implicit_deny"

    @pytest.mark.parametrize("written", ["${*}${?}${$}", "$(*)$(?)$($)"])
    def test_escaped_wildcards_are_characters(self, written: str) -> None:
        """As IAM writes them, and as AWS IoT does; comparison and evaluation agree."""
        document = policy({"Resource": f"{ARN}topic/{written}"})
        assert publishes(document, "*?$") == "allowed"
        assert publishes(document, "ab$") == "implicit_deny"
        assert not covers(written, "ab$")
        assert covers("*", written)

    def test_a_variable_without_a_value_stays_as_it_stands(self) -> None:
        """So the statement is for nobody with a topic of another name."""
        document = policy({"Resource": f"{ARN}topic/{THING_NAME}/a"})
        assert publishes(document, "/a", DeviceFacts(client_id="x")) == "implicit_deny"
        assert publishes(document, "sensor-1/a", DeviceFacts(client_id="sensor-1")) == "implicit_deny"

    def test_the_old_version_knows_no_variables(self) -> None:
        """There `${…}` is text."""
        document = policy({"Resource": f"{ARN}topic/{THING_NAME}"}, version="2008-10-17")
        assert publishes(document, "sensor-1") == "implicit_deny"
        assert publishes(document, THING_NAME) == "allowed"

    def test_actions_of_https_see_no_thing(self) -> None:
        """Shadows by HTTPS: AWS IoT knows the Thing of a connection over MQTT only."""
        document = policy({"Action": "iot:*", "Resource": f"{ARN}thing/{THING_NAME}"})
        assert not decided([document], SENSOR, "iot:GetThingShadow", "thing/sensor-1").allowed
        fixed = policy({"Action": "iot:*", "Resource": f"{ARN}thing/sensor-1"})
        assert decided([fixed], SENSOR, "iot:GetThingShadow", "thing/sensor-1").allowed

    def test_a_condition_that_cannot_be_read_leaves_no_answer(self) -> None:
        """In whatever statement it stands: it must not hide behind another action."""
        document = policy(
            {}, {"Action": "iot:Receive", "Effect": "Deny", "Condition": {"StringEqal": {"iot:ClientId": "a"}}}
        )
        with pytest.raises(
            PolicyError, match=r"^/Statement/1: StringEqal iot:ClientId: there is no such condition operator"
        ):
            publishes(document, "a")


class TestAwsExamples:
    """Policies of AWS's developer guide, with the answers that its text gives."""

    ORGANIZATIONS = policy(
        {"Action": ["iot:Connect"], "Resource": [f"{ARN}client/{THING_NAME}"]},
        {
            "Resource": [f"{ARN}topic/my/topic/{THING_NAME}"],
            "Condition": {
                "ForAllValues:StringEquals": {
                    "iot:Certificate.Subject.Organization.List": ["Example Corp", "AnyCompany"]
                }
            },
        },
    )

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            (("Example Corp",), "allowed"),
            (("AnyCompany", "Example Corp"), "allowed"),
            (("Example Corp", "Other"), "implicit_deny"),
            # Documented of ForAllValues, and worth a warning: without the field nothing is wrong with it.
            ((), "allowed"),
        ],
    )
    def test_only_two_organizations_publish(self, names: tuple[str, ...], expected: str) -> None:
        """The certificate's subject decides, all of its organizations."""
        certificate = CertificateFacts(names={"Subject.Organization": names})
        facts = DeviceFacts(client_id="sensor-1", thing=ThingFacts(name="sensor-1"), certificate=certificate)
        assert publishes(self.ORGANIZATIONS, "my/topic/sensor-1", facts) == expected

    @pytest.mark.parametrize(("names", "expected"), [(("x", "Administrator"), "allowed"), (("x",), "implicit_deny")])
    def test_any_common_name_makes_an_administrator(self, names: tuple[str, ...], expected: str) -> None:
        """ForAnyValue over the list."""
        condition = {"ForAnyValue:StringEquals": {"iot:Certificate.Subject.CommonName.List": "Administrator"}}
        document = policy({"Resource": [f"{ARN}topic/admin/*"], "Condition": condition})
        facts = DeviceFacts(certificate=CertificateFacts(names={"Subject.CommonName": names}))
        assert publishes(document, "admin/a", facts) == expected

    def test_the_client_id_is_the_serial_number_in_decimal(self) -> None:
        """And its statistics go below its organization's name."""
        certificate = CertificateFacts(
            serial_number=0x921285CBB7A5E086, names={"Subject.Organization": ("IoT Devices",)}
        )
        facts = DeviceFacts(client_id="10525622389124227206", certificate=certificate)
        document = policy(
            {"Action": "iot:Connect", "Resource": f"{ARN}client/${{iot:Certificate.SerialNumber}}"},
            {"Resource": f"{ARN}topic/${{iot:Certificate.Subject.Organization}}/device-stats/${{iot:ClientId}}/*"},
        )
        assert decided([document], facts, "iot:Connect", None).allowed
        assert publishes(document, "IoT Devices/device-stats/10525622389124227206/a", facts) == "allowed"

    def test_connecting_needs_the_fields_to_be_there(self) -> None:
        """Null with false: the key has a value."""
        keys = {"iot:Certificate.SerialNumber": "false", "iot:Certificate.Subject.CommonName": "false"}
        document = policy({"Action": "iot:Connect", "Resource": f"{ARN}client/*", "Condition": {"Null": keys}})
        names = {"Subject.CommonName": ("d",)}
        full = DeviceFacts(client_id="d", certificate=CertificateFacts(serial_number=1, names=names))
        assert decided([document], full, "iot:Connect", None).allowed
        nameless = DeviceFacts(
            client_id="d", certificate=CertificateFacts(serial_number=1, said=frozenset({"Subject"}))
        )
        assert not decided([document], nameless, "iot:Connect", None).allowed

    def test_publishing_from_one_address(self) -> None:
        """aws:SourceIp in a condition."""
        condition = {"IpAddress": {"aws:SourceIp": "123.45.167.89"}}
        document = policy({"Resource": f"{ARN}topic/my/topic/${{iot:ClientId}}", "Condition": condition})
        for address, expected in (("123.45.167.89", "allowed"), ("123.45.167.88", "implicit_deny")):
            facts = DeviceFacts(client_id="c", source_ip=address)
            assert publishes(document, "my/topic/c", facts) == expected


class TestRequest:
    """What is asked, in full or in short."""

    def test_short_forms_are_completed(self) -> None:
        """With the deployment's account, Region and partition; colons in names are no sections."""
        assert complete_resource("topic/a:b/c", EXAMPLE_VALUES) == f"{ARN}topic/a:b/c"
        assert complete_resource("arn:@{partition}:iot:@{region}:@{account}:cert/x", EXAMPLE_VALUES) == f"{ARN}cert/x"
        assert complete_resource("*", EXAMPLE_VALUES) == "*"

    @pytest.mark.parametrize(
        ("action", "resource", "words"),
        [
            ("Publish", "topic/a", "is no action"),
            ("iot:*", "topic/a", "is no action"),
            ("s3:GetObject", "topic/a", "is no action"),
            ("iot:Publish", None, "needs a resource"),
            ("iot:Publish", "topic", "write topic/ and a name"),
            ("iot:Publish", "tpic/a", "did you mean topic?"),
            ("iot:Publish", "devices/a", "is no resource"),
            ("iot:Connect", "client/other", "the device connects as 'sensor-1'"),
        ],
    )
    def test_a_question_without_sense_is_refused(self, action: str, resource: str | None, words: str) -> None:
        """Rather than denied, which would look like an answer."""
        with pytest.raises(PolicyError) as caught:
            AccessRequest.of(action, resource, SENSOR, EXAMPLE_VALUES)
        assert words in str(caught.value)

    def test_literal_arns_say_where_they_are(self) -> None:
        """If they agree."""
        here, there = "arn:aws:iot:eu-west-1:111122223333:topic/a", "arn:aws:iot:us-east-1:111122223333:topic/a"
        assert values_in([here, "*", here]) == {"account": "111122223333", "partition": "aws", "region": "eu-west-1"}
        assert values_in([here, there]) is None
        assert values_in(["arn:@{partition}:iot:@{region}:@{account}:topic/a"]) is None


def test_https_is_a_fact_too() -> None:
    """A device that publishes by HTTPS has no client id to be named after."""
    document = policy({"Resource": f"{ARN}topic/${{iot:ClientId}}"})
    assert publishes(document, "a", DeviceFacts(client_id="a")) == "allowed"
    assert publishes(document, "a", DeviceFacts(client_id="a", protocol=Protocol.HTTPS)) == "implicit_deny"
