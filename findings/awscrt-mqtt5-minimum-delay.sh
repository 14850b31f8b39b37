#!/bin/sh
# Guess: with awscrt's MQTT 5 client, min_reconnect_delay_ms is the least that a client waits before it connects again.
# Truth: with full jitter, which is the default, a wait is anything from zero to the limit; the minimum holds with
#        ExponentialBackoffJitterMode.NONE.
# Version: awscrt 0.36.1 (awsiotsdk 1.31.0 on PyPI).
# Matters to: whoever sets it to keep a device below AWS IoT's one CONNECT a second for a client id.
# Prints version and waits; exits non-zero if full jitter keeps the minimum, or NONE does not. Loopback only.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check awscrt==0.36.1
cat >"$folder/waits.py" <<'PYTHON'
import importlib.metadata
import socket
import sys
import threading
import time

from awscrt import mqtt5

MINIMUM = 1.0


def waits(mode):
    """Return the seconds between the connects of one client that is closed at each, eight of them."""
    times, enough = [], threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while len(times) < 8:
            connection, _ = listener.accept()
            times.append(time.monotonic())
            with connection:
                connection.recv(1024)
        enough.set()

    threading.Thread(target=serve, daemon=True).start()
    client = mqtt5.Client(
        mqtt5.ClientOptions(
            host_name="127.0.0.1",
            port=listener.getsockname()[1],
            connect_options=mqtt5.ConnectPacket(client_id="device-1"),
            retry_jitter_mode=mode,
            min_reconnect_delay_ms=int(MINIMUM * 1000),
            max_reconnect_delay_ms=2000,
        )
    )
    client.start()
    enough.wait(60)
    client.stop()
    return [later - earlier for earlier, later in zip(times, times[1:])]


print("awscrt", importlib.metadata.version("awscrt"), "min_reconnect_delay_ms", int(MINIMUM * 1000))
modes = mqtt5.ExponentialBackoffJitterMode
full, none = waits(modes.FULL), waits(modes.NONE)
print("FULL", " ".join(f"{each:.2f}" for each in full))
print("NONE", " ".join(f"{each:.2f}" for each in none))
sys.exit(0 if min(full) < 0.9 * MINIMUM and min(none) >= 0.9 * MINIMUM else 1)
PYTHON
"$folder/venv/bin/python" "$folder/waits.py"
