"""Which Regions there are, as the installed boto3 knows them: a Region that is misspelt is found before a deploy."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path


@cache
def known_regions() -> Mapping[str, str]:
    """Return every AWS Region with its partition; empty where botocore's list cannot be found.

    Read from botocore's data without importing it, which would cost more than all else that reading a fleet file does.
    Not checked: that AWS IoT Core, AWS Private CA or the account's own settings offer the Region.
    """
    found = importlib.util.find_spec("botocore")
    folders = [] if found is None else found.submodule_search_locations or []
    for folder in folders:
        file = Path(folder) / "data" / "endpoints.json"
        if file.is_file():
            partitions = json.loads(file.read_bytes())["partitions"]
            return {region: each["partition"] for each in partitions for region in each["regions"]}
    return {}
