"""AWS IoT's variables: that they exist, are written in a form they have, and get a value from this CA's devices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from jitr.settings import ThingNameSource
from jitr_fleet.files.tables import show
from jitr_fleet.policies.context import LintContext, PolicyCa
from jitr_fleet.policies.language.actions import THING, action_named
from jitr_fleet.policies.language.keys import REQUEST_KEYS
from jitr_fleet.policies.language.variables import ATTRIBUTES, VARIABLES, VariableUse, variables_in
from jitr_fleet.policies.rules.reading.arns import Arn, iot_arns
from jitr_fleet.policies.rules.reading.report import LintReport, nearest
from jitr_fleet.policies.rules.reading.written import Text, WrittenCondition, WrittenStatement

NO_THING = 'they have no Thing (thing_name = "off")'
IS_ATTACHED = "iot:Connection.Thing.IsAttached"
_THING = "iot:Connection.Thing."
_ISSUER = "iot:Certificate.Issuer."
_UNCLOSED = re.compile(r"\$\{[^{}]*(?:\{|$)")
# AWS IoT fills in no value with one of these, and none that is longer (developer guide, certificate variables).
_NOT_FILLED_IN = frozenset("*$+?#")
_LONGEST = 1024
# IAM fills these in for its users and roles (IAM user guide, "Policy variables"); AWS IoT knows none of them.
_OF_IAM_PRINCIPALS = ("aws:user", "aws:principal")
_SUFFIX = re.compile(r"\.(?:List|[0-9]+)$")


def check_variables(statements: Iterable[WrittenStatement], context: LintContext, report: LintReport) -> None:
    """Report variables that AWS IoT does not have, or would not fill in for the devices of the context's CAs."""
    for statement in statements:
        for text, uses, is_condition in _uses(statement):
            if _UNCLOSED.search(text.text):
                report.add("unknown-variable", text.pointer, f"{show(text.text)}: a ${{ is never closed; add }}")
            for use in uses:
                if _is_known(use, text, report, is_condition=is_condition):
                    _check_filled_in(use, text, context, report)
        _check_attached(statement, context, report)
        _check_thing(statement, report)


def nearest_variable(name: str) -> str:
    """Return the variable that was probably meant by a name without `${` and `}`."""
    if name.startswith(f"{ATTRIBUTES}."):
        return f"write Attributes[{name.removeprefix(ATTRIBUTES + '.')}]"
    if name.casefold().startswith(_OF_IAM_PRINCIPALS):
        return "a device is no principal of IAM; ${iot:Connection.Thing.ThingName} and ${iot:ClientId} name it"
    # These are for the roles of AWS IoT's credentials provider, and name the same things.
    name = name.replace("credentials-iot:", _THING)
    known = [*VARIABLES, *REQUEST_KEYS]
    return nearest(_SUFFIX.sub("", name), known, otherwise="variables and keys are listed in docs/policy-language.md")


def _uses(statement: WrittenStatement) -> Iterator[tuple[Text, list[VariableUse], bool]]:
    for resource in statement.resources:
        yield resource, variables_in(resource.text), False
    for condition in statement.conditions:
        for value in condition.values:
            yield value, variables_in(value.text), True


def _is_known(use: VariableUse, text: Text, report: LintReport, *, is_condition: bool) -> bool:
    variable = VARIABLES.get(use.base)
    written = show(f"${{{use.name}}}")
    if use.name in REQUEST_KEYS:
        message = f"{written} is a key for conditions, and fills no place; name the value"
        report.add("unknown-variable", text.pointer, message)
        return False
    if variable is None:
        report.add("unknown-variable", text.pointer, f"there is no variable {written}; {nearest_variable(use.name)}")
        return False
    if use.variable is None:
        mend = "write Attributes[name]" if variable.name.endswith("Attributes") else "write it without .N and .List"
        report.add("variable-form", text.pointer, f"{variable.name} has no form {written}; {mend}")
        return False
    if use.is_list and not is_condition:
        message = f"{written} is a list, for conditions with ForAllValues or ForAnyValue; name one value, as in .1"
        report.add("variable-form", text.pointer, message)
        return False
    return True


def _check_filled_in(use: VariableUse, text: Text, context: LintContext, report: LintReport) -> None:
    for ca in context.cas:
        reason = _why_empty(use, ca)
        if reason is not None:
            report.add(
                "empty-variable", text.pointer, f"${{{use.name}}} has no value for devices of {ca.name}: {reason}"
            )


def _why_empty(use: VariableUse, ca: PolicyCa) -> str | None:
    """Return why AWS IoT fills in nothing for this CA's devices, or None where it may."""
    if use.base.startswith(_THING):
        if ca.thing_name is ThingNameSource.OFF:
            return f"{NO_THING}; use ${{iot:Certificate.Subject.CommonName}}, or set thing_name"
        return None
    if not use.base.startswith(_ISSUER) or ".AlternativeName." in use.base or ca.issuer_fields is None:
        # What is in a device's own certificate is known no sooner than the device, some CAs' no sooner than at deploy.
        return None
    values = ca.issuer_fields.get(use.base.removeprefix(_ISSUER), ())
    place = use.index or 0
    if place >= len(values):
        found = f"only {len(values)} of" if values else "no"
        return f"the CA's subject has {found} {use.base.removeprefix(_ISSUER)}; use a field that it has"
    value = values[place]
    if len(value) > _LONGEST or _NOT_FILLED_IN & set(value):
        return f"AWS IoT does not fill in {show(value)}, with a character of *$+?# or over {_LONGEST:,} characters"
    return None


def _check_attached(statement: WrittenStatement, context: LintContext, report: LintReport) -> None:
    """Report a condition on the Thing that cannot hold for CAs whose devices have none."""
    for condition in statement.conditions:
        for ca in context.cas:
            if ca.thing_name is ThingNameSource.OFF and _needs_thing(condition):
                message = (
                    f"{condition.key} never holds for devices of {ca.name}: {NO_THING}; remove the condition, or set "
                    "thing_name"
                )
                report.add("empty-variable", condition.pointer, message)


def _check_thing(statement: WrittenStatement, report: LintReport) -> None:
    """Report variables of the connection in resources that are only asked for where there is none."""
    known = [action for each in statement.actions if (action := action_named(each.text)) is not None]
    for arn in iot_arns(statement):
        asked = [action for action in known if arn.type in action.resource_types]
        bases = {use.base for use in variables_in(arn.name)}
        empty = [base for base in sorted(bases) if base.startswith(_THING) or base == "iot:ClientId"]
        if not asked or not empty or any(action.knows_thing for action in asked):
            continue
        message = (
            f"${{{empty[0]}}} has no value here: {asked[0].name} is asked for over HTTPS, without a connection; "
            f"{_instead(arn, asked[0].name)}"
        )
        report.add("thing-variable-without-thing", arn.pointer, message)


def _instead(arn: Arn, action: str) -> str:
    certificate = "use ${iot:Certificate.Subject.CommonName} if it is the Thing's name"
    if action.startswith("greengrass:") or arn.type != THING:
        return f"name what is meant, or {certificate}"
    return f"over MQTT it is topic/$aws/things/{arn.name}/…; for HTTPS {certificate}"


def _needs_thing(condition: WrittenCondition) -> bool:
    """Return whether a condition is false without a Thing; some hold just then (IAM's rules on missing keys)."""
    if condition.key == IS_ATTACHED:
        return {value.text.casefold() for value in condition.values} == {"true"}
    holds_without = re.search("Not|Null|IfExists$|^ForAllValues:", condition.operator)
    return condition.key.startswith(_THING) and holds_without is None
