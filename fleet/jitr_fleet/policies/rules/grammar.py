"""The grammar of AWS IoT policies: keys, types, Version and Effect; what AWS refuses or reads otherwise than meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from jitr.policies.document import VERSION_WITH_VARIABLES, Effect
from jitr_fleet.files.json_positions import escape
from jitr_fleet.files.tables import did_you_mean, show
from jitr_fleet.policies.language.operators import FOR_ALL
from jitr_fleet.policies.rules.reading.report import LintReport

_DOCUMENT_KEYS = ("Version", "Id", "Statement")
_STATEMENT_KEYS = ("Sid", "Effect", "Action", "Resource", "Condition")
_REQUIRED = ("Effect", "Action", "Resource")
_NEGATED = {
    "NotAction": "NotAction means every action but these, those that AWS adds later too; list the actions in Action",
    "NotResource": "NotResource means everything but these, all other devices' resources too; list what is meant in "
    "Resource",
}
_PRINCIPAL = (
    "AWS IoT documents no {key} in its policies: a policy applies to the certificate it is attached to; remove it"
)


def check_grammar(value: object, report: LintReport) -> None:
    """Report everything that is not the grammar; the other rules go on with whatever is."""
    if not isinstance(value, Mapping):
        kind = _KINDS.get(type(value), "nothing usable")
        report.add("not-an-object", "", f"found {kind}; a policy is an object: {{ … }}")
        return
    _note_keys(value, _DOCUMENT_KEYS, "", report)
    _check_version(value, report)
    _check_statements(value, report)


def _check_version(value: Mapping[str, object], report: LintReport) -> None:
    version = value.get("Version")
    if version == VERSION_WITH_VARIABLES:
        return
    found = f"found {show(version)}" if "Version" in value else "there is no Version"
    report.add("policy-version", "/Version", f'{found}; write "Version": "{VERSION_WITH_VARIABLES}"')


def _check_statements(value: Mapping[str, object], report: LintReport) -> None:
    found = value.get("Statement")
    if "Statement" not in value or found in ([], {}):
        report.add("no-statement", "/Statement", "there is no statement; write at least one, or delete the template")
        return
    sids: dict[str, str] = {}
    statements = found if isinstance(found, list) else [found]
    for index, statement in enumerate(statements):
        pointer = f"/Statement/{index}" if isinstance(found, list) else "/Statement"
        if isinstance(statement, Mapping):
            _check_statement(statement, pointer, sids, report)
        else:
            report.add("wrong-type", pointer, f"found {show(statement)}; a statement is an object: {{ … }}")


def _check_statement(statement: Mapping[str, object], pointer: str, sids: dict[str, str], report: LintReport) -> None:
    _note_keys(statement, _STATEMENT_KEYS, pointer, report)
    replaced = {"Action": "NotAction", "Resource": "NotResource"}
    for key in _REQUIRED:
        if key not in statement and replaced.get(key) not in statement:
            report.add("missing-key", pointer, f"the statement has no {key}; add it")
    _check_effect(statement, pointer, report)
    for key in ("Action", "Resource"):
        if key in statement:
            _check_texts(statement[key], f"{pointer}/{key}", report)
    if "Condition" in statement:
        _check_condition(statement["Condition"], f"{pointer}/Condition", report)
    sid = statement.get("Sid")
    if isinstance(sid, str):
        if sid in sids:
            report.add("duplicate-sid", f"{pointer}/Sid", f"{show(sid)} is the Sid of {sids[sid]} too; rename one")
        sids.setdefault(sid, pointer)
    elif "Sid" in statement:
        report.add("wrong-type", f"{pointer}/Sid", f"found {show(sid)}; a Sid is a text")


def _check_effect(statement: Mapping[str, object], pointer: str, report: LintReport) -> None:
    effect = statement.get("Effect")
    if "Effect" in statement and effect not in tuple(Effect):
        meant = did_you_mean(effect, tuple(Effect)) if isinstance(effect, str) else "write Allow or Deny"
        report.add("unknown-effect", f"{pointer}/Effect", f"found {show(effect)}; {meant}")


def _check_texts(value: object, pointer: str, report: LintReport) -> None:
    if isinstance(value, list) and value:
        for index, item in enumerate(value):
            if not isinstance(item, str) or not item:
                report.add("wrong-type", f"{pointer}/{index}", f"found {show(item)}; a text is expected here")
    elif not isinstance(value, str) or not value:
        report.add("wrong-type", pointer, f"found {show(value)}; a text is expected here, or a list of texts")


def _check_condition(value: object, pointer: str, report: LintReport) -> None:
    if not isinstance(value, Mapping):
        report.add("wrong-type", pointer, f"found {show(value)}; a Condition is an object of operators")
        return
    for operator, keys in value.items():
        place = f"{pointer}/{escape(operator)}"
        if not isinstance(keys, Mapping):
            report.add("wrong-type", place, f"found {show(keys)}; an operator holds an object of keys and values")
            continue
        for key, found in keys.items():
            _check_condition_values(operator, found, f"{place}/{escape(key)}", report)


def _check_condition_values(operator: str, found: object, pointer: str, report: LintReport) -> None:
    listed = found if isinstance(found, list) else [found]
    # An empty list means none at all, which is documented for ForAllValues (developer guide, connect-policy).
    is_empty = not listed and not operator.startswith(FOR_ALL)
    if is_empty or not all(isinstance(each, (str, int, float)) for each in listed):
        report.add("wrong-type", pointer, f"found {show(found)}; a text is expected here, or a list of texts")


def _note_keys(table: Mapping[str, object], known: Collection[str], pointer: str, report: LintReport) -> None:
    for key in table:
        place = f"{pointer}/{escape(key)}"
        if key in _NEGATED:
            report.add("negated-element", place, _NEGATED[key])
        elif key in ("Principal", "NotPrincipal"):
            report.add("principal", place, _PRINCIPAL.format(key=key))
        elif key not in known:
            report.add("unknown-key", place, f"unknown key {show(key)}; {did_you_mean(key, known)}")


_KINDS = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "a word", type(None): "null"}
