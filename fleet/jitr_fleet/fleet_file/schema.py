"""The JSON Schema of the fleet file, for editors: made of the same keys that reading checks against."""

from __future__ import annotations

import json
from typing import Any

from jitr_fleet.deployments.names import DEPLOYMENT_NAME
from jitr_fleet.files.schema import table_schema
from jitr_fleet.fleet_file.ca_keys import CA_KEYS
from jitr_fleet.fleet_file.deployment_keys import DEPLOYMENT_KEYS


def fleet_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12). It knows nothing of other files, duplicates or expiry."""
    deployment = table_schema(DEPLOYMENT_KEYS)
    deployment["properties"]["cas"] = {
        "type": "array",
        "description": "certificate authorities whose devices this deployment activates",
        "items": table_schema(CA_KEYS),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "jitr fleet file",
        "type": "object",
        "required": ["deployments"],
        "additionalProperties": False,
        "properties": {
            "deployments": {
                "type": "object",
                "description": "one stack each, by name",
                "minProperties": 1,
                "propertyNames": {"pattern": f"^{DEPLOYMENT_NAME}$"},
                "additionalProperties": deployment,
            }
        },
    }


def schema_text() -> str:
    """Return the schema as schemas/fleet.schema.json holds it."""
    return json.dumps(fleet_schema(), indent=2) + "\n"
