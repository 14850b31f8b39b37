"""What end-to-end tests share: one local stack for all of them, and a stricter one for those about permissions."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jitr_local.device.mqtt_attempt import Message
from jitr_local.device.reference_device import DeviceReport
from jitr_local.stack.emulator import LOOPBACK
from jitr_local.stack.local_fleet import LocalCa
from jitr_local.stack.local_stack import Instance, LocalStack
from jitr_local.story.factory import Factory, MadeDevice
from tests.conftest import group_of

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient


@dataclass(frozen=True, kw_only=True)
class World:
    """A running stack and its CAs: `factory` has published a CRL, the others have not yet.

    `watched` and `braked` are for what happens after activation. Certificates of `pointing` name their CRL themselves
    (`cdp`); that of `web` is behind `crl_server`, which really serves what is below its folder, on loopback.
    """

    stack: LocalStack
    instance: Instance
    factory: Factory
    silent: Factory
    watched: Factory
    braked: Factory
    pointing: Factory
    web: Factory
    crl_server: CrlServer
    cas: Sequence[LocalCa]
    folder: Path

    def client(self, service: str) -> Any:
        """Return an AWS client."""
        return self.instance.client(service)

    def status(self, device: MadeDevice) -> str:
        """Return a registered certificate's status."""
        iot: IoTClient = self.client("iot")
        return iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]["status"]

    def connect(self, device: MadeDevice, *, topic: str | None = None, timeout: float = 60.0) -> DeviceReport:
        """Let a device connect and publish, under its own name unless told otherwise."""
        reference = device.at(self.instance)
        message = Message(topic=topic or f"devices/{reference.client_id}/up", payload=b"{}")
        return reference.run(message, timeout=timeout)

    def event(self, device: MadeDevice, factory: Factory) -> dict[str, Any]:
        """Return a registration event about a device, as AWS IoT words the first one."""
        return {
            "certificateId": device.certificate_id,
            "caCertificateId": factory.authority.ca_certificate_id,
            "timestamp": int(time.time() * 1000),
            "certificateStatus": "PENDING_ACTIVATION",
            "awsAccountId": self.instance.account,
            "certificateRegistrationTimestamp": None,
        }


@dataclass(frozen=True)
class CrlServer:
    """An HTTP server on loopback; `asked` holds the paths that it was asked for."""

    folder: Path
    port: int
    asked: list[str] = field(default_factory=list)

    def url(self, key: str) -> str:
        """Return the address of a file."""
        return f"http://{LOOPBACK}:{self.port}/{key}"


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[CrlServer]:
    """Serve a folder for as long as the block lasts."""
    folder.mkdir(parents=True)
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        """Serves files and remembers what was asked for."""

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self) -> None:
            """Serve a file."""
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield CrlServer(folder, server.server_port, asked)
        finally:
            server.shutdown()
            thread.join()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test whose stack another worker has: it would start a second one."""
    of = {"world": "without permissions", "strict_world": "enforcing permissions"}
    for item in items:
        stacks = {of[name] for name in getattr(item, "fixturenames", ()) if name in of}
        if stacks - {group_of(item.nodeid)}:
            raise pytest.UsageError(f"{item.nodeid} belongs with {stacks} in STACKS of tests/conftest.py")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The stack that most tests share; permissions are not enforced."""
    yield from _world(tmp_path_factory.mktemp("local"), auth=False)


@pytest.fixture(scope="session")
def strict_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A stack that enforces the function's role and the devices' policies."""
    yield from _world(tmp_path_factory.mktemp("strict"), auth=True)


def _world(folder: Path, *, auth: bool) -> Iterator[World]:
    names = ("factory", "silent", "watched", "braked", "pointing", "web")
    factories = {name: Factory.open(name, folder / "devices") for name in names}
    stack = LocalStack(folder / "stack")
    with serving(folder / "served") as crl_server:
        sources = {"pointing": "cdp", "web": crl_server.url("web.crl")}
        cas = [dataclasses.replace(each.ca, source=sources.get(name)) for name, each in factories.items()]
        try:
            instance = stack.start(auth=auth, cas=cas)
            factories["factory"].publish_crl(instance)
            yield World(stack=stack, instance=instance, crl_server=crl_server, cas=cas, folder=folder, **factories)
        finally:
            stack.stop()
