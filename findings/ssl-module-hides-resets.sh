#!/bin/sh
# Guess: when a TLS peer resets the connection, SSLSocket.recv of Python's ssl module raises ConnectionResetError, as a
#        plain socket does.
# Truth: it returns nothing, as for an orderly end (with the default suppress_ragged_eofs), so a client cannot tell the
#        server's "not now" from a firewall's reset.
# Version: CPython with OpenSSL 3, seen with 3.11.7 and OpenSSL 3.0. Uses the python3 and openssl that are there;
#        installs nothing.
# Matters to: MQTT clients in Python (paho-mqtt and what builds on it) that explain why a first connect was closed.
# Prints versions and what was read; exits non-zero if that changes. Loopback only.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$folder/key.pem" -out "$folder/cert.pem" \
    -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
python3 - "$folder" <<'PYTHON'
import socket
import ssl
import struct
import sys
import threading

folder = sys.argv[1]
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
client.load_verify_locations(f"{folder}/cert.pem")


def read(tls):
    """Connect, let the server reset the connection, and return what reading says."""
    listener = socket.create_server(("127.0.0.1", 0))

    def reset():
        connection = listener.accept()[0]
        if tls:
            connection = server.wrap_socket(connection, server_side=True)
        with connection:
            connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    thread = threading.Thread(target=reset)
    thread.start()
    connection = socket.create_connection(listener.getsockname())
    if tls:
        connection = client.wrap_socket(connection, server_hostname="localhost")
    with connection:
        connection.sendall(b"x")
        thread.join()
        try:
            return repr(connection.recv(1))
        except OSError as error:
            return type(error).__name__


print("Python", sys.version.split()[0], ssl.OPENSSL_VERSION)
plain, wrapped = read(tls=False), read(tls=True)
print("plain socket, after a reset:", plain)
print("TLS socket, after a reset:", wrapped)
sys.exit(0 if (plain, wrapped) == ("ConnectionResetError", "b''") else 1)
PYTHON
