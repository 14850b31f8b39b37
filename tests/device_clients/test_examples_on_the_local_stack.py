"""The programs of examples/devices against the local stack: its CAs in both modes, TLS 1.2 and TLS 1.3 alone.

Run by `make device-clients`, which installs the clients.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from jitr_fleet.deployments.deployment import Ingestion
from jitr_local import pki
from jitr_local.clients.programs import CLIENTS, Client, command, environment, version
from jitr_local.clients.watched_port import Agreed, watched_port
from jitr_local.stack.local_stack import Instance, LocalStack
from jitr_local.story.factory import Factory, MadeDevice

pytestmark = pytest.mark.e2e

OURS = [each for each in CLIENTS if each.assisted is not None]
MODES = ("SNI_ONLY", "DEFAULT")
# Enough for cold functions of several devices at once.
WITHIN = 90.0
AT_ONCE = 2


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a program ended, what it printed, and what each of its connections agreed on."""

    exit_code: int | None
    printed: str
    agreed: list[Agreed]
    status: str


@pytest.fixture(scope="module", params=["1.2", "1.3"])
def tls(request: pytest.FixtureRequest) -> str:
    """The one version that the endpoint speaks."""
    return str(request.param)


@pytest.fixture(scope="module")
def ended(tls: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Ended]]:
    """How each program ended as a device of each CA, by program and mode."""
    folder = tmp_path_factory.mktemp("clients")
    factories = {mode: Factory.open(f"factory-{mode}", folder / "devices") for mode in MODES}
    # With a queue two processes serve all devices; without, each event would start one of its own.
    stack = LocalStack(folder / "stack", Ingestion.QUEUE, tls=tls)
    try:
        instance = stack.start(cas=[factories["SNI_ONLY"].ca])
        register_by_verification(instance, factories["DEFAULT"])
        for factory in factories.values():
            factory.publish_crl(instance)
        pairs = [(client, mode) for client in OURS for mode in MODES]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            runs = pool.map(lambda each: run(instance, each[0], factories[each[1]], tls), pairs)
            yield {(client.name, mode): ran for (client, mode), ran in zip(pairs, runs, strict=True)}
    finally:
        stack.stop()


def register_by_verification(instance: Instance, factory: Factory) -> None:
    """Register a CA in DEFAULT mode, as AWS asks for: with a certificate for the account's registration code."""
    iot = instance.client("iot")
    code = iot.get_registration_code()["registrationCode"]
    iot.register_ca_certificate(
        caCertificate=pki.pem(factory.authority.certificate),
        verificationCertificate=pki.pem(factory.authority.issue(code).certificate),
        setAsActive=True,
        allowAutoRegistration=True,
    )
    adopt = ["jitr", "ca", "adopt", "--ca-certificate-id", factory.authority.ca_certificate_id]
    crl = f"s3://{instance.crl_bucket}/{factory.crl_key}"
    factory.publish_crl(instance)
    done = subprocess.run(
        [*adopt, "--crl", crl, "--yes"],
        env=environment(instance.shell_variables()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def run(instance: Instance, client: Client, factory: Factory, tls: str) -> Ended:
    """Run one program as a new device until it has delivered its message."""
    program = client.assisted
    assert program is not None
    device = factory.make(f"{program.parent.name}-{factory.name.lower().replace('_', '-')}")
    with watched_port(instance.mqtt_host, instance.mqtt_port) as watched:
        exit_code, printed = finish(
            command(program), variables(instance, device, watched.port, tls), device.chain_file.parent
        )
    found = instance.client("iot").describe_certificate(certificateId=device.certificate_id)
    status = found["certificateDescription"]["status"]
    return Ended(exit_code=exit_code, printed=printed, agreed=watched.agreed, status=status)


def variables(instance: Instance, device: MadeDevice, port: int, tls: str) -> dict[str, str]:
    """Return what the programs read."""
    return environment(
        {
            "JITR_MQTT_HOST": instance.mqtt_host,
            "JITR_MQTT_PORT": str(port),
            "JITR_SERVER_CA": instance.server_ca,
            "DEVICE_CHAIN": str(device.chain_file),
            "DEVICE_KEY": str(device.key_file),
            "DEVICE_ID": device.common_name,
            "SHORTEST_WAIT": "2",
            "TLS": tls,
        }
    )


def finish(program: list[str], variables: dict[str, str], folder: Path) -> tuple[int | None, str]:
    """Run a program to its end; None where it was still running after WITHIN seconds."""
    try:
        done = subprocess.run(
            program, env=variables, cwd=folder, capture_output=True, text=True, check=False, timeout=WITHIN
        )
    except subprocess.TimeoutExpired as late:
        return None, f"{late.stdout!r}{late.stderr!r}"
    return done.returncode, done.stdout + done.stderr


def test_every_client_is_installed() -> None:
    """One that is left out would be one that nobody tried."""
    assert {each.name: version(each) for each in OURS if version(each) is None} == {}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [each.name for each in OURS])
def test_a_device_gets_in_by_reconnecting(ended: dict[tuple[str, str], Ended], tls: str, name: str, mode: str) -> None:
    """Dropped at the first connect, activated, connected, its message acknowledged; each time by name and that TLS."""
    found = ended[name, mode]
    assert found.exit_code == 0, found.printed
    assert "delivered" in found.printed
    assert found.status == "ACTIVE"
    assert len(found.agreed) >= 2, found.agreed
    assert {(each.server_name, each.tls) for each in found.agreed} == {("localhost", tls)}
