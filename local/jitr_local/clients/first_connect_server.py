"""A server that treats an unknown device as AWS IoT does: CONNECT read, closed without CONNACK, let in some time later.

AWS IoT Developer Guide, "Just-in-time registration": the certificate is registered at the CONNECT, and the connection
is closed until somebody has activated it. Here that is so many seconds after a client id's first CONNECT.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jitr_local.clients.mqtt_packets import (
    CONNECT,
    DISCONNECT,
    PINGREQ,
    PUBLISH,
    SUBSCRIBE,
    Connect,
    Packet,
    accepted,
    acknowledge,
    read_connect,
    read_packet,
)

_IDLE_SECONDS: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class SeenConnect:
    """One CONNECT: when (monotonic seconds), over what, and whether it was let in; `chain` counts certificates sent."""

    at: float
    tls: str
    server_name: str | None
    chain: int
    connect: Connect
    admitted: bool


@dataclass(frozen=True, kw_only=True)
class ServerFiles:
    """PEM files: the server's chain and key, and the CA whose devices may shake hands."""

    chain: Path
    key: Path
    device_ca: Path


@dataclass(kw_only=True)
class FirstConnectServer:
    """What the server saw, by client id; `admit_after` is in seconds after the first CONNECT of a client id."""

    port: int
    admit_after: float
    connects: dict[str, list[SeenConnect]] = field(default_factory=dict)
    delivered: dict[str, float] = field(default_factory=dict)
    refused_handshakes: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admits(self, connection: ssl.SSLSocket, server_name: str | None, connect: Connect) -> bool:
        """Note a CONNECT and return whether its device is let in by now."""
        now = time.monotonic()
        with self._lock:
            seen = self.connects.setdefault(connect.client_id, [])
            admitted = bool(seen) and now - seen[0].at >= self.admit_after
            seen.append(
                SeenConnect(
                    at=now,
                    tls=connection.version() or "",
                    server_name=server_name,
                    chain=_certificates_sent(connection),
                    connect=connect,
                    admitted=admitted,
                )
            )
        return admitted

    def serve(self, connection: ssl.SSLSocket, server_name: str | None) -> None:
        """Serve one connection until either side ends it."""
        connection.settimeout(_IDLE_SECONDS)
        first = read_packet(connection)
        if first is None or first.kind != CONNECT:
            return
        connect = read_connect(first)
        if not self.admits(connection, server_name, connect):
            return
        connection.sendall(accepted(connect))
        while (packet := read_packet(connection)) is not None and packet.kind != DISCONNECT:
            self._answer(connection, packet, connect)

    def _answer(self, connection: ssl.SSLSocket, packet: Packet, connect: Connect) -> None:
        if packet.kind in (PUBLISH, SUBSCRIBE, PINGREQ) and (answer := acknowledge(packet, connect)):
            connection.sendall(answer)
        if packet.kind == PUBLISH:
            with self._lock:
                self.delivered.setdefault(connect.client_id, time.monotonic())


@contextlib.contextmanager
def first_connect_server(
    files: ServerFiles, *, admit_after: float, tls: ssl.TLSVersion | None = None
) -> Iterator[FirstConnectServer]:
    """Serve on a free port of loopback; `tls` is the one version that is spoken, None for 1.2 and 1.3."""
    context = _context(files, tls)
    names: dict[int, str | None] = {}
    context.sni_callback = lambda each, name, _context: names.__setitem__(id(each), name)
    done = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.settimeout(0.1)
        server = FirstConnectServer(port=listener.getsockname()[1], admit_after=admit_after)

        def one(plain: socket.socket) -> None:
            with plain:
                plain.settimeout(10)
                try:
                    with context.wrap_socket(plain, server_side=True) as connection:
                        server.serve(connection, names.pop(id(connection), None))
                except ssl.SSLError as error:
                    server.refused_handshakes.append(str(error.reason))
                except (OSError, ValueError):
                    return

        def accept() -> None:
            while not done.is_set():
                with contextlib.suppress(TimeoutError):
                    plain, _ = listener.accept()
                    thread = threading.Thread(target=one, args=(plain,), daemon=True)
                    threads.append(thread)
                    thread.start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield server
        finally:
            done.set()
            acceptor.join()
            for thread in threads:
                thread.join(timeout=0.1)


def _context(files: ServerFiles, tls: ssl.TLSVersion | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = tls or ssl.TLSVersion.TLSv1_2
    if tls is not None:
        context.maximum_version = tls
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(files.chain, files.key)
    context.load_verify_locations(files.device_ca)
    # As AWS IoT: ALPN is answered where a client offers it.
    context.set_alpn_protocols(["mqtt", "x-amzn-mqtt-ca"])
    return context


def _certificates_sent(connection: ssl.SSLSocket) -> int:
    # Public from Python 3.13 on (SSLSocket.get_unverified_chain); before, only on the object inside.
    inner: Any = connection._sslobj  # type: ignore[attr-defined]  # noqa: SLF001
    return len(inner.get_unverified_chain() or ())
