"""The real functions in cold containers on the account in memory: their handlers' own construction, nothing else faked.

Replaced are only what a container gets from outside: boto3's clients, the time and sleeping, stdout, and the HTTP pool
that CloudFormation is answered by.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any, Self

import boto3
import pytest
from aws_lambda_powertools import Logger
from botocore.hooks import HierarchicalEmitter

from jitr.handlers import activate, authorities, bulk, clients, enforce, roll_out
from jitr.messages.custom_resource import Answers
from tests.faults.machine.cloud import Cloud, cloud
from tests.worlds.deployment import ENVIRONMENT

PLENTY = 800.0
WORK_QUEUE, ACTIVATION_QUEUE, DEAD_LETTERS = (
    f"https://sqs.us-east-1.amazonaws.com/000000000000/{name}" for name in ("work", "activation", "dead-letters")
)
WITH_QUEUES = replace(ENVIRONMENT, activation_queue=ACTIVATION_QUEUE, dead_letters=DEAD_LETTERS)


class Nowhere(io.StringIO):
    """A stream that keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


class CloudTime:
    """What the functions know of Python's `time`: sleeping moves the account's clock."""

    @staticmethod
    def time() -> float:
        return cloud().account.clock().timestamp()

    monotonic = time

    @staticmethod
    def sleep(seconds: float) -> None:
        cloud().account.clock.advance(seconds=seconds)


class CloudDatetime(datetime):
    """`datetime` whose `now` is the account's."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:  # noqa: ARG003
        return cloud().account.clock()  # type: ignore[return-value]


class OfOneContainer:
    """A client as one container has it: what it registers on its events ends with it, as no attempt is ever sent."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_, **__: None))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@cache
def _logger() -> Logger:
    """One logger for all containers, writing nowhere."""
    made = Logger(service="jitr-faults", utc=True, stream=Nowhere())
    made._logger.propagate = False
    return made


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The account in memory, in place of AWS for every container made in this test."""
    found = cloud()

    def session(**_: Any) -> Any:
        # What a container registers on its session ends with it; no attempt is ever sent.
        return SimpleNamespace(
            client=lambda service, **_: OfOneContainer(found.client(service)), events=HierarchicalEmitter()
        )

    monkeypatch.setattr(boto3, "Session", session)
    monkeypatch.setattr("jitr.telemetry.telemetry.Logger", lambda **_: _logger())
    monkeypatch.setattr("sys.stdout", Nowhere())
    for module in (activate, authorities, bulk, clients, enforce, roll_out):
        _on_cloud_time(monkeypatch, module)
    return found


def _on_cloud_time(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    if hasattr(module, "time"):
        monkeypatch.setattr(module, "time", CloudTime)
    if hasattr(module, "datetime"):
        monkeypatch.setattr(module, "datetime", CloudDatetime)


def activation(aws: Cloud) -> activate.ActivationHandler:
    """A cold container of the activation function."""
    clock = aws.account.clock
    surroundings = clients.Surroundings(clock=clock, sleep=CloudTime.sleep, chance=aws.chance.random)
    return activate.build_function(aws.configuration, WITH_QUEUES, surroundings)


def enforcement(aws: Cloud) -> enforce.EnforcementHandler:
    """A cold container of the enforcement function."""
    return enforce.build_function(aws.configuration, ENVIRONMENT)


def bulk_work(aws: Cloud) -> bulk.BulkHandler:
    """A cold container of the bulk function."""
    return bulk.build_function(aws.configuration, ENVIRONMENT, WORK_QUEUE)


def rollout(aws: Cloud) -> roll_out.RollOutHandler:
    """A cold container of the roll-out function."""
    return replace(roll_out.build_function(aws.configuration, ENVIRONMENT), answers=_answers(aws))


def certificate_authorities(aws: Cloud) -> authorities.AuthoritiesHandler:
    """A cold container of the authorities function."""
    return replace(authorities.build_function(aws.configuration, ENVIRONMENT), answers=_answers(aws))


def _answers(aws: Cloud) -> Answers:
    def request(_method: str, _url: str, *, body: bytes, **_: Any) -> Any:
        return aws.answer_resource(body)

    return Answers(http=SimpleNamespace(request=request), anywhere=True)  # type: ignore[arg-type]


Container = Callable[[Cloud], Any]
