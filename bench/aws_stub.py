"""AWS that answers at once and correctly, below botocore: what is measured above it is real serialising and signing.

Every request is answered from its own bytes by botocore's `before-send` event, in the place of the network. IoT knows
certificates that are PENDING_ACTIVATION and one CA; DynamoDB is a table in memory; S3 has objects with ETags.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import botocore.handlers
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from tests.aws.fake_iot import ACCOUNT, REGION
from tests.aws.memory_aws import MemoryTable

_REGISTERED = 1_795_000_000.5
_IOT_OPERATIONS = {
    ("GET", "certificates", ""): "DescribeCertificate",
    ("GET", "cacertificate", ""): "DescribeCACertificate",
    ("PUT", "certificates", ""): "UpdateCertificate",
    ("PUT", "target-policies", ""): "AttachPolicy",
    ("POST", "policies", ""): "CreatePolicy",
    ("POST", "things", ""): "CreateThing",
    ("PUT", "things", "principals"): "AttachThingPrincipal",
}
_NOT_FOUND, _NOT_MODIFIED, _OK, _BAD_REQUEST = 404, 304, 200, 400


class _Body(io.BytesIO):
    """A body as urllib3 hands it over."""

    def stream(self, amount: int | None = None) -> Iterator[bytes]:
        """Yield the whole of it."""
        del amount
        yield self.read()

    def release_conn(self) -> None:
        """Give back no connection."""


@dataclass
class AwsStub:
    """One account; `certificates` and `cas` are PEM by id, `objects` the bytes by key of the one bucket."""

    certificates: dict[str, str] = field(default_factory=dict)
    cas: dict[str, str] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    table: MemoryTable = field(default_factory=MemoryTable)
    calls: list[str] = field(default_factory=list)

    @contextmanager
    def in_place_of_the_network(self) -> Iterator[None]:
        """Answer every client of sessions that are made inside."""
        handler = ("before-send", self._answer)
        botocore.handlers.BUILTIN_HANDLERS.append(handler)
        try:
            yield
        finally:
            botocore.handlers.BUILTIN_HANDLERS.remove(handler)

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        url = urlsplit(request.url)
        match url.netloc.partition(".")[0]:
            case "iot":
                status, answer = self.iot(request.method, unquote(url.path))
            case "dynamodb":
                status, answer = self._dynamodb(request)
            case _:
                return self._s3(request, url.path)
        return _response(request, status, {"content-type": "application/json"}, json.dumps(answer).encode())

    def iot(self, method: str, path: str) -> tuple[int, dict[str, Any]]:
        """Answer a call to AWS IoT: status and body."""
        kind, name = path.strip("/").split("/", 1)
        name, _, part = name.partition("/")
        operation = _IOT_OPERATIONS[method, kind, part]
        self.calls.append(operation)
        match operation:
            case "DescribeCertificate":
                ca = next(iter(self.cas))
                return _OK, {"certificateDescription": _description(name, self.certificates[name], ca)}
            case "DescribeCACertificate":
                return _OK, {"certificateDescription": _ca_description(name, self.cas[name]), "registrationConfig": {}}
        return _OK, {}

    def _dynamodb(self, request: AWSPreparedRequest) -> tuple[int, dict[str, Any]]:
        operation = _text(request.headers["X-Amz-Target"]).rpartition(".")[2]
        self.calls.append(operation)
        given = json.loads(_text(request.body))
        match operation:
            case "GetItem":
                item = self.table.get(given["Key"])
                return _OK, {} if item is None else {"Item": item}
            case "BatchGetItem":
                ((name, wanted),) = given["RequestItems"].items()
                return _OK, {"Responses": {name: self.table.get_many(wanted["Keys"])}, "UnprocessedKeys": {}}
            case "UpdateItem":
                values, condition = given.get("ExpressionAttributeValues", {}), given.get("ConditionExpression")
                item = self.table.update(given["Key"], given["UpdateExpression"], values, condition=condition)
                if item is None:
                    return _BAD_REQUEST, {"__type": "x#ConditionalCheckFailedException", "message": "no"}
                return _OK, {"Attributes": item}
        raise NotImplementedError(operation)

    def _s3(self, request: AWSPreparedRequest, path: str) -> AWSResponse:
        self.calls.append(f"S3 {request.method}")
        found = self.objects.get(path.rpartition("/")[2])
        if found is None:
            return _response(request, _NOT_FOUND, {}, b"<Error><Code>NoSuchKey</Code></Error>")
        tag = f'"{hashlib.md5(found, usedforsecurity=False).hexdigest()}"'
        if _text(request.headers.get("If-None-Match", "")) == tag:
            return _response(request, _NOT_MODIFIED, {"etag": tag}, b"")
        return _response(request, _OK, {"etag": tag, "content-length": str(len(found))}, found)


def _text(given: object) -> str:
    return given.decode() if isinstance(given, bytes) else str(given)


def _response(request: AWSPreparedRequest, status: int, headers: dict[str, str], body: bytes) -> AWSResponse:
    given: Any = {"x-amzn-requestid": "0", **headers}
    return AWSResponse(request.url, status, given, _Body(body))


def _description(certificate_id: str, pem: str, ca_certificate_id: str) -> dict[str, Any]:
    """Describe a certificate with every field that AWS sends."""
    return {
        "certificateArn": f"arn:aws:iot:{REGION}:{ACCOUNT}:cert/{certificate_id}",
        "certificateId": certificate_id,
        "caCertificateId": ca_certificate_id,
        "status": "PENDING_ACTIVATION",
        "certificatePem": pem,
        "ownedBy": ACCOUNT,
        "creationDate": _REGISTERED,
        "lastModifiedDate": _REGISTERED,
        "customerVersion": 1,
        "generationId": "00000000-0000-0000-0000-000000000000",
        "transferData": {},
        "validity": {"notBefore": _REGISTERED, "notAfter": _REGISTERED},
        "certificateMode": "DEFAULT",
    }


def _ca_description(certificate_id: str, pem: str) -> dict[str, Any]:
    return {
        "certificateArn": f"arn:aws:iot:{REGION}:{ACCOUNT}:cacert/{certificate_id}",
        "certificateId": certificate_id,
        "status": "ACTIVE",
        "certificatePem": pem,
        "ownedBy": ACCOUNT,
        "creationDate": _REGISTERED,
        "autoRegistrationStatus": "ENABLE",
        "certificateMode": "DEFAULT",
    }
