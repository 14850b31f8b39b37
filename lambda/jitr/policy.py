"""The AWS IoT policy that a device gets: a template rendered with deployment values.

Templates are plain AWS IoT policies. AWS's own variables (`${iot:…}`) stay as they are. Deployment values are written
`@{account}`, `@{region}` and `@{partition}`: neither `${` nor `{{`, so that no other tool on the way replaces them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from jitr.errors import Reason, Undecided

# AWS IoT counts characters without white space (API reference, CreatePolicy).
MAXIMUM_CHARACTERS = 2048
DEPLOYMENT_VALUES = ("account", "partition", "region")
_VALUE = re.compile(r"@\{([^}]*)\}")


class PolicyError(ValueError):
    """A template that is no usable policy; the message names what is wrong, `line` where, if that is known."""

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def render_policy(template: str, values: Mapping[str, str]) -> str:
    """Return the policy document, compact, with every `@{…}` replaced by its value.

    Not checked: actions, resources, conditions (`jitr policy lint` is for that). Raises PolicyError for text that is
    no JSON object, an unknown value, or more than 2,048 characters without white space.
    """
    document = _parse(template)
    unknown = sorted({name for name in _VALUE.findall(template) if name not in DEPLOYMENT_VALUES})
    if unknown:
        allowed = ", ".join(f"@{{{name}}}" for name in DEPLOYMENT_VALUES)
        raise PolicyError(f"unknown value @{{{unknown[0]}}}; there are {allowed}", line=_line_of(template, unknown[0]))
    rendered = json.dumps(_replaced(document, values), separators=(",", ":"), ensure_ascii=False)
    characters = len(re.sub(r"\s", "", rendered))
    if characters > MAXIMUM_CHARACTERS:
        raise PolicyError(f"{characters} characters without white space; AWS IoT allows {MAXIMUM_CHARACTERS}")
    return rendered


def policy_document(template: str, values: Mapping[str, str]) -> str:
    """Render for use in an activation: the same, but an unusable template is Undecided (`policy_unusable`)."""
    try:
        return render_policy(template, values)
    except PolicyError as error:
        raise Undecided(Reason.POLICY_UNUSABLE, f"the policy template cannot be used: {error}") from error


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


def _replaced(node: object, values: Mapping[str, str]) -> object:
    if isinstance(node, str):
        return _VALUE.sub(lambda match: values[match.group(1)], node)
    if isinstance(node, list):
        return [_replaced(item, values) for item in node]
    if isinstance(node, dict):
        return {key: _replaced(item, values) for key, item in node.items()}
    return node


def _line_of(template: str, value: str) -> int:
    return template[: template.index(f"@{{{value}}}")].count("\n") + 1
