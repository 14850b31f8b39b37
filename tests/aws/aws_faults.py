"""Faults on the way to AWS: an error or no answer before a call, a crash after it; on any boto3 client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError


class Killed(BaseException):
    """The process is gone: nothing that catches Exception may go on after it."""


class CallLog:
    """Every call that any of the clients makes, in order; `kill_after` ends the process after that many calls."""

    def __init__(self, *clients: Any) -> None:
        self.calls: list[str] = []
        self.kill_after: int | None = None
        for client in clients:
            service = client.meta.service_model.service_name
            client.meta.events.register(f"after-call.{service}", self._called)

    def watch_dynamodb(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Log the calls of every DynamoDB client made from now on too, as a command makes its own."""
        made = boto3.Session.client

        def client(session: boto3.Session, service: str, **options: Any) -> Any:
            found = made(session, service, **options)  # type: ignore[call-overload]
            if service == "dynamodb":
                found.meta.events.register("after-call.dynamodb", self._called)
            return found

        monkeypatch.setattr(boto3.Session, "client", client)

    def _called(self, *, model: Any, **_: Any) -> None:
        self.calls.append(model.name)
        if self.kill_after is not None and len(self.calls) == self.kill_after:
            raise Killed(f"after call {self.kill_after}, {model.name}")


@contextmanager
def failing(client: Any, operation: str, code: str, status: int = 400) -> Iterator[None]:
    """Let every call of one operation end with an error answer, without effect."""
    error = ClientError(
        {"Error": {"Code": code, "Message": "injected"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )
    yield from _interrupting(client, operation, error)


@contextmanager
def refusing(client: Any, operation: str, about: str, error: Exception) -> Iterator[None]:
    """Let those calls of one operation that name `about` in their path or query end with an error, without effect."""

    def refuse(*, params: Any, **_: Any) -> None:
        if about in f"{params['url_path']} {params['query_string']}":
            raise error

    event = f"before-call.{client.meta.service_model.service_name}.{operation}"
    client.meta.events.register_first(event, refuse)
    try:
        yield
    finally:
        client.meta.events.unregister(event, refuse)


@contextmanager
def unanswered(client: Any, operation: str) -> Iterator[None]:
    """Let every call of one operation end without an answer and without effect."""
    yield from _interrupting(client, operation, ReadTimeoutError(endpoint_url="https://aws.example"))


@contextmanager
def killed_after(client: Any, operation: str) -> Iterator[None]:
    """End the process after the first call of one operation took effect."""

    def kill(**_: Any) -> None:
        raise Killed(operation)

    event = f"after-call.{client.meta.service_model.service_name}.{operation}"
    client.meta.events.register_first(event, kill)
    try:
        yield
    finally:
        client.meta.events.unregister(event, kill)


def _interrupting(client: Any, operation: str, error: Exception) -> Iterator[None]:
    def interrupt(**_: Any) -> None:
        raise error

    event = f"before-call.{client.meta.service_model.service_name}.{operation}"
    client.meta.events.register_first(event, interrupt)
    try:
        yield
    finally:
        client.meta.events.unregister(event, interrupt)
