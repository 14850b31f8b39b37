"""The AWS IoT policy that a device gets: a template rendered with deployment values and, if it asks, device values.

Templates are plain AWS IoT policies. AWS's own variables (`${iot:…}`) stay as they are. Deployment values are written
`@{account}`, `@{region}` and `@{partition}`, device values `@{device.…}`: neither `${` nor `{{`, so that no other tool
on the way replaces them. A template with a device value means one policy for each device.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from jitr.policies.values import DEPLOYMENT_VALUES, DEVICE_VALUES, DeviceValueError, PolicyError

# AWS IoT counts characters without white space (API reference, CreatePolicy).
MAXIMUM_CHARACTERS = 2048

_VALUE = re.compile(r"@\{([^{}]*)\}")

_OPENING = "@{"

# A policy needs five levels; a document deeper than this is nobody's policy, and would take too much of the stack.
_MAXIMUM_DEPTH = 50


def render_policy(template: str, values: Mapping[str, str]) -> str:
    """Return the policy document, compact, with every `@{…}` replaced by its value.

    `values` holds the deployment values by name and, for a template that asks for them, device values by their full
    name (`device.serial`). Not checked: actions, resources, conditions (`jitr policy lint` is for that). Raises
    DeviceValueError for a device value that its pattern refuses, PolicyError for text that is no JSON object, an
    unknown or missing value, or more than 2,048 characters without white space.
    """
    document = _parse(template)
    for name in _values_in(template, document):
        _verify_value(name, values, template)
    rendered = json.dumps(_replaced(document, values), separators=(",", ":"), ensure_ascii=False)
    characters = len(re.sub(r"\s", "", rendered))
    if characters > MAXIMUM_CHARACTERS:
        raise PolicyError(f"{characters} characters without white space; AWS IoT allows {MAXIMUM_CHARACTERS}")
    return rendered


@lru_cache(maxsize=64)  # asked for each device, of the few templates of a deployment
def device_values_in(template: str) -> frozenset[str]:
    """Return the full names of the device values that a template asks for; raises PolicyError as `render_policy`."""
    return frozenset(name for name in _values_in(template, _parse(template)) if name in DEVICE_VALUES)


def uses_device_values(template: str) -> bool:
    """Return whether each device gets a policy of its own; raises PolicyError as `render_policy` does."""
    return bool(device_values_in(template))


def _parse(template: str) -> dict[str, object]:
    try:
        document = json.loads(template)
    except json.JSONDecodeError as error:
        raise PolicyError(f"no JSON: {error.msg} in column {error.colno}", line=error.lineno) from error
    except RecursionError as error:
        raise PolicyError("no usable JSON: nested too deeply") from error
    if not isinstance(document, dict):
        raise PolicyError("a policy is a JSON object", line=1)
    return document


def _strings(node: object, depth: int = 0) -> Iterator[tuple[str, bool]]:
    """Yield every text of a JSON value, and whether it is a key."""
    if depth > _MAXIMUM_DEPTH:
        raise PolicyError("no usable JSON: nested too deeply")
    if isinstance(node, str):
        yield node, False
    elif isinstance(node, list):
        for item in node:
            yield from _strings(item, depth + 1)
    elif isinstance(node, dict):
        for key, item in node.items():
            yield key, True
            yield from _strings(item, depth + 1)


def _values_in(template: str, document: dict[str, object]) -> list[str]:
    """Return the names in `@{…}`, in their order; raises PolicyError for one that is unknown or out of place."""
    names: list[str] = []
    for text, is_key in _strings(document):
        found = _VALUE.findall(text)
        if _OPENING in _VALUE.sub("", text):
            raise PolicyError("@{ without a } behind it", line=_line_of(template, _OPENING))
        for name in found:
            line = _line_of(template, f"@{{{name}}}")
            if name not in DEPLOYMENT_VALUES and name not in DEVICE_VALUES:
                allowed = ", ".join(f"@{{{each}}}" for each in (*DEPLOYMENT_VALUES, *DEVICE_VALUES))
                raise PolicyError(f"unknown value @{{{name}}}; there are {allowed}", line=line)
            if is_key:
                raise PolicyError(f"@{{{name}}} in the name of a key is not replaced", line=line)
        names.extend(found)
    return names


def _verify_value(name: str, values: Mapping[str, str], template: str) -> None:
    if name not in values:
        raise PolicyError(f"there is no value for @{{{name}}}", line=_line_of(template, f"@{{{name}}}"))
    device = DEVICE_VALUES.get(name)
    if device is not None and not device.pattern.fullmatch(values[name]):
        length = len(values[name])
        raise DeviceValueError(f"@{{{name}}} ({length} characters) cannot be filled in; allowed: {device.about}")


def _replaced(node: object, values: Mapping[str, str]) -> object:
    if isinstance(node, str):
        return _VALUE.sub(lambda match: values[match.group(1)], node)
    if isinstance(node, list):
        return [_replaced(item, values) for item in node]
    if isinstance(node, dict):
        return {key: _replaced(item, values) for key, item in node.items()}
    return node


def _line_of(template: str, text: str) -> int | None:
    """Return the line of a text's first appearance; None where JSON's escapes hide it."""
    at = template.find(text)
    return None if at < 0 else template[:at].count("\n") + 1
