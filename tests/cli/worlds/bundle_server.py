"""What stands behind the address that AWS Lambda gives out for a function's code: its bundle, whole or in ranges."""

from __future__ import annotations

import io
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from jitr.settings import CONFIGURATION_FILE, Configuration


def bundle_of(configuration: Configuration, *, wheels: int = 3_000_000) -> bytes:
    """Return a bundle with a configuration, after so many bytes of other things."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
        bundle.writestr("botocore/data.bin", bytes(wheels))
        bundle.writestr(CONFIGURATION_FILE, configuration.to_json())
        bundle.writestr("jitr/__init__.py", "")
    return file.getvalue()


@dataclass
class BundleServer:
    """A server of one bundle; `sent` counts the bytes that it sent, `ranges` says whether it knows ranges."""

    address: str
    data: bytes = b""
    status: int = 0
    ranges: bool = True
    sent: list[int] = field(default_factory=list)


@contextmanager
def bundle_server(*, ranges: bool = True) -> Iterator[BundleServer]:
    """Serve a bundle on this computer for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            body, status = served.data, 200
            if wanted and served.ranges:
                body, status = body[int(wanted[1]) : int(wanted[2]) + 1], 206
            self.send_response(served.status or status)
            self.send_header("Content-Length", str(len(body)))
            if wanted and served.ranges:
                self.send_header("Content-Range", f"bytes {wanted[1]}-{wanted[2]}/{len(served.data)}")
            self.end_headers()
            served.sent.append(len(body))  # before the write: whoever has read the body may look at once
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = BundleServer(f"http://127.0.0.1:{server.server_port}/code?X-Amz-Signature=secret", ranges=ranges)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
