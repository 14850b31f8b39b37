"""A port that passes bytes on to another one and reads from the two hellos what the ends agree on: SNI and TLS version.

Nothing is decrypted or changed: both hellos are in the clear (RFC 8446 section 4.1).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_HANDSHAKE: Final = 22
_SERVER_NAME: Final = 0
_SUPPORTED_VERSIONS: Final = 43
_VERSIONS: Final = {0x0303: "1.2", 0x0304: "1.3"}
_RANDOM: Final = 32


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """What one connection began with; `tls` is None where there was no hello of the server, or an alert."""

    server_name: str | None
    tls: str | None


@dataclass
class WatchedPort:
    """The port to connect to, and what was agreed on it, in the order of the connections' ends."""

    port: int
    agreed: list[Agreed] = field(default_factory=list)


@contextlib.contextmanager
def watched_port(host: str, port: int) -> Iterator[WatchedPort]:
    """Pass on what comes to a free port of loopback to another port, for as long as the block lasts."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        watched = WatchedPort(listener.getsockname()[1])
        threading.Thread(target=_accept, args=(listener, (host, port), watched), daemon=True).start()
        try:
            yield watched
        finally:
            # `close` alone does not wake an accept that waits.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, target: tuple[str, int], watched: WatchedPort) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, target, watched), daemon=True).start()


def _serve(client: socket.socket, target: tuple[str, int], watched: WatchedPort) -> None:
    heads = bytearray(), bytearray()
    with client, contextlib.suppress(OSError), socket.create_connection(target) as server:
        back = threading.Thread(target=_pass_on, args=(server, client, heads[1]), daemon=True)
        back.start()
        _pass_on(client, server, heads[0])
        back.join()
    watched.agreed.append(Agreed(server_name=_server_name(bytes(heads[0])), tls=_version(bytes(heads[1]))))


def _pass_on(source: socket.socket, target: socket.socket, head: bytearray) -> None:
    with contextlib.suppress(OSError):
        while received := source.recv(65536):
            head += received if len(head) < 16384 else b""  # noqa: PLR2004 - the longest record
            target.sendall(received)
    # The other direction may still have something to say.
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _version(server: bytes) -> str | None:
    """Return the version in a ServerHello: that of its extension, which TLS 1.3 has, or else the legacy one."""
    hello = _hello(server)
    if hello is None:
        return None
    legacy, rest = int.from_bytes(hello[:2]), hello[2 + _RANDOM :]
    # Session id, then two bytes of cipher and one of compression.
    extensions = _extensions(rest[1 + rest[0] + 3 :])
    return _VERSIONS.get(int.from_bytes(extensions.get(_SUPPORTED_VERSIONS, b"")) or legacy)


def _server_name(client: bytes) -> str | None:
    """Return the host name of a ClientHello (RFC 6066 section 3)."""
    hello = _hello(client)
    if hello is None:
        return None
    rest = hello[2 + _RANDOM :]
    rest = rest[1 + rest[0] :]
    rest = rest[2 + int.from_bytes(rest[:2]) :]
    found = _extensions(rest[1 + rest[0] :]).get(_SERVER_NAME)
    # A list's length, a type, the name's length, the name.
    return None if found is None else found[5:].decode("ascii", errors="replace")


def _hello(stream: bytes) -> bytes | None:
    """Return a hello's body from the first record, or None where there is none; not checked: hellos in two records."""
    return stream[9:] if stream[:1] == bytes([_HANDSHAKE]) else None


def _extensions(raw: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    left = raw[2 : 2 + int.from_bytes(raw[:2])]
    while left:
        kind, length = int.from_bytes(left[:2]), int.from_bytes(left[2:4])
        found[kind] = left[4 : 4 + length]
        left = left[4 + length :]
    return found
