"""Resources: well-formed ARNs of this deployment, of a type that the statement's actions apply to."""

from __future__ import annotations

from collections.abc import Iterable

from jitr_fleet.files.tables import did_you_mean, show
from jitr_fleet.policies.context import LintContext
from jitr_fleet.policies.language.actions import (
    ACTIONS,
    FORMER_NAMES,
    GREENGRASS,
    IOT_TYPES,
    TOPIC,
    TOPIC_FILTER,
)
from jitr_fleet.policies.rules.reading.arns import Arn, names_device, read_arn
from jitr_fleet.policies.rules.reading.report import LintReport
from jitr_fleet.policies.rules.reading.written import Text, WrittenStatement
from jitr_fleet.policies.source import Severity

_SHAPE = "arn:@{partition}:iot:@{region}:@{account}:type/name"


def check_resources(statements: Iterable[WrittenStatement], context: LintContext, report: LintReport) -> None:
    """Report resources that match nothing, or not in this deployment, or that no action of the statement applies to."""
    for statement in statements:
        arns = []
        for resource in statement.resources:
            if (arn := read_arn(resource)) is None:
                message = f"{show(resource.text)} is no ARN; write {_SHAPE}"
                report.add("malformed-arn", resource.pointer, message)
            elif not _is_of_service(arn, statement):
                message = (
                    f"the service {show(arn.service)} in {show(arn.text)} has to be iot, spelled out; write {_SHAPE}"
                )
                report.add("malformed-arn", resource.pointer, message)
            else:
                arns.append(arn)
                if arn.service != GREENGRASS:
                    _check_arn(arn, context, report, denies=statement.denies)
        _check_types(statement, arns, report)


def _is_of_service(arn: Arn, statement: WrittenStatement) -> bool:
    """Return whether the ARN is AWS IoT's, or Greengrass's where all actions are; a wildcard would evade the rules."""
    if arn.text == "*" or arn.service == "iot":
        return True
    actions = [action.text for action in statement.actions]
    return arn.service == "greengrass" and bool(actions) and all(each.startswith("greengrass:") for each in actions)


def _check_arn(arn: Arn, context: LintContext, report: LintReport, *, denies: bool) -> None:
    if arn.text == "*":
        return
    if not arn.region or not arn.account or not arn.name:
        report.add("malformed-arn", arn.pointer, f"{show(arn.text)} lacks a part; write {_SHAPE}")
        return
    if arn.name.partition("/")[0] in IOT_TYPES and not arn.type:
        message = f"{show(arn.text)} has a slash before the type of resource, and matches nothing; leave it out"
        report.add("resource-type", arn.pointer, message)
    elif arn.type not in IOT_TYPES:
        meant = did_you_mean(arn.type, IOT_TYPES)
        report.add("resource-type", arn.pointer, f"there is no type of resource {show(arn.type)}; {meant}")
    _check_place(arn, context, report)
    if arn.has_mqtt_wildcard and not denies:
        _check_mqtt_wildcard(arn, report)


def _check_place(arn: Arn, context: LintContext, report: LintReport) -> None:
    """Report parts that are another deployment's, and those written out where there is none to compare with."""
    literal: list[str] = []
    for name, found, expected in (
        ("partition", arn.partition, context.partition),
        ("region", arn.region, context.region),
        ("account", arn.account, context.account),
    ):
        if found in (f"@{{{name}}}", expected) or "@{" in found:
            continue
        if expected is not None and found != "*":
            message = f"the {name} {show(found)} is not this deployment's, {expected}; write @{{{name}}}"
            report.add("wrong-deployment", arn.pointer, message)
        else:
            literal.append(f"{name} {show(found)}")
    if literal:
        severity = Severity.ERROR if context.literal_is_error else None
        message = f"{', '.join(literal)} written out; write {_SHAPE}"
        report.add("literal-deployment-value", arn.pointer, message, severity=severity)


def _check_mqtt_wildcard(arn: Arn, report: LintReport) -> None:
    if arn.type == TOPIC:
        message = f"{show(arn.name)} holds + or #, and no message has such a topic; write * or ?"
        report.add("mqtt-wildcard-in-topic", arn.pointer, message)
    elif arn.type == TOPIC_FILTER:
        report.add("mqtt-wildcard-in-topicfilter", arn.pointer, f"{show(arn.name)} {_what_filter_brings(arn)}")


def _what_filter_brings(arn: Arn) -> str:
    if names_device(arn.before("+#")):
        return "is allowed literally, and no other filter; right where devices subscribe with exactly this one"
    return (
        "is allowed literally, and a subscription to it brings the messages of every device below it; put the device's "
        "variable in the place of + or #, as in ${iot:Connection.Thing.ThingName}"
    )


def _check_types(statement: WrittenStatement, arns: list[Arn], report: LintReport) -> None:
    """Report actions without a resource that fits, and resources without an action that fits."""
    known = [Text(each.pointer, FORMER_NAMES.get(each.text, each.text)) for each in statement.actions]
    typed = [(action, ACTIONS[action.text].resource_types) for action in known if action.text in ACTIONS]
    usable = [arn for arn in arns if _type(arn) in (*IOT_TYPES, GREENGRASS) or arn.text == "*"]
    if not typed or not usable or len(typed) < len(statement.actions) or len(usable) < len(statement.resources):
        # What is wrong with the others was said; whether they fit can only be guessed.
        return
    for action, types in typed:
        if not any(_fits(arn, types) for arn in usable):
            expected = ACTIONS[action.text].types_in_words
            message = f"{action.text} applies to {expected}, and the statement has no such resource"
            report.add("action-resource", action.pointer, f"{message}; mend the resource or move the action")
    for arn in usable:
        if not any(_fits(arn, types) for _, types in typed):
            message = f"none of the statement's actions applies to {_type(arn)}/…; {_actions_for(_type(arn))}"
            report.add("action-resource", arn.pointer, message)


def _fits(arn: Arn, types: tuple[str, ...]) -> bool:
    return arn.text == "*" or _type(arn) in types


def _type(arn: Arn) -> str:
    return GREENGRASS if arn.service == GREENGRASS else arn.type


def _actions_for(type_: str) -> str:
    names = [name.partition(":")[2] for name, action in ACTIONS.items() if type_ in action.resource_types]
    return f"it is for {', '.join(names)}"
