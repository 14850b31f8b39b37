"""A small MQTT 3.1.1 server over mutual TLS that follows a script: one behaviour for each connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from cryptography import x509

from jitr_local import pki

CONNACK_ACCEPTED = b"\x20\x02\x00\x00"
CONNACK_NOT_AUTHORIZED = b"\x20\x02\x00\x05"


class Behaviour(Enum):
    """What the server does with one connection."""

    DROP = auto()
    REFUSE = auto()
    ADMIT = auto()
    ADMIT_AND_CLOSE_ON_PUBLISH = auto()
    SAY_NOTHING = auto()
    RESET = auto()


@dataclass
class MqttServer:
    """Where the server listens, the CA that vouches for it, and what it saw."""

    port: int
    server_ca: Path
    names: list[str | None] = field(default_factory=list)
    published: list[tuple[str, bytes]] = field(default_factory=list)
    goodbyes: int = 0


@contextlib.contextmanager
def serving(
    folder: Path, *script: Behaviour, trusting: pki.CertificateAuthority, tls: ssl.TLSVersion | None = None
) -> Iterator[MqttServer]:
    """Serve on a free port of localhost; the last behaviour repeats. Device certificates must chain to `trusting`."""
    authority = pki.CertificateAuthority.create("Server CA")
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    own = authority.issue("localhost", extensions=[(names, False)])
    chain, key, server_ca, clients = (folder / f"server-{name}.pem" for name in ("chain", "key", "ca", "clients"))
    chain.write_text(pki.pem(own.certificate))
    key.write_text(own.key_pem)
    server_ca.write_text(pki.pem(authority.certificate))
    clients.write_text(pki.pem(trusting.certificate))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = MqttServer(port=listener.getsockname()[1], server_ca=server_ca)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        if tls is not None:
            context.minimum_version = context.maximum_version = tls
        context.load_cert_chain(chain, key)
        context.load_verify_locations(clients)
        context.sni_callback = lambda _socket, name, _context: server.names.append(name)
        done = threading.Event()
        thread = threading.Thread(target=_serve, args=(listener, context, script, server, done))
        thread.start()
        try:
            yield server
        finally:
            done.set()
            thread.join()


def _serve(
    listener: socket.socket,
    context: ssl.SSLContext,
    script: tuple[Behaviour, ...],
    server: MqttServer,
    done: threading.Event,
) -> None:
    connections = 0
    listener.settimeout(0.05)
    while not done.is_set():
        try:
            plain, _ = listener.accept()
        except TimeoutError:
            continue
        with plain:
            plain.settimeout(5)
            with (
                contextlib.suppress(OSError),
                context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as connection,
            ):
                _shake_hands(connection)
                _follow(script[min(connections, len(script) - 1)], connection, server)
        connections += 1


def _shake_hands(connection: ssl.SSLSocket) -> None:
    try:
        connection.do_handshake()
    except ssl.SSLError:
        # What a client sent meanwhile is read, or a reset would overtake the alert.
        socket.socket.recv(connection, 4096)
        raise


def _follow(behaviour: Behaviour, connection: ssl.SSLSocket, server: MqttServer) -> None:
    _read_packet(connection)
    match behaviour:
        case Behaviour.DROP:
            return
        case Behaviour.RESET:
            # Closed with nothing lingering: TCP says RST in place of FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        case Behaviour.SAY_NOTHING:
            _read_packet(connection)
            return
        case Behaviour.REFUSE:
            connection.sendall(CONNACK_NOT_AUTHORIZED)
            return
    connection.sendall(CONNACK_ACCEPTED)
    while (packet := _read_packet(connection)) is not None:
        kind, body = packet
        if kind >> 4 == 14:
            server.goodbyes += 1
            return
        if kind >> 4 == 3:
            if behaviour is Behaviour.ADMIT_AND_CLOSE_ON_PUBLISH:
                return
            length = int.from_bytes(body[:2], "big")
            server.published.append((body[2 : 2 + length].decode(), body[4 + length :]))
            connection.sendall(b"\x40\x02" + body[2 + length : 4 + length])


def _read_packet(connection: ssl.SSLSocket) -> tuple[int, bytes] | None:
    """Read one packet of at most 127 bytes after its header: first byte and body, or None at the end."""
    header = connection.recv(2)
    if len(header) < 2:
        return None
    return header[0], connection.recv(header[1]) if header[1] else b""
