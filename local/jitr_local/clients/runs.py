"""One run of a client against the first-connect server: what the server saw, and what the client's user sees."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from ssl import TLSVersion
from typing import Final

from cryptography import x509

from jitr_local import pki
from jitr_local.clients.first_connect_server import FirstConnectServer, SeenConnect, ServerFiles, first_connect_server
from jitr_local.clients.programs import Client, command, environment

# AWS IoT and the function need a second or two; later than that, so that waits are seen as well.
ADMIT_AFTER: Final = 8.0
GIVE_UP_AFTER: Final = 45.0
AT_ONCE: Final = 4


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a run ended; `waits` are the seconds from one CONNECT to the next, `words` what was printed of the close."""

    client: str
    delivered: bool
    exit_code: int | None
    waits: tuple[float, ...]
    connects: tuple[SeenConnect, ...]
    words: str


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A folder with a server's and devices' files; `device_ca` signs devices, `trusted` is what devices verify with."""

    folder: Path
    device_ca: pki.CertificateAuthority
    files: ServerFiles
    trusted: Path

    def device(self, name: str) -> dict[str, str]:
        """Make a device's key and chain, leaf first, and return the variables that name them."""
        made = self.device_ca.issue(name)
        chain, key = self.folder / f"{name}.chain.pem", self.folder / f"{name}.key"
        chain.write_text(pki.pem(made.certificate) + pki.pem(self.device_ca.certificate))
        key.write_text(made.key_pem)
        return {"DEVICE_CHAIN": str(chain), "DEVICE_KEY": str(key), "DEVICE_ID": name}


def make_scene(folder: Path) -> Scene:
    """Make a server's certificate for localhost, and a CA for devices."""
    authority, devices = pki.CertificateAuthority.create("Server CA"), pki.CertificateAuthority.create("Factory CA")
    own = authority.issue("localhost", extensions=[(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)])
    chain, key, trusted, device_ca = (folder / name for name in ("server.pem", "server.key", "trusted.pem", "ca.pem"))
    chain.write_text(pki.pem(own.certificate))
    key.write_text(own.key_pem)
    trusted.write_text(pki.pem(authority.certificate))
    device_ca.write_text(pki.pem(devices.certificate))
    files = ServerFiles(chain=chain, key=key, device_ca=device_ca)
    return Scene(folder=folder, device_ca=devices, files=files, trusted=trusted)


def run_program(program: Path, server: FirstConnectServer, scene: Scene, name: str, shortest_wait: float = 1.0) -> Run:
    """Run one program as one device until it ends, or for GIVE_UP_AFTER seconds."""
    variables = environment(
        {
            **scene.device(name),
            "JITR_MQTT_HOST": "localhost",
            "JITR_MQTT_PORT": str(server.port),
            "JITR_SERVER_CA": str(scene.trusted),
            "SHORTEST_WAIT": f"{shortest_wait:g}",
        }
    )
    with subprocess.Popen(
        command(program),
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=scene.folder,
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=GIVE_UP_AFTER)
        except subprocess.TimeoutExpired:
            # The whole group: a shell's children hold its output open.
            os.killpg(process.pid, signal.SIGKILL)
            printed, _ = process.communicate()
    connects = tuple(server.connects.get(name, ()))
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    delivered = name in server.delivered
    return Run(
        client=name,
        delivered=delivered,
        exit_code=process.returncode,
        waits=tuple(later.at - earlier.at for earlier, later in itertools.pairwise(connects)),
        connects=connects,
        # Of a program that got in the first, of one that ended the last: a traceback ends with the error.
        words="" if not lines else lines[0] if delivered else lines[-1],
    )


def run_all(clients: list[tuple[Client, Path]], *, tls: TLSVersion | None = None) -> list[Run]:
    """Run one program of each client against a server of its own kind, two at once."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jitr-clients-")))
        scene = make_scene(folder)
        server = stack.enter_context(first_connect_server(scene.files, admit_after=ADMIT_AFTER, tls=tls))
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=AT_ONCE))
        return list(
            pool.map(lambda each: run_program(each[1][1], server, scene, f"device-{each[0]}"), enumerate(clients))
        )
