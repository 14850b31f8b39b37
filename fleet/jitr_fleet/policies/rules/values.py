"""The template's own notation `@{…}`: which values there are, what one policy per device costs, and the size."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from jitr.policies.template import MAXIMUM_CHARACTERS
from jitr.policies.values import DEPLOYMENT_VALUES, DEVICE_VALUES, longest_device_values
from jitr.settings import ThingNameSource
from jitr_fleet.files.tables import did_you_mean, show
from jitr_fleet.policies.context import LintContext
from jitr_fleet.policies.rules.reading.report import LintReport
from jitr_fleet.policies.rules.reading.written import Text, all_texts
from jitr_fleet.policies.rules.variables import NO_THING

# The longest names there are: Regions such as ap-southeast-1, cn-northwest-1, eusc-de-east-1.
LONGEST_DEPLOYMENT_VALUES: Mapping[str, str] = {
    "account": "0" * 12,
    "partition": "aws-us-gov",
    "region": "ap-southeast-1",
}
_OPEN = re.compile(r"@\{([^}]*)(\}?)")
_SPACE = re.compile(r"\s")
_NAMES = (*DEPLOYMENT_VALUES, *DEVICE_VALUES)


def check_values(value: object, context: LintContext, report: LintReport) -> None:
    """Report unknown and misplaced values, device values once each, and a policy that could become too long."""
    places: dict[str, str] = {}
    for text in all_texts(value):
        _check_text(text, places, report)
    for name, pointer in places.items():
        report.add(
            "device-value",
            pointer,
            f"@{{{name}}} makes one policy per device: one more of AWS IoT's limited calls (CreatePolicy) per "
            "activation, and an edit reaches new devices only; prefer a variable of AWS IoT's, ${…}",
        )
        if name == "device.thing_name":
            _check_things(pointer, context, report)
    _check_size(value, context, report)


def characters(value: object, values: Mapping[str, str]) -> int:
    """Return the size of a policy as AWS IoT counts it: compact, without any white space, `@{…}` replaced."""
    rendered = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for name, text in values.items():
        rendered = rendered.replace(f"@{{{name}}}", text)
    return len(_SPACE.sub("", rendered))


def _check_text(text: Text, places: dict[str, str], report: LintReport) -> None:
    for match in _OPEN.finditer(text.text):
        name, closing = match.groups()
        if not closing:
            report.add("unknown-value", text.pointer, f"{show(match.group())} is never closed; add }}")
        elif name not in _NAMES:
            near = did_you_mean(name, _NAMES)
            report.add("unknown-value", text.pointer, f"unknown value {show(match.group())}; {near}")
        elif text.is_key:
            report.add("unknown-value", text.pointer, f"{match.group()} is not filled in in a key; use it in a value")
        elif name in DEVICE_VALUES:
            places.setdefault(name, text.pointer)


def _check_things(pointer: str, context: LintContext, report: LintReport) -> None:
    for ca in context.cas:
        if ca.thing_name is ThingNameSource.OFF:
            message = f"@{{device.thing_name}} has no value for devices of {ca.name}: {NO_THING}; use another value"
            report.add("empty-variable", pointer, message)


def _check_size(value: object, context: LintContext, report: LintReport) -> None:
    values = {**longest_device_values(), **LONGEST_DEPLOYMENT_VALUES, **context.deployment_values()}
    size = characters(value, values)
    if size > MAXIMUM_CHARACTERS:
        message = (
            f"{size:,} characters without white space, with the longest values filled in; AWS IoT allows "
            f"{MAXIMUM_CHARACTERS:,}: shorten Sids, join statements, use a wildcard where it allows nothing more"
        )
        report.add("too-long", "", message)
