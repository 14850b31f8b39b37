"""The first TLS handshake with the emulator's MQTT port, done before anyone needs one.

The emulator makes the port's certificate at the first connection. Older Pythons (3.11.2, Debian 12's) read that
connection's ClientHello before TLS is there to take it, and the client waits for an answer that never comes.
"""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path
from typing import Final

_EACH_WITHIN_SECONDS: Final = 2.0


def shake_hands(host: str, port: int, server_ca: Path, *, within: float) -> bool:
    """Try until a handshake succeeds, for so many seconds; returns whether one did.

    Not checked: that the port speaks MQTT.
    """
    context = ssl.create_default_context(cafile=str(server_ca))
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            with (
                socket.create_connection((host, port), timeout=_EACH_WITHIN_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname=host),
            ):
                return True
        except OSError:
            # Refused, closed or not answered: the next one may find the certificate made.
            time.sleep(0.1)
    return False
