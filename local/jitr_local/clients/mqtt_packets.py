"""As much of MQTT 3.1, 3.1.1 and 5 as a server needs that lets a device in and takes one message.

Sources: MQTT 3.1.1 (OASIS, 2014) sections 2 and 3, MQTT 5.0 (OASIS, 2019) section 3. Not checked: what a strict server
would refuse in a CONNECT, such as reserved flags.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Final

CONNECT: Final = 1
PUBLISH: Final = 3
SUBSCRIBE: Final = 8
PINGREQ: Final = 12
DISCONNECT: Final = 14
_MQTT5: Final = 5
_LONGEST: Final = 256 * 1024
_LENGTH_BYTES: Final = 4


@dataclass(frozen=True, kw_only=True)
class Packet:
    """A control packet: its kind, the four flag bits, and what follows the fixed header."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Connect:
    """What a CONNECT says: protocol level 3 (MQTT 3.1), 4 (3.1.1) or 5, keep-alive in seconds."""

    level: int
    client_id: str
    clean: bool
    keep_alive: int

    @property
    def version(self) -> str:
        """Return the version as people write it."""
        return {3: "3.1", 4: "3.1.1", 5: "5"}.get(self.level, str(self.level))


def read_packet(connection: ssl.SSLSocket) -> Packet | None:
    """Read one packet, or return None at the end; raises ValueError for a length that is none, or too large."""
    head = connection.recv(1)
    if not head:
        return None
    length, shift = 0, 0
    for _ in range(_LENGTH_BYTES):
        byte = _exactly(connection, 1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    else:
        raise ValueError("remaining length has more than four bytes")
    if length > _LONGEST:
        raise ValueError("packet too large")
    return Packet(kind=head[0] >> 4, flags=head[0] & 0x0F, body=_exactly(connection, length))


def _exactly(connection: ssl.SSLSocket, count: int) -> bytes:
    read = b""
    while len(read) < count:
        more = connection.recv(count - len(read))
        if not more:
            raise ValueError("the connection ended inside a packet")
        read += more
    return read


def read_connect(packet: Packet) -> Connect:
    """Return what a CONNECT says; raises ValueError for one that is cut off."""
    try:
        name_length = int.from_bytes(packet.body[:2], "big")
        rest = packet.body[2 + name_length :]
        level, flags, keep_alive = rest[0], rest[1], int.from_bytes(rest[2:4], "big")
        at = 4
        if level == _MQTT5:
            properties, size = _variable(rest[at:])
            at += size + properties
        length = int.from_bytes(rest[at : at + 2], "big")
        client_id = rest[at + 2 : at + 2 + length].decode("utf-8")
    except IndexError as error:
        raise ValueError("CONNECT is cut off") from error
    return Connect(level=level, client_id=client_id, clean=bool(flags & 0x02), keep_alive=keep_alive)


def accepted(connect: Connect) -> bytes:
    """Return the CONNACK that lets a client in."""
    return b"\x20\x03\x00\x00\x00" if connect.level == _MQTT5 else b"\x20\x02\x00\x00"


def acknowledge(packet: Packet, connect: Connect) -> bytes:
    """Return the answer to a PUBLISH with QoS 1, a SUBSCRIBE for one filter, or a PINGREQ; nothing for QoS 0."""
    if packet.kind == PINGREQ:
        return b"\xd0\x00"
    if packet.kind == SUBSCRIBE:
        properties = b"\x00" if connect.level == _MQTT5 else b""
        body = packet.body[:2] + properties + b"\x01"
        return bytes((0x90, len(body))) + body
    if not packet.flags & 0x06:
        return b""
    topic = int.from_bytes(packet.body[:2], "big")
    return b"\x40\x02" + packet.body[2 + topic : 4 + topic]


def _variable(data: bytes) -> tuple[int, int]:
    """Return a variable byte integer and its size in bytes (MQTT 5 section 1.5.5)."""
    value = 0
    for n in range(_LENGTH_BYTES):
        value |= (data[n] & 0x7F) << (7 * n)
        if not data[n] & 0x80:
            return value, n + 1
    raise ValueError("variable byte integer has more than four bytes")
