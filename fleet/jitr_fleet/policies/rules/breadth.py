"""Rights that reach other devices: what AWS IoT Device Defender's audit calls overly permissive, and client ids.

Source: Device Defender's audit guide, IOT_POLICY_OVERLY_PERMISSIVE_CHECK, with each of its noncompliant examples in
the tests. AWS does not publish the check itself; where its guide is silent, the stricter reading is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jitr_fleet.files.tables import show
from jitr_fleet.policies.language.actions import ACTIONS, ANY_RESOURCE, CLIENT, FORMER_NAMES, THING, TOPIC, TOPIC_FILTER
from jitr_fleet.policies.language.variables import variables_in
from jitr_fleet.policies.rules.reading.arns import FILLED_IN, Arn, names_device, read_arn
from jitr_fleet.policies.rules.reading.report import Report
from jitr_fleet.policies.rules.reading.written import WrittenStatement
from jitr_fleet.policies.rules.variables import IS_ATTACHED

CLIENT_ID = "iot:ClientId"
_THING = "iot:Connection.Thing."
_THINGS = "$aws/things/"
_SHARE = "$share/"
# AWS's own topics that belong to no device: basic ingest and fleet provisioning.
_NO_DEVICES = ("$aws/rules/", "$aws/certificates/", "$aws/provisioning-templates/")
# A device receives only what it may subscribe to, so a broad iot:Receive is compliant (same source).
_MAY_BE_BROAD = frozenset({"iot:Receive"})


def check_breadth(statements: Iterable[WrittenStatement], report: Report) -> None:
    """Report Allow statements that reach the resources of other devices."""
    allowing = [statement for statement in statements if statement.allows]
    is_free = not _ties_client_id(allowing)
    for statement in allowing:
        names = {FORMER_NAMES.get(action.text, action.text) for action in statement.actions}
        for arn in _arns(statement):
            if not _check_broad(arn, names, report):
                _check_wildcard(arn, names, report)
            _check_after_variable(arn, report)
            if "iot:Connect" in names and arn.type == CLIENT:
                _check_client(arn, statement, report)
            elif is_free and arn.type != CLIENT and _uses_client_id(arn):
                message = (
                    "a device may connect with any client id here, such as + or another device's; use "
                    "${iot:Connection.Thing.ThingName}, and in iot:Connect too"
                )
                report.add("client-id-in-topic", arn.pointer, message)


def _arns(statement: WrittenStatement) -> Iterator[Arn]:
    for resource in statement.resources:
        if (arn := read_arn(resource)) is not None and arn.service in ("iot", "*"):
            yield arn


def _check_broad(arn: Arn, names: set[str], report: Report) -> bool:
    """Report a resource that reaches every device; returns whether it does."""
    for name in sorted(names):
        if name in _MAY_BE_BROAD or name not in ACTIONS:
            continue
        types = ACTIONS[name].resource_types
        is_all = arn.text == "*" and types and ANY_RESOURCE not in types
        # One of Device Defender's examples is iot:Subscribe on topic/….
        is_meant = arn.type in types or (arn.type == TOPIC and names == {"iot:Subscribe"})
        if is_all or (is_meant and arn.text != "*" and _reaches_any(arn, name)):
            message = f"{name} on {show(arn.text)} reaches every device; name this device, as in {_narrow(arn, name)}"
            report.add("overly-permissive", arn.pointer, message)
            return True
    return False


def _check_wildcard(arn: Arn, names: set[str], report: Report) -> None:
    """Report a wildcard with nothing of the device's own before it, where it may stand for another device's name."""
    if arn.type not in (TOPIC, TOPIC_FILTER, THING) or not arn.has_wildcard:
        return
    if names_device(_without_group(arn.before()) if arn.type == TOPIC_FILTER else arn.before()):
        return
    known = sorted(name for name in names - _MAY_BE_BROAD if name in ACTIONS)
    reaching = [name for name in known if arn.type in ACTIONS[name].resource_types]
    if reaching and not arn.name.startswith(_NO_DEVICES):
        message = (
            f"{reaching[0]} on {show(arn.name)} is the same for every device, and reaches others' where their names "
            f"stand in it; name this device before the wildcard, as in {_narrow(arn, reaching[0])}"
        )
        report.add("wildcard-without-variable", arn.pointer, message)


def _reaches_any(arn: Arn, action: str) -> bool:
    """Say whether a wildcard stands where another device's name would: at the beginning, or as the Thing's name."""
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
    is_reserved = arn.name.startswith("$aws")
    return {
        "topic": f"topic/{_THINGS}{thing}/shadow/*" if is_reserved else f"topic/devices/{thing}/*",
        "topicfilter": f"topicfilter/{_THINGS}{thing}/shadow/*" if is_reserved else f"topicfilter/devices/{thing}/*",
        "rolealias": "rolealias/name",
    }.get(kind, f"{kind}/{thing}")


def _check_after_variable(arn: Arn, report: Report) -> None:
    if f"{FILLED_IN}*" in arn.opaque_name or f"{FILLED_IN}?" in arn.opaque_name:
        message = f"{show(arn.name)} reaches devices whose name begins with this one's; write a / before the wildcard"
        report.add("wildcard-after-variable", arn.pointer, message)


def _check_client(arn: Arn, statement: WrittenStatement, report: Report) -> None:
    if _uses_client_id(arn):
        if _requires_thing(statement):
            message = (
                "jitr attaches Things exclusively, and such a device may connect with any client id; write "
                "client/${iot:Connection.Thing.ThingName}"
            )
            report.add("client-id-free", arn.pointer, message)
        else:
            message = (
                "any client id is the connection's own; write client/${iot:Connection.Thing.ThingName} with the "
                f'condition "Bool": {{"{IS_ATTACHED}": "true"}}'
            )
            report.add("client-id-unbound", arn.pointer, message)
    elif not names_device(arn.before()):
        _check_shared(arn, report)
    elif any(use.base.startswith(_THING) for use in variables_in(arn.name)) and not _requires_thing(statement):
        message = (
            "a client id of the Thing's needs a Thing that is attached; write the condition "
            f'"Bool": {{"{IS_ATTACHED}": "true"}}, with this one value'
        )
        report.add("client-id-unbound", arn.pointer, message)


def _check_shared(arn: Arn, report: Report) -> None:
    """Report client ids with nothing of the device's own; those that begin with a wildcard were reported."""
    mend = "and disconnect it; use a variable of the device's own, as in client/${iot:Connection.Thing.ThingName}"
    if arn.has_wildcard and arn.prefix:
        message = f"with {show(arn.name)} a device may take any other device's client id that begins so, {mend}"
        report.add("overly-permissive", arn.pointer, message)
    elif arn.prefix:
        message = f"{show(arn.name)} is the same for many devices: each may take any other one's client id, {mend}"
        report.add("shared-client-id", arn.pointer, message)


def _uses_client_id(arn: Arn) -> bool:
    return any(use.base == CLIENT_ID for use in variables_in(arn.name))


def _requires_thing(statement: WrittenStatement) -> bool:
    return any(
        condition.operator == "Bool"
        and condition.key == IS_ATTACHED
        and {value.text.casefold() for value in condition.values} == {"true"}
        for condition in statement.conditions
    )


def _ties_client_id(allowing: list[WrittenStatement]) -> bool:
    """Say whether each client id that the policy allows is fixed, or comes from the certificate or its Thing."""
    clients = [
        arn
        for statement in allowing
        if "iot:Connect" in {action.text for action in statement.actions}
        for arn in _arns(statement)
        if arn.type in (CLIENT, "*")
    ]
    return bool(clients) and not any(arn.has_wildcard or _uses_client_id(arn) for arn in clients)
