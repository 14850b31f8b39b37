"""One AWS account in plain memory behind real boto3 clients, fast enough for thousands of cases.

Requests are validated and errors raised by botocore; the answers come from the strict AWS IoT of fake_iot.py, from the
table of memory_aws.py (which evaluates the real expressions) and from the small services of services.py. An account can
be copied, so each case starts from the same state.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from random import Random
from types import SimpleNamespace
from typing import Any

import boto3
import botocore
import urllib3
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from jitr.settings import Configuration
from tests.aws.fake_connections import FakeConnections
from tests.aws.fake_iot import _STATUS_CODES as IOT_STATUS_CODES
from tests.aws.fake_iot import REGION, FakeIot
from tests.aws.fake_iot_policies import Refused
from tests.aws.memory_sqs import MemorySqs
from tests.faults.machine.injection import Call, Fault, Faults
from tests.faults.machine.services import MemoryDynamoDb, MemoryPrivateCa, MemoryS3, MemoryStacks
from tests.worlds.deployment import Clock

SERVICES = ("iot", "iot-data", "dynamodb", "s3", "sqs", "acm-pca", "cloudformation")
_THROTTLED = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "s3": "SlowDown",
    "sqs": "RequestThrottled",
    "cloudformation": "Throttling",
}
_DENIED = {"s3": "AccessDenied", "sqs": "AccessDenied", "cloudformation": "AccessDenied"}


@dataclass(frozen=True)
class StatusChange:
    """A certificate's status set by the API: what it was, what it is, and what was attached and published then."""

    certificate_id: str
    before: str
    after: str
    policies: tuple[str, ...]
    things: tuple[str, ...]
    published: Mapping[str, bytes]
    at: datetime


@dataclass
class Account:
    """Everything that AWS holds, and the time."""

    clock: Clock = field(default_factory=Clock)
    iot: FakeIot = field(default_factory=FakeIot)
    dynamodb: MemoryDynamoDb = field(default_factory=MemoryDynamoDb)
    s3: MemoryS3 = field(default_factory=MemoryS3)
    sqs: MemorySqs = field(init=False)
    private_ca: MemoryPrivateCa = field(default_factory=MemoryPrivateCa)
    stacks: MemoryStacks = field(default_factory=MemoryStacks)
    connections: FakeConnections = field(init=False)
    changes: list[StatusChange] = field(default_factory=list)
    resource_answers: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sqs = MemorySqs(self.clock)
        self.connections = FakeConnections(self.iot, clock=self.clock)

    def copied(self) -> Account:
        """Return an account that nothing done to this one reaches."""
        return copy.deepcopy(self)

    def answer(self, service: str, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Do what one call asks for; raises Refused."""
        if service == "iot":
            return self._iot(operation, given)
        if service == "iot-data":
            return self.connections.answer(operation, given)
        services: dict[str, Any] = {
            "dynamodb": self.dynamodb,
            "s3": self.s3,
            "sqs": self.sqs,
            "acm-pca": self.private_ca,
            "cloudformation": self.stacks,
        }
        answer: dict[str, Any] = getattr(services[service], operation)(given)
        return answer

    def _iot(self, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
        certificate = self.iot.certificates.get(given.get("certificateId", ""))
        before = certificate.status if certificate is not None else ""
        handler = getattr(self.iot, f"_{botocore.xform_name(operation)}")
        answer: dict[str, Any] = handler(given)
        if operation == "UpdateCertificate" and certificate is not None:
            self.changes.append(
                StatusChange(
                    certificate_id=given["certificateId"],
                    before=before,
                    after=certificate.status,
                    policies=tuple(certificate.policies),
                    things=tuple(certificate.things),
                    published=dict(self.s3.objects),
                    at=self.clock(),
                )
            )
        return answer


class Cloud:
    """The account that the clients talk to now, the faults on the way there, and what is deployed."""

    def __init__(self) -> None:
        self.account = Account()
        self.configuration = Configuration(deployment="test")
        self.chance = Random(1)  # noqa: S311
        self.faults = Faults(wait=lambda seconds: self.account.clock.advance(seconds=seconds))
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        self._clients = {each: self._client(session, each) for each in SERVICES}

    def begin(self, account: Account, configuration: Configuration) -> None:
        """Start a case: a copy of an account, and nothing wrong with it."""
        self.account, self.configuration = account.copied(), configuration
        self.chance = Random(1)  # noqa: S311 - the same in every run
        self.faults.end()

    def client(self, service: str) -> Any:
        """Return the client of a service, the same for all containers."""
        return self._clients[service]

    def answer_resource(self, body: bytes) -> Any:
        """Take the answer of a custom resource, as CloudFormation's bucket does."""

        def put() -> Any:
            self.account.resource_answers.append(json.loads(body))
            return SimpleNamespace(status=200)

        return self.faults.around(Call("https", "PutAnswer"), put, _HttpWire())

    def _client(self, session: boto3.Session, service: str) -> Any:
        client = session.client(service, config=Config(retries={"max_attempts": 0}, user_agent="jitr"))  # type: ignore[call-overload]
        client.meta.events.register(f"provide-client-params.{service}", _keep_parameters)
        # Where a request would go costs as much to find out as the rest of a call, and nothing is sent.
        client._ruleset_resolver = None
        client.meta.events.register_first(f"before-call.{service}", partial(self._call, service))
        return client

    def _call(self, service: str, *, model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        def effect() -> tuple[Any, dict[str, Any]]:
            try:
                answer = self.account.answer(service, model.name, context["parameters"])
            except Refused as refusal:
                return _refused(refusal.code, _STATUS_CODES.get(refusal.code, 400), str(refusal))
            return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}

        found: tuple[Any, dict[str, Any]] = self.faults.around(Call(service, model.name), effect, _SdkWire())
        return found


_STATUS_CODES = {**IOT_STATUS_CODES, "304": 304, "NoSuchKey": 404, "AccessDenied": 403}


def _refused(code: str, status: int, message: str) -> tuple[Any, dict[str, Any]]:
    error = {"Error": {"Code": code, "Message": message}}
    return SimpleNamespace(status_code=status), {**error, "ResponseMetadata": {"HTTPStatusCode": status}}


class _SdkWire:
    """Faults as botocore sees them."""

    def refusal(self, call: Call, fault: Fault) -> Any:
        if fault is Fault.DENIED:
            return _refused(_DENIED.get(call.service, "AccessDeniedException"), 403, "injected")
        if fault is Fault.SERVER_ERROR:
            return _refused("InternalError" if call.service == "s3" else "InternalFailureException", 500, "injected")
        return _refused(_THROTTLED.get(call.service, "ThrottlingException"), 429, "injected")

    def silence(self, call: Call) -> Exception:
        return ReadTimeoutError(endpoint_url=f"https://{call.service}.example")


class _HttpWire:
    """Faults as urllib3 shows them when its own attempts are over."""

    def refusal(self, call: Call, fault: Fault) -> Any:
        status = {Fault.DENIED: 403, Fault.SERVER_ERROR: 500, Fault.THROTTLED: 503}[fault]
        return SimpleNamespace(status=status)

    def silence(self, call: Call) -> Exception:
        return urllib3.exceptions.ReadTimeoutError(None, str(call), "injected")  # type: ignore[arg-type]


def _keep_parameters(*, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["parameters"] = params


@cache
def cloud() -> Cloud:
    """The one of this process: making clients takes longer than many cases."""
    return Cloud()
