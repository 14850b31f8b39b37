"""Client ids: who may connect in whose name.

Sources: Device Defender's audit guide, IOT_POLICY_OVERLY_PERMISSIVE_CHECK, with each of its examples in the tests; the
developer guide's connect-policy, thing-policy-examples and exclusive-thing.
"""

from __future__ import annotations

from collections.abc import Iterable

from jitr.policies.comparison import covers
from jitr_fleet.files.tables import show
from jitr_fleet.policies.language.actions import CLIENT
from jitr_fleet.policies.language.variables import variables_in
from jitr_fleet.policies.rules.reading.arns import Arn, iot_arns, names_one_device
from jitr_fleet.policies.rules.reading.report import LintReport
from jitr_fleet.policies.rules.reading.written import WrittenStatement
from jitr_fleet.policies.rules.variables import IS_ATTACHED

CONNECT = "iot:Connect"
CLIENT_ID = "iot:ClientId"
_THING = "iot:Connection.Thing."
_OWN = "client/${iot:Connection.Thing.ThingName}"


def check_clients(statements: tuple[WrittenStatement, ...], report: LintReport) -> None:
    """Report client ids that are other devices' too, and topics named after a client id that may be chosen."""
    allowing = [statement for statement in statements if statement.allows]
    is_free = not _ties_client_id(allowing)
    for statement in allowing:
        connects = CONNECT in {action.text for action in statement.actions}
        for arn in iot_arns(statement):
            if connects and arn.type in (CLIENT, "*"):
                _check_client(arn, statement, statements, report)
            elif is_free and arn.type != CLIENT and uses_client_id(arn):
                message = (
                    "a device may connect with any client id here, such as + or another device's; use "
                    "${iot:Connection.Thing.ThingName}, and in iot:Connect too"
                )
                report.add("client-id-in-topic", arn.pointer, message)


def uses_client_id(arn: Arn) -> bool:
    """Return whether a resource is named after the connection's client id."""
    return any(use.base == CLIENT_ID for use in variables_in(arn.name))


def _check_client(
    arn: Arn, statement: WrittenStatement, statements: tuple[WrittenStatement, ...], report: LintReport
) -> None:
    attached = _requires_thing(statement, arn, statements)
    if uses_client_id(arn) or (arn.has_wildcard and not arn.prefix):
        _check_any(arn, report, attached=attached)
    elif not names_one_device(arn.before()):
        _check_shared(arn, report)
    elif arn.reaches_longer_names:
        message = (
            f"with {show(arn.name)} a device takes the client ids of devices whose names begin with its own; end "
            f"it with the name, as in {_OWN}"
        )
        report.add("client-id-of-others", arn.pointer, message)
    elif any(use.base.startswith(_THING) for use in variables_in(arn.name)) and not attached:
        message = (
            "AWS's pages differ on what a Thing's name is for a certificate that is not attached to it; write the "
            f'condition "Bool": {{"{IS_ATTACHED}": "true"}}, with this one value'
        )
        report.add("thing-not-required", arn.pointer, message)


def _check_any(arn: Arn, report: LintReport, *, attached: bool) -> None:
    """Report a resource that is any client id: a wildcard at its beginning, or the connection's own."""
    if attached:
        message = f"jitr attaches Things exclusively, and such a device may connect with any client id; write {_OWN}"
        report.add("client-id-free", arn.pointer, message)
        return
    mend = f'write {_OWN} with the condition "Bool": {{"{IS_ATTACHED}": "true"}}'
    if uses_client_id(arn):
        report.add("client-id-unbound", arn.pointer, f"any client id is the connection's own; {mend}")
    else:
        message = f"{CONNECT} on {show(arn.text)} reaches every device; {mend}"
        report.add("overly-permissive", arn.pointer, message)


def _check_shared(arn: Arn, report: LintReport) -> None:
    """Report client ids with nothing that is one device's alone."""
    mend = f"and disconnect it; use a variable of the device's own, as in {_OWN}"
    if arn.has_wildcard:
        message = f"with {show(arn.name)} a device may take any other device's client id that begins so, {mend}"
        report.add("overly-permissive", arn.pointer, message)
    else:
        message = f"{show(arn.name)} is the same for many devices: each may take any other one's client id, {mend}"
        report.add("shared-client-id", arn.pointer, message)


def _requires_thing(statement: WrittenStatement, arn: Arn, statements: Iterable[WrittenStatement]) -> bool:
    """Return whether only an attached device connects so: by the statement itself, or by a Deny for all others."""
    return _says_attached(statement, "true") or any(
        len(other.conditions) == 1
        and _says_attached(other, "false")
        and any(covers(action.text.lower(), CONNECT.lower()) for action in other.actions)
        and any(covers(resource.text, arn.text) for resource in other.resources)
        for other in statements
        if other.denies
    )


def _says_attached(statement: WrittenStatement, value: str) -> bool:
    return any(
        condition.operator == "Bool"
        and condition.key == IS_ATTACHED
        and {each.text.casefold() for each in condition.values} == {value}
        for condition in statement.conditions
    )


def _ties_client_id(allowing: list[WrittenStatement]) -> bool:
    """Return whether each client id that the policy allows is fixed, or comes from the certificate or its Thing."""
    clients = [
        arn
        for statement in allowing
        if CONNECT in {action.text for action in statement.actions}
        for arn in iot_arns(statement)
        if arn.type in (CLIENT, "*")
    ]
    return bool(clients) and not any(arn.has_wildcard or uses_client_id(arn) for arn in clients)
