"""Conditions: operators, keys and values that AWS IoT has, and what they say where a key is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable

from jitr.policies.document import Condition
from jitr.policies.values import PolicyError
from jitr_fleet.files.tables import show
from jitr_fleet.policies.evaluation.conditions import verify_condition
from jitr_fleet.policies.language.actions import Action, action_named
from jitr_fleet.policies.language.keys import CONNECT_ATTRIBUTES, REQUEST_KEYS
from jitr_fleet.policies.language.operators import NULL, read_operator
from jitr_fleet.policies.language.variables import ATTRIBUTES, AVAILABLE_KEYS, VARIABLES, VariableUse
from jitr_fleet.policies.rules.reading.report import LintReport
from jitr_fleet.policies.rules.reading.written import WrittenCondition, WrittenStatement
from jitr_fleet.policies.rules.variables import nearest_variable

# Values that are filled in later are checked no sooner.
_FILLED_IN = re.compile(r"@\{[^{}]*\}")
_THING = "iot:Connection.Thing."


def check_conditions(statements: Iterable[WrittenStatement], report: LintReport) -> None:
    """Report what does not exist, what the evaluator would refuse, and conditions that a missing key meets."""
    for statement in statements:
        for condition in statement.conditions:
            if _check_operator(condition, report) and _check_key(condition, report):
                if _check_values(condition, report):
                    _check_missing(condition, statement, report)
                _check_actions(condition, statement, report)


def _check_operator(condition: WrittenCondition, report: LintReport) -> bool:
    try:
        read_operator(condition.operator)
    except ValueError as error:
        report.add("unknown-operator", condition.pointer, f"{show(condition.operator)}: {error}")
        return False
    return True


def _check_key(condition: WrittenCondition, report: LintReport) -> bool:
    use = VariableUse.parse(condition.key)
    if use.variable is not None or condition.key in REQUEST_KEYS:
        return True
    if use.base in VARIABLES:
        mend = "write Attributes[name]" if use.base == ATTRIBUTES else "write it without .N and .List"
        report.add("variable-form", condition.pointer, f"{use.base} has no form {show(condition.key)}; {mend}")
        return False
    message = f"there is no condition key {show(condition.key)}; {nearest_variable(condition.key)}"
    report.add("unknown-condition-key", condition.pointer, message)
    return False


def _check_values(condition: WrittenCondition, report: LintReport) -> bool:
    """Report what the evaluator would refuse; returns whether it would not."""
    values = tuple(value.text for value in condition.values if not _FILLED_IN.search(value.text))
    try:
        verify_condition(Condition(condition.operator, condition.key, values))
    except PolicyError as error:
        report.add("condition-value", condition.pointer, str(error))
        return False
    key = REQUEST_KEYS.get(condition.key)
    if key is not None and key.values:
        for value in condition.values:
            if not any(sign in value.text for sign in "*?${") and value.text not in key.values:
                message = f"{condition.key} is never {show(value.text)}; there are {', '.join(key.values)}"
                report.add("condition-value", value.pointer, message)
    return True


def _check_missing(condition: WrittenCondition, statement: WrittenStatement, report: LintReport) -> None:
    """Report an Allow whose condition holds where the request has no such key, without a Null beside it."""
    written = read_operator(condition.operator)
    # A plain connection has no attributes: AWS's own examples mean it so.
    if not statement.allows or written.name == NULL or condition.key == CONNECT_ATTRIBUTES or written.if_exists:
        return
    if written.holds_without_value and _may_be_missing(condition.key) and not _is_required(condition.key, statement):
        message = (
            f"{condition.operator} {condition.key} holds where there is no such value too; add "
            f'"Null": {{"{condition.key}": "false"}} if it has to be there'
        )
        report.add("holds-without-value", condition.pointer, message)


def _may_be_missing(key: str) -> bool:
    known = REQUEST_KEYS.get(key)
    if known is not None:
        return known.may_lack
    return VariableUse.parse(key).base not in ("aws:SourceIp", "iot:CertificateId", AVAILABLE_KEYS)


def _is_required(key: str, statement: WrittenStatement) -> bool:
    bare = key.removesuffix(".List")
    return any(
        other.operator == NULL
        and other.key in (key, bare)
        and {value.text.casefold() for value in other.values} == {"false"}
        for other in statement.conditions
    )


def _check_actions(condition: WrittenCondition, statement: WrittenStatement, report: LintReport) -> None:
    """Report a key that the requests of none of the statement's actions have."""
    actions = [action_named(action.text) for action in statement.actions]
    known = [action for action in actions if action is not None]
    if not known or len(known) < len(actions) or any(_has_key(action, condition.key) for action in known):
        return
    key = REQUEST_KEYS.get(condition.key)
    where = f"requests of {', '.join(key.actions)}" if key is not None else "connections over MQTT"
    names = ", ".join(action.name for action in known)
    message = f"nobody can set {condition.key} here: only {where} have it, not those of {names}"
    report.add("key-without-action", condition.pointer, message)


def _has_key(action: Action, key: str) -> bool:
    if key in REQUEST_KEYS:
        return REQUEST_KEYS[key].belongs_to(action.name)
    if key.startswith(_THING):
        return action.knows_thing
    return action.knows_client_id if key == "iot:ClientId" else True
