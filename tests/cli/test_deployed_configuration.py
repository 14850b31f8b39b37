"""What a deployment runs with, read out of the function's bundle: the right file, little of the rest, no secrets."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import pytest

from jitr.settings import PRIVATE_CAS_VARIABLE, Configuration, ManagedCa
from jitr_cli.console.deployed_configuration import as_served, deployed_configuration, read_configuration
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from tests.cli.worlds.bundle_server import BundleServer, bundle_of, bundle_server

CA = ManagedCa(name="factory-1", ca_certificate_id="a" * 64, certificate="", crl="none", policy="default")
CONFIGURATION = Configuration(deployment="test", cas=(CA,), policies={"default": "{}"})


def read(server: BundleServer) -> Configuration:
    """Read the configuration."""
    return read_configuration(server.address, of="jitr-test-Activate")[0]


def test_the_configuration_is_the_one_in_the_bundle() -> None:
    """And of its megabytes only the end is fetched."""
    with bundle_server() as server:
        server.data = bundle_of(CONFIGURATION)
        assert read(server) == CONFIGURATION
        assert sum(server.sent) < len(server.data) / 3


def test_a_server_without_ranges_will_do() -> None:
    """It sends the bundle once, and it is kept."""
    with bundle_server(ranges=False) as server:
        server.data = bundle_of(CONFIGURATION)
        assert read(server) == CONFIGURATION
        assert server.sent == [len(server.data)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive",
        bundle_of(CONFIGURATION)[:-100],
        bundle_of(CONFIGURATION).replace(b"jitr-configuration", b"some-configuration"),
        bundle_of(CONFIGURATION, wheels=0).replace(b'"policies"', b'"policier"'),
    ],
    ids=["nothing", "no archive", "cut off", "without configuration", "of another version"],
)
def test_a_bundle_that_tells_nothing_is_said_to_be_unreadable(data: bytes) -> None:
    """69, and nobody takes it for a deployment without CAs."""
    with bundle_server() as server:
        server.data = data
        with pytest.raises(CommandFailed) as caught:
            read(server)
    assert caught.value.exit_code is ExitCode.AWS


@pytest.mark.parametrize("status", [403, 404, 500])
def test_the_signed_address_is_repeated_nowhere(status: int) -> None:
    """Whoever reads the message could fetch the code with it."""
    with bundle_server() as server:
        server.data, server.status = bundle_of(CONFIGURATION), status
        with pytest.raises(CommandFailed) as caught:
            read(server)
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "file:///etc/passwd", "ftp://example.com/x"])
def test_only_http_addresses_are_asked(address: str) -> None:
    """Nothing else is an address of AWS Lambda's."""
    with pytest.raises(CommandFailed, match="no address"):
        read_configuration(address, of="jitr-test-Activate")


def test_compressed_bundles_are_read_too() -> None:
    """As the CDK makes them."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("jitr-configuration.json", CONFIGURATION.to_json())
    with bundle_server() as server:
        server.data = file.getvalue()
        assert read(server) == CONFIGURATION


@pytest.mark.parametrize(
    ("endpoint_url", "address"),
    [
        ("https://127.0.0.1:4566", "https://localhost:4566/code?X-Amz-Signature=secret"),
        ("http://127.0.0.1:4566", "http://localhost:4566/code?X-Amz-Signature=secret"),
        ("https://127.0.0.1:9999", "http://localhost:4566/code?X-Amz-Signature=secret"),
        ("https://vpce.example.com", "http://localhost:4566/code?X-Amz-Signature=secret"),
        (None, "http://localhost:4566/code?X-Amz-Signature=secret"),
    ],
)
def test_an_endpoint_behind_tls_gives_out_its_bundles_behind_tls(endpoint_url: str | None, address: str) -> None:
    """Whatever scheme an emulator writes; another server's address is left alone."""
    assert as_served("http://localhost:4566/code?X-Amz-Signature=secret", endpoint_url) == address


def deployed(server: BundleServer, **variables: str) -> Configuration:
    """Read the configuration of a function with these environment variables."""
    answer = {"Code": {"Location": server.address}, "Configuration": {"Environment": {"Variables": variables}}}
    client = SimpleNamespace(get_function=lambda **_: answer)
    aws = SimpleNamespace(client=lambda _service: client, endpoint_url=None)
    return deployed_configuration(aws, SimpleNamespace(function="jitr-test-Activate"))  # type: ignore[arg-type]


def test_what_only_the_deploy_knew_comes_from_the_environment() -> None:
    """As for the function itself: a CA in AWS Private CA has no id in the bundle."""
    waiting = replace(CONFIGURATION, cas=(replace(CA, ca_certificate_id="", crl="", known_at_deploy=True),))
    findings = json.dumps({"factory-1": {"id": "b" * 64, "crl": "cdp"}})
    with bundle_server() as server:
        server.data = bundle_of(waiting)
        (found,) = deployed(server, **{PRIVATE_CAS_VARIABLE: findings}).cas
        assert (found.ca_certificate_id, found.crl) == ("b" * 64, "cdp")
        with pytest.raises(CommandFailed, match="does not know all its CAs: deploy again"):
            deployed(server)
