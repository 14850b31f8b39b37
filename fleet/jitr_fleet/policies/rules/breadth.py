"""Rights that reach other devices: what AWS IoT Device Defender's audit calls overly permissive, and its like.

Source: Device Defender's audit guide, IOT_POLICY_OVERLY_PERMISSIVE_CHECK, with each of its noncompliant examples in
the tests. AWS does not publish the check itself; where its guide is silent, the stricter reading is taken. Client ids
are in clients.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from jitr_fleet.files.tables import show
from jitr_fleet.policies.language.actions import (
    ACTIONS,
    ANY_RESOURCE,
    CLIENT,
    FORMER_NAMES,
    THING,
    TOPIC,
    TOPIC_FILTER,
)
from jitr_fleet.policies.rules.clients import CONNECT
from jitr_fleet.policies.rules.reading.arns import Arn, iot_arns, names_device
from jitr_fleet.policies.rules.reading.report import LintReport
from jitr_fleet.policies.rules.reading.written import WrittenStatement

_THINGS = "$aws/things/"
_COMMANDS = "$aws/commands/"
_SHARE = "$share/"
_DIRECT = "iot:SendDirectMessage"
_RECEIVE = "iot:Receive"
# AWS's own topics that belong to no device: basic ingest and fleet provisioning.
_NO_DEVICES = ("$aws/rules/", "$aws/certificates/", "$aws/provisioning-templates/")
# Their own rules are about these: clients.py, and _check_receive.
_ELSEWHERE = frozenset({CONNECT, _RECEIVE})


def check_breadth(statements: Iterable[WrittenStatement], report: LintReport) -> None:
    """Report Allow statements that reach the resources of other devices."""
    for statement in statements:
        if statement.allows:
            names = {FORMER_NAMES.get(action.text, action.text) for action in statement.actions}
            for arn in iot_arns(statement):
                if not _check_broad(arn, names - _excused(statement), report):
                    _check_wildcard(arn, names, report)
                _check_after_variable(arn, report)
                _check_receive(arn, names, report)


def _excused(statement: WrittenStatement) -> set[str]:
    """Return the actions that a condition narrows: AWS lets a sender reach any client on the topics that it names."""
    narrowed = any(
        condition.key == "iot:Topic"
        and condition.operator in ("StringEquals", "StringLike", "ForAnyValue:StringEquals")
        and all(value.text.strip("*?") for value in condition.values)
        for condition in statement.conditions
    )
    return {_DIRECT} if narrowed else set()


def _check_broad(arn: Arn, names: set[str], report: LintReport) -> bool:
    """Report a resource that reaches every device; returns whether it does."""
    for name in sorted(names):
        if name in _ELSEWHERE or name not in ACTIONS:
            continue
        types = ACTIONS[name].resource_types
        is_all = arn.text == "*" and types and ANY_RESOURCE not in types
        # One of Device Defender's examples is iot:Subscribe on topic/….
        is_meant = arn.type in types or (arn.type == TOPIC and names == {"iot:Subscribe"})
        if name.startswith("greengrass:"):
            # Its actions know no variables of the Thing: AWS's own examples have wildcards there.
            continue
        if is_all or (is_meant and arn.text != "*" and _reaches_any(arn, name)):
            message = f"{name} on {show(arn.text)} reaches every device; name this device, as in {_narrow(arn, name)}"
            report.add("overly-permissive", arn.pointer, message)
            return True
    return False


def _check_wildcard(arn: Arn, names: set[str], report: LintReport) -> None:
    """Report a wildcard with nothing of the device's own before it, where it may stand for another device's name."""
    if arn.type not in (TOPIC, TOPIC_FILTER, THING) or not arn.has_wildcard:
        return
    if names_device(_without_group(arn.before()) if arn.type == TOPIC_FILTER else arn.before()):
        return
    known = sorted(name for name in names - _ELSEWHERE if name in ACTIONS)
    reaching = [name for name in known if arn.type in ACTIONS[name].resource_types]
    if reaching and not arn.name.startswith(_NO_DEVICES):
        message = (
            f"{reaching[0]} on {show(arn.name)} is the same for every device, and reaches others' where their names "
            f"stand in it; name this device before the wildcard, as in {_narrow(arn, reaching[0])}"
        )
        report.add("wildcard-without-variable", arn.pointer, message)


def _reaches_any(arn: Arn, action: str) -> bool:
    """Return whether a wildcard stands where another device's name would: at the beginning, or as the Thing's name."""
    prefix = arn.prefix
    if action == "iot:Subscribe":
        prefix = prefix.partition("+")[0].partition("#")[0]
    if prefix == arn.opaque_name:
        return False
    if action == "iot:Subscribe":
        prefix = _without_group(prefix)
    return not prefix or (arn.type in (TOPIC, TOPIC_FILTER) and _THINGS.startswith(prefix))


def _without_group(prefix: str) -> str:
    """Return what a filter begins with after `$share/group/` of a shared subscription, which names no topic."""
    if len(prefix) > 1 and _SHARE.startswith(prefix):
        return ""
    return prefix.removeprefix(_SHARE).partition("/")[2] if prefix.startswith(_SHARE) else prefix


def _narrow(arn: Arn, action: str) -> str:
    types = ACTIONS[action].resource_types
    kind = arn.type if arn.type in types else types[0]
    thing = "${iot:Connection.Thing.ThingName}"
    own = f"devices/{thing}/*"
    if arn.name.startswith(f"{_COMMANDS}clients/"):
        own = f"{_COMMANDS}clients/${{iot:ClientId}}/executions/*"
    elif arn.name.startswith(_COMMANDS):
        own = f"{_COMMANDS}things/{thing}/executions/*"
    elif arn.name.startswith("$aws"):
        own = f"{_THINGS}{thing}/shadow/*"
    if kind == THING:
        # There is no Thing over HTTPS, where these are asked for.
        return "thing/${iot:Certificate.Subject.CommonName}"
    return {TOPIC: f"topic/{own}", TOPIC_FILTER: f"topicfilter/{own}", "rolealias": "rolealias/name"}.get(
        kind, f"{kind}/${{iot:Certificate.Subject.CommonName}}"
    )


def _check_after_variable(arn: Arn, report: LintReport) -> None:
    if arn.type != CLIENT and arn.reaches_longer_names:
        message = f"{show(arn.name)} reaches devices whose names begin with this one's; write a / behind the name"
        report.add("wildcard-after-variable", arn.pointer, message)


def _check_receive(arn: Arn, names: set[str], report: LintReport) -> None:
    """Report iot:Receive on all topics: it is harmless for subscriptions, and lets every direct message in."""
    if _RECEIVE in names and arn.type in (TOPIC, "*") and not arn.prefix:
        message = (
            f"{_RECEIVE} on {show(arn.text)} lets in whatever is sent to the device directly; name its topics, as in "
            f"{_narrow(arn, _RECEIVE)}"
        )
        report.add("broad-receive", arn.pointer, message)
