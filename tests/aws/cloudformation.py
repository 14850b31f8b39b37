"""CloudFormation's side of a custom resource for tests: events as it sends them, and what takes the answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.worlds.private_keys import assert_no_private_key


@dataclass
class CloudFormation:
    """What listens where the signed URL leads; `answers` are those it got, `statuses` what it says to the next ones."""

    url: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)
    content_types: list[str | None] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def event(self, kind: str, resource_type: str, properties: Mapping[str, Any], **different: Any) -> dict[str, Any]:
        """An event as CloudFormation sends it."""
        known = {} if kind == "Create" else {"PhysicalResourceId": "what-was-answered-first"}
        return {
            "RequestType": kind,
            "ResponseURL": self.url,
            "StackId": "arn:aws:cloudformation:us-east-1:000000000000:stack/test/1",
            "RequestId": "request-1",
            "ResourceType": resource_type,
            "LogicalResourceId": "Resource0",
            "ResourceProperties": {"ServiceToken": "arn", "ServiceTimeout": "1200", **properties},
            **known,
            **different,
        }


@contextmanager
def listening() -> Iterator[CloudFormation]:
    """Listen on loopback."""
    found = CloudFormation()

    class Handler(BaseHTTPRequestHandler):
        """Takes answers."""

        def do_PUT(self) -> None:
            """Take one."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = found.statuses.pop(0) if found.statuses else 200
            if status == 200:
                found.answers.append(json.loads(body))
                found.content_types.append(self.headers["Content-Type"])
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_port}/bucket/object?Signature=secret"
        try:
            yield found
            assert_no_private_key(*found.answers)
        finally:
            server.shutdown()
            thread.join()
