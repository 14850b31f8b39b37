"""Actions: that they exist, are a device's to have, and are spelled out."""

from __future__ import annotations

from jitr_fleet.files.tables import show
from jitr_fleet.policies.language.actions import ACTIONS, FORMER_NAMES, SERVICES
from jitr_fleet.policies.language.control_plane import is_control_plane
from jitr_fleet.policies.rules.reading.report import LintReport, nearest
from jitr_fleet.policies.rules.reading.written import Text, WrittenStatement

_FOLDED = {name.casefold(): name for name in ACTIONS}


def check_actions(statements: tuple[WrittenStatement, ...], report: LintReport) -> None:
    """Report each action that is no plain name of ACTIONS."""
    for statement in statements:
        for action in statement.actions:
            _check_action(action, report)


def _check_action(action: Text, report: LintReport) -> None:
    name = action.text
    if not name or name in ACTIONS:
        return
    if "${" in name or "@{" in name:
        report.add(
            "value-in-action", action.pointer, f"{show(name)}: nothing is filled in in an action; name the action"
        )
    elif "*" in name or "?" in name:
        report.add(
            "wildcard-action", action.pointer, f"{show(name)} holds a wildcard; name each action that devices need"
        )
    elif name in FORMER_NAMES:
        report.add("former-action", action.pointer, f"{name} is documented as {FORMER_NAMES[name]}; write that")
    elif name.casefold() in _FOLDED:
        right = _FOLDED[name.casefold()]
        report.add("unknown-action", action.pointer, f"{show(name)} is spelled {right}; write it so")
    elif is_control_plane(name):
        message = f"{show(name)} belongs to the control plane, for IAM roles and not for devices; remove it"
        report.add("control-plane-action", action.pointer, message)
    else:
        _report_unknown(action, report)


def _report_unknown(action: Text, report: LintReport) -> None:
    service, colon, _ = action.text.partition(":")
    if colon and service not in SERVICES:
        message = f"{show(action.text)} is an action of another service; AWS IoT's policies know {', '.join(SERVICES)}"
        report.add("control-plane-action", action.pointer, f"{message}: use a role alias, or remove it")
        return
    name = action.text if colon else f"iot:{action.text}"
    meant = nearest(name, ACTIONS, otherwise="the actions are listed in docs/policy-language.md")
    report.add("unknown-action", action.pointer, f"there is no action {show(action.text)}; {meant}")
