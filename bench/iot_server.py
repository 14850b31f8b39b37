"""AWS IoT's control plane behind a real connection: a server in a process of its own, so its time is nobody's here.

Plain HTTP that stays open, on this computer: what botocore spends on AWS's own endpoints is this and TLS.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from urllib.parse import unquote

from bench.aws_stub import AwsStub


@contextmanager
def iot_server(stub: AwsStub) -> Iterator[str]:
    """Yield the address at which a copy of the stub answers AWS IoT's calls."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, stub), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(parent: Connection, stub: AwsStub) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body in one packet, or the client waits for a delayed acknowledgement.
        wbufsize = -1

        def answer(self) -> None:
            """Answer from the stub, whatever the method."""
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = stub.iot(self.command, unquote(self.path).partition("?")[0])
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    parent.send(server.server_port)
    server.serve_forever()
