"""The JSON Schema of policy templates, for editors: made of the same lists that the lint checks against."""

from __future__ import annotations

import json
import re
from typing import Any

from jitr.policies.document import VERSION_WITH_VARIABLES, Effect
from jitr_fleet.policies.language.actions import ACTIONS, ANY_RESOURCE, Action
from jitr_fleet.policies.language.variables import ATTRIBUTES, VARIABLES
from jitr_fleet.policies.rules.conditions import KEYS, OPERATORS

_ARN = "arn:@{partition}:iot:@{region}:@{account}:"
_THING = "${iot:Connection.Thing.ThingName}"
# What an editor offers to write.
_RESOURCES = (
    f"{_ARN}client/{_THING}",
    f"{_ARN}topic/devices/{_THING}/*",
    f"{_ARN}topicfilter/devices/{_THING}/*",
    f"{_ARN}topic/$aws/things/{_THING}/shadow/*",
    f"{_ARN}topicfilter/$aws/things/{_THING}/shadow/*",
    f"{_ARN}topic/$aws/things/{_THING}/jobs/*",
    f"{_ARN}topicfilter/$aws/things/{_THING}/jobs/*",
    f"{_ARN}thing/{_THING}",
    f"{_ARN}rolealias/name",
)
# The names that are completed are listed as they are; these are the forms that names and operators have besides.
_OPERATOR_FORMS = f"^((ForAllValues|ForAnyValue):)?({'|'.join(OPERATORS)})(IfExists)?$"
_SEVERAL = "|".join(re.escape(name) for name, variable in VARIABLES.items() if variable.multi_valued)
_KEY_FORMS = rf"^(({_SEVERAL})\.(List|[0-9]+)|{re.escape(ATTRIBUTES)}\[[^\[\]]+\])$"
_VALUE = {"type": ["string", "boolean", "number"]}


def policy_schema() -> dict[str, Any]:
    """Return the schema (draft-07, which every editor knows). It knows nothing of sizes, patterns, deployments."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "jitr policy template: an AWS IoT policy",
        "type": "object",
        "required": ["Version", "Statement"],
        "additionalProperties": False,
        "properties": {
            "Version": {
                "const": VERSION_WITH_VARIABLES,
                "description": "the version of the policy language; only this one has variables",
            },
            "Id": {"type": "string", "description": "a name for the policy; AWS IoT makes nothing of it"},
            "Statement": {
                "description": "what is allowed and denied; whatever no statement allows is denied",
                **_one_or_many({"$ref": "#/definitions/statement"}),
            },
        },
        "definitions": {"statement": _statement(), "keys": _keys()},
    }


def schema_text() -> str:
    """Return the schema as schemas/policy.schema.json holds it."""
    return json.dumps(policy_schema(), indent=2) + "\n"


def _statement() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["Effect", "Action", "Resource"],
        "additionalProperties": False,
        "properties": {
            "Sid": {"type": "string", "description": "a name for the statement, once in the policy"},
            "Effect": {"enum": [each.value for each in Effect], "description": "Deny wins over every Allow"},
            "Action": {"description": "what the statement is about", **_one_or_many(_actions())},
            "Resource": {"description": "on what: ARNs, with * and ? as wildcards", **_one_or_many(_resources())},
            "Condition": _condition(),
        },
    }


def _actions() -> dict[str, Any]:
    # enumDescriptions is what editors show beside a choice; JSON Schema itself has no word for it.
    about = [f"{action.about}; resource {_types(action)}" for action in ACTIONS.values()]
    return {"enum": list(ACTIONS), "enumDescriptions": about}


def _types(action: Action) -> str:
    names = ("*" if each == ANY_RESOURCE else f"{each}/…" for each in action.resource_types)
    return " or ".join(names) or "Greengrass's own"


def _resources() -> dict[str, Any]:
    return {"type": "string", "pattern": r"^(\*|arn:.+:.+:.*:.*:.+)$", "examples": list(_RESOURCES)}


def _condition() -> dict[str, Any]:
    keys = {"$ref": "#/definitions/keys"}
    return {
        "type": "object",
        "description": "what must hold besides: every operator, and every key, for one of the key's values",
        "properties": dict.fromkeys(OPERATORS, keys),
        "patternProperties": {_OPERATOR_FORMS: keys},
        "additionalProperties": False,
    }


def _keys() -> dict[str, Any]:
    values = _one_or_many(_VALUE)
    variables = {name: variable.about for name, variable in VARIABLES.items() if name != ATTRIBUTES}
    return {
        "type": "object",
        "properties": {
            **{name: {"description": about, **values} for name, about in variables.items()},
            **dict.fromkeys(KEYS, values),
        },
        "patternProperties": {_KEY_FORMS: values},
        "additionalProperties": False,
    }


def _one_or_many(one: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}
