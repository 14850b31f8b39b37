"""The JSON Schema of policy templates, for editors: made of the same lists that the lint checks against."""

from __future__ import annotations

import json
import re
from typing import Any

from jitr.policies.document import VERSION_WITH_VARIABLES, Effect
from jitr_fleet.policies.language.actions import ACTIONS, FORMER_NAMES, IOT_TYPES
from jitr_fleet.policies.language.keys import CONNECT_ATTRIBUTES, REQUEST_KEYS
from jitr_fleet.policies.language.operators import COMMON_SETS, NULL, OPERATORS
from jitr_fleet.policies.language.variables import ATTRIBUTES, AVAILABLE_KEYS, VARIABLES

_ARN = "arn:@{partition}:iot:@{region}:@{account}:"
_THING = "${iot:Connection.Thing.ThingName}"
_COMMON_NAME = "${iot:Certificate.Subject.CommonName}"
# What an editor offers to write. Over HTTPS there is no Thing, so its own is named after the certificate there.
_RESOURCES = (
    "*",
    f"{_ARN}client/{_THING}",
    f"{_ARN}topic/devices/{_THING}/*",
    f"{_ARN}topicfilter/devices/{_THING}/*",
    f"{_ARN}topic/$aws/things/{_THING}/shadow/*",
    f"{_ARN}topicfilter/$aws/things/{_THING}/shadow/*",
    f"{_ARN}topic/$aws/things/{_THING}/jobs/*",
    f"{_ARN}topicfilter/$aws/things/{_THING}/jobs/*",
    f"{_ARN}topic/$aws/commands/things/{_THING}/executions/*",
    f"{_ARN}thing/{_COMMON_NAME}",
    f"{_ARN}rolealias/name",
    # Each variable once, as it stands in a resource.
    *(
        f"{_ARN}topic/devices/${{{f'{name}[name]' if name == ATTRIBUTES else name}}}/*"
        for name in VARIABLES
        if name != AVAILABLE_KEYS and not name.endswith("IsAttached")
    ),
)
# `*`, an ARN of AWS IoT with a type and a name, or one of Greengrass.
_RESOURCE = rf"^(\*|arn:[^:]+:iot:[^:]+:[^:]+:({'|'.join(IOT_TYPES)})/.+|arn:[^:]+:greengrass:.*:.*:.+)$"
_KEYED = "|".join(name for name in OPERATORS if name != NULL)
# The names that are completed are listed as they are; these are the forms that names and operators have besides.
_OPERATOR_FORMS = f"^((ForAllValues:)?({_KEYED})(IfExists)?|ForAnyValue:({_KEYED}))$"
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
        "definitions": {
            "statement": _statement(),
            "keys": _keys(of_sets=False),
            "keys_of_sets": _keys(of_sets=True),
            "all_keys": _all_keys(),
        },
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
    about = [f"{action.about}; resource {action.types_in_words}" for action in ACTIONS.values()]
    former = [
        f"the former name of {name}, of which AWS no longer says whether it works" for name in FORMER_NAMES.values()
    ]
    return {"enum": [*ACTIONS, *FORMER_NAMES], "enumDescriptions": about + former}


def _resources() -> dict[str, Any]:
    return {"type": "string", "pattern": _RESOURCE, "examples": list(_RESOURCES)}


def _condition() -> dict[str, Any]:
    keys, sets = {"$ref": "#/definitions/keys"}, {"$ref": "#/definitions/keys_of_sets"}
    return {
        "type": "object",
        "description": "what must hold besides: every operator, and every key, for one of the key's values",
        "properties": {**dict.fromkeys(OPERATORS, keys), **dict.fromkeys(COMMON_SETS, sets)},
        "patternProperties": {_OPERATOR_FORMS: {"$ref": "#/definitions/all_keys"}},
        "additionalProperties": False,
    }


def _keys(*, of_sets: bool) -> dict[str, Any]:
    """Return the keys that are completed: for operators over several values those that have several."""
    values = _several_values() if of_sets else _one_or_many(_VALUE)
    several = [name for name, variable in VARIABLES.items() if variable.multi_valued]
    if of_sets:
        about = {f"{name}.List": f"all values: {VARIABLES[name].about}" for name in several if name != AVAILABLE_KEYS}
        about |= {AVAILABLE_KEYS: VARIABLES[AVAILABLE_KEYS].about}
        about |= {CONNECT_ATTRIBUTES: REQUEST_KEYS[CONNECT_ATTRIBUTES].about}
    else:
        about = {name: each.about for name, each in VARIABLES.items() if name not in (ATTRIBUTES, AVAILABLE_KEYS)}
        about |= {name: each.about for name, each in REQUEST_KEYS.items() if not each.multi_valued}
    return {
        "type": "object",
        "properties": {name: {"description": words, **values} for name, words in about.items()},
    }


def _all_keys() -> dict[str, Any]:
    """Return every key there is, which is what is checked; what is completed is in `keys` and `keys_of_sets`."""
    names = [name for name in (*VARIABLES, *REQUEST_KEYS) if name != ATTRIBUTES]
    known = "|".join(re.escape(name) for name in names)
    return {
        "type": "object",
        "patternProperties": {f"^({known})$": _several_values(), _KEY_FORMS: _several_values()},
        "additionalProperties": False,
    }


def _several_values() -> dict[str, Any]:
    """Return one value or a list, which may be empty: AWS IoT documents that for ForAllValues."""
    return {"anyOf": [_VALUE, {"type": "array", "items": _VALUE}]}


def _one_or_many(one: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}
