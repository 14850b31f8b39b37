"""Whether a deployment's Region exists; without this CDK and AWS would say so in their own, much later words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jitr_fleet.deployments.regions import known_regions
from jitr_fleet.files.mistakes import Mistakes
from jitr_fleet.files.tables import did_you_mean


def note_region(values: Mapping[str, Any], *, path: str, mistakes: Mistakes) -> None:
    """Note a Region that the installed boto3 does not know, unless the file says that it is a new one."""
    region, known = values.get("region"), known_regions()
    if region is None or not known or region in known or values.get("new_region"):
        return
    near, _, _ = did_you_mean(region, known).rpartition(" allowed: ")
    words = "expected: a Region that the installed boto3 knows, or new_region = true for one that is newer"
    mistakes.add(f"{path}.region", f'found "{region}", which is no AWS Region', f"{near} {words}".strip())
