"""The descriptions of AWS services in the bundle: smaller, and for every request and answer the same."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.loaders import Loader
from botocore.regions import EndpointResolver
from botocore.session import Session

from jitr_infra.functions.bundle import SERVICES
from jitr_infra.functions.service_models import reduce_service_models

SHIPPED = Path(botocore.__file__).parent / "data"
REGIONS = ("us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1")
UNWANTED = "sns"


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Botocore's data folder with our services and one other, after the reduction."""
    folder = tmp_path_factory.mktemp("models") / "data"
    for name in (*SERVICES, UNWANTED):
        shutil.copytree(SHIPPED / name, folder / name)
    for file in SHIPPED.glob("*.json"):
        shutil.copy(file, folder)
    reduce_service_models(folder, SERVICES)
    return folder


def shipped_files(service: str) -> dict[str, Any]:
    """Return what botocore ships for a service, by version and name, without examples."""
    found = {}
    for file in (SHIPPED / service).rglob("*.json*"):
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        found[str(file.relative_to(SHIPPED / service)).removesuffix(".gz")] = json.loads(data)
    return {name: content for name, content in found.items() if not name.endswith("examples-1.json")}


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Return where two JSON values differ, key by key."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            found
            for key in sorted({*one, *other})
            for found in differences(one.get(key, KeyError), other.get(key, KeyError), f"{path}/{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            found
            for index, (left, right) in enumerate(zip(one, other, strict=True))
            for found in differences(left, right, f"{path}/{index}")
        ]
    return [] if one == other else [path]


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_nothing_but_prose_is_missing_from_a_model(reduced: Path, service: str) -> None:
    """Every operation, shape, rule and paginator is there; what differs is called documentation and was a text."""
    ours = {
        str(file.relative_to(reduced / service)): json.loads(file.read_text(encoding="utf-8"))
        for file in (reduced / service).rglob("*.json")
    }
    shipped = shipped_files(service)
    assert ours.keys() == shipped.keys()
    lost = [path for name in shipped for path in differences(shipped[name], ours[name], name)]
    assert lost
    assert {path.rpartition("/")[2] for path in lost} == {"documentation"}


def test_other_services_examples_and_packed_files_are_gone(reduced: Path) -> None:
    """A packed file's bytes would depend on the computer that packed it."""
    assert {path.name for path in reduced.iterdir() if path.is_dir()} == SERVICES
    assert list(reduced.rglob("*.gz")) == list(reduced.rglob("examples-1.json")) == []


@pytest.mark.parametrize("service", sorted(SERVICES))
@pytest.mark.parametrize("region", REGIONS)
def test_endpoints_are_those_that_botocore_knows(reduced: Path, service: str, region: str) -> None:
    """Host name, signing Region and protocols alike, in every partition."""
    full, ours = (
        EndpointResolver(json.loads((folder / "endpoints.json").read_text(encoding="utf-8")))
        for folder in (SHIPPED, reduced)
    )
    assert ours.construct_endpoint(service, region) == full.construct_endpoint(service, region)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_client_is_made_from_the_reduced_models_alone(reduced: Path, service: str) -> None:
    """With the same methods and the same endpoint as from the whole ones."""
    clients = []
    for folder in (SHIPPED, reduced):
        session = Session()
        session.register_component(
            "data_loader", Loader(extra_search_paths=[str(folder)], include_default_search_paths=False)
        )
        clients.append(
            session.create_client(
                service, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test"
            )
        )
    full, ours = clients
    assert dir(ours) == dir(full)
    assert ours.meta.endpoint_url == full.meta.endpoint_url
