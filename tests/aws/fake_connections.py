"""AWS IoT's connections for tests, as strict as iot-data's model and pages: a real boto3 client without the network.

A client is found by its id alone. It names the Thing of the certificate that it connected with, says since when it is
connected, and for 30 minutes why it is not any more; after that AWS IoT knows no such client. Ids that begin with `$`
or are too long are refused. What AWS leaves open is taken the strict way: DeleteConnection for a client that is not
connected finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import botocore
from botocore.config import Config

from tests.aws.fake_iot import REGION, FakeIot
from tests.aws.fake_iot_policies import Refused

KNOWN_FOR = timedelta(minutes=30)
_CLIENT_ID = re.compile(r"[^$].{0,127}", re.DOTALL)
_STATUS_CODES = {
    "ForbiddenException": 403,
    "ResourceNotFoundException": 404,
    "InvalidRequestException": 400,
    "ThrottlingException": 429,
    "InternalFailureException": 500,
}


@dataclass
class FakeClient:
    """One client: the certificate that it connected with, since when, and what ended that."""

    certificate_id: str
    connected_since: datetime
    disconnected_since: datetime | None = None
    reason: str | None = None


@dataclass
class FakeConnections:
    """The clients of one account; `deleted` lists what DeleteConnection was asked for, parameter by parameter.

    `refusal` is the error that every call meets, None while all is well.
    """

    iot: FakeIot
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    clients: dict[str, FakeClient] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    deleted: list[dict[str, Any]] = field(default_factory=list)
    refusal: str | None = None

    def connect(self, client_id: str, certificate_id: str) -> None:
        """Let a device connect; whoever has the same id is disconnected, as on AWS."""
        assert self.iot.certificates[certificate_id].status == "ACTIVE"
        self.clients[client_id] = FakeClient(certificate_id, self.clock())

    def is_connected(self, client_id: str) -> bool:
        """Return whether a client is connected."""
        return client_id in self.clients and self.clients[client_id].disconnected_since is None

    def client(self) -> Any:
        """Return a boto3 client that talks to this account."""
        client = boto3.client(
            "iot-data",
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0}),
        )
        client.meta.events.register("provide-client-params.iot-data", _keep_parameters)
        client.meta.events.register("before-call.iot-data", self._answer)
        return client

    def _answer(self, *, model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        self.calls.append(model.name)
        try:
            answer = self.answer(model.name, context["parameters"])
        except Refused as refusal:
            status = _STATUS_CODES[refusal.code]
            error = {"Error": {"Code": refusal.code, "Message": str(refusal)}}
            return SimpleNamespace(status_code=status), {**error, "ResponseMetadata": {"HTTPStatusCode": status}}
        return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}

    def answer(self, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Do what one call asks for; raises Refused."""
        if self.refusal is not None:
            raise Refused(self.refusal, "refused")
        if not _CLIENT_ID.fullmatch(given["clientId"]):
            raise Refused("InvalidRequestException", "clientId")
        answer: dict[str, Any] = getattr(self, "_" + botocore.xform_name(operation))(given)
        return answer

    def _get_connection(self, given: Mapping[str, Any]) -> dict[str, Any]:
        found = self._known(given["clientId"])
        things = self.iot.certificates[found.certificate_id].things
        answer: dict[str, Any] = {"clientId": given["clientId"], "cleanSession": True, "keepAliveDuration": 30}
        if things:
            answer["thingName"] = things[0]
        if given.get("includeSocketInformation"):
            answer |= {"sourceIp": "192.0.2.7", "sourcePort": 50123, "targetIp": "198.51.100.1", "targetPort": 8883}
        if found.disconnected_since is None:
            return answer | {"connected": True, "connectedSince": _milliseconds(found.connected_since)}
        return answer | {
            "connected": False,
            "disconnectedSince": _milliseconds(found.disconnected_since),
            "disconnectReason": found.reason,
        }

    def _delete_connection(self, given: Mapping[str, Any]) -> dict[str, Any]:
        found = self._known(given["clientId"])
        if found.disconnected_since is not None:
            raise Refused("ResourceNotFoundException", "not connected")
        self.deleted.append(dict(given))
        found.disconnected_since, found.reason = self.clock(), "API_INITIATED_DISCONNECT"
        return {}

    def _known(self, client_id: str) -> FakeClient:
        found = self.clients.get(client_id)
        ended = None if found is None else found.disconnected_since
        if found is None or (ended is not None and self.clock() - ended > KNOWN_FOR):
            raise Refused("ResourceNotFoundException", "no such client")
        return found


def _keep_parameters(*, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["parameters"] = params


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
