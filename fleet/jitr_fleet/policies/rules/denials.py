"""Denies that do not hold: what AWS IoT Device Defender's audit calls potentially misconfigured.

Source: Device Defender's audit guide, IOT_POLICY_POTENTIAL_MISCONFIGURATION_CHECK, with its examples in the tests.
"""

from __future__ import annotations

from collections.abc import Iterable

from jitr.policies.comparison import covers
from jitr.policies.document import Effect
from jitr_fleet.files.tables import show
from jitr_fleet.policies.language.actions import TOPIC, TOPIC_FILTER
from jitr_fleet.policies.rules.reading.arns import Arn, read_arn
from jitr_fleet.policies.rules.reading.report import LintReport
from jitr_fleet.policies.rules.reading.written import WrittenStatement


def check_denials(statements: tuple[WrittenStatement, ...], report: LintReport) -> None:
    """Report a Deny with MQTT's wildcards, and a denied topic filter whose messages a wider filter still brings."""
    for statement in statements:
        if statement.denies:
            _check_mqtt_wildcards(statement, report)
    _check_denied_filters(statements, report)


def _check_mqtt_wildcards(statement: WrittenStatement, report: LintReport) -> None:
    for resource in statement.resources:
        arn = read_arn(resource)
        if arn is not None and arn.type in (TOPIC, TOPIC_FILTER) and arn.has_mqtt_wildcard:
            message = (
                f"{show(arn.name)} denies this very text only; write * instead of + and #, and deny iot:Receive on the "
                "topics as well"
            )
            report.add("mqtt-wildcard-in-deny", arn.pointer, message)


def _check_denied_filters(statements: tuple[WrittenStatement, ...], report: LintReport) -> None:
    subscribable = _names(statements, Effect.ALLOW, "iot:Subscribe", TOPIC_FILTER)
    receivable = _names(statements, Effect.ALLOW, "iot:Receive", TOPIC)
    not_received = _names(statements, Effect.DENY, "iot:Receive", TOPIC)
    for denied in _names(statements, Effect.DENY, "iot:Subscribe", TOPIC_FILTER):
        passing = [each for each in subscribable if _may_pass(each, denied)]
        if (
            passing
            and not denied.has_mqtt_wildcard
            and any(_overlap(each, denied) for each in receivable)
            and not any(covers(each.name, denied.name) for each in not_received)
        ):
            message = (
                f"a subscription to a wider filter, which {show(passing[0].name)} allows, brings the messages of "
                f"{show(denied.name)}; deny iot:Receive on topic/{denied.name} too"
            )
            report.add("denied-filter-reachable", denied.pointer, message)


def _names(statements: Iterable[WrittenStatement], effect: Effect, action: str, type_: str) -> list[Arn]:
    """Return the resources of a type in the statements that have this effect and action."""
    return [
        arn
        for statement in statements
        if statement.effect is effect and action in {each.text for each in statement.actions}
        for arn in map(read_arn, statement.resources)
        if arn is not None and arn.type in (type_, "*")
    ]


def _may_pass(allowed: Arn, denied: Arn) -> bool:
    """Return whether an allowed pattern could be a filter that is wider than the denied one: it begins earlier."""
    has_wildcard = allowed.prefix != allowed.opaque_name
    return has_wildcard and len(allowed.prefix) < len(denied.prefix) and denied.prefix.startswith(allowed.prefix)


def _overlap(one: Arn, other: Arn) -> bool:
    return one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
