"""botocore's descriptions of AWS services, cut down to what a function reads at a cold start.

botocore reads them anew in every container, texts for readers and the endpoints of four hundred services included; that
is a fifth of a cold start. What goes changes no request and no answer: the models of services that no function calls,
prose, examples, and the endpoint lists of services without a model. What stays is compact JSON, not gzip, whose bytes
depend on the computer that compresses.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Set
from pathlib import Path
from typing import Any

_MODEL = "service-2.json"
_PROSE = "documentation"
# The one part of a model whose prose botocore asks for by name.
_PROSE_READ = frozenset({"clientContextParams"})
_ENDPOINTS = "endpoints.json"


def reduce_service_models(data: Path, services: Set[str]) -> None:
    """Leave in botocore's (or boto3's) folder `data` what clients of `services` need, and no gzip.

    Not checked: that a service's model is there; a client that is made without one says so (UnknownServiceError).
    """
    for folder in (path for path in data.iterdir() if path.is_dir()):
        if folder.name not in services:
            shutil.rmtree(folder)
    for examples in data.glob("*/*/examples-1.json"):
        examples.unlink()
    for packed in data.glob("*/*/*.json.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    for file in data.glob("*/*/*.json"):
        content = _read(file)
        if file.name == _MODEL:
            content = {key: part if key in _PROSE_READ else _without_prose(part) for key, part in content.items()}
        _write(file, content)
    endpoints = data / _ENDPOINTS
    if endpoints.exists():
        _write(endpoints, _endpoints_of(_read(endpoints), services))


def _read(file: Path) -> Any:  # noqa: ANN401 - whatever JSON holds
    return json.loads(file.read_text(encoding="utf-8"))


def _write(file: Path, content: Any) -> None:  # noqa: ANN401 - whatever JSON holds
    file.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def _without_prose(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Leave out every text for readers; a shape's member that is called like it is no text, and stays."""
    match value:
        case dict():
            return {
                key: _without_prose(inner)
                for key, inner in value.items()
                if not (key == _PROSE and isinstance(inner, str))
            }
        case list():
            return [_without_prose(inner) for inner in value]
        case _:
            return value


def _endpoints_of(endpoints: dict[str, Any], services: Set[str]) -> dict[str, Any]:
    """Keep every partition and Region, and the lists of these services; their names are those of the models here."""
    partitions = [
        {**each, "services": {name: found for name, found in each["services"].items() if name in services}}
        for each in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}
