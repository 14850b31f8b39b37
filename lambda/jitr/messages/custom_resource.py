"""CloudFormation's side of a custom resource: what it asks for, and the answer that it waits for.

An answer that never comes holds a deploy up until the resource's own time limit, so whoever takes a request answers it
whatever happens. Source: CloudFormation user guide, "Custom resource request objects" and "… response objects".
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import urllib3
from urllib3.util import Retry, Timeout, parse_url

from jitr.errors import Reason, Undecided

T = TypeVar("T")
CREATE, DELETE = "Create", "Delete"
# The answer as a whole may have 4,096 bytes; JSON writes a character as six at most.
_LONGEST_REASON = 500
_LONGEST_ANSWER = 4096
_TOO_LONG = (
    "a chain of such certificates is too long for a CA that the stack creates; create it in AWS Private CA yourself, "
    "and give the fleet file its ARN as private_ca"
)
# All attempts together take half a minute at most.
_RETRIES = Retry(total=3, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504), redirect=0)
_TIMEOUT = Timeout(connect=2, read=5)
_LAST_GOOD_STATUS = 299
# Where CloudFormation's buckets are: an event that names another address is not from there.
_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")
_OVERRIDE = "AWS_ENDPOINT_URL"
# IAM takes some seconds until permissions that the same deploy has granted are known everywhere, and others use the
# quota too. What is still refused at the last try is refused for good.
TRIES = 7
PAUSE_SECONDS = 10.0
_PASSING = (Reason.ACCESS_DENIED, Reason.THROTTLED)


class AnswerFailedError(Exception):
    """CloudFormation could not be answered; asked again, the function answers again."""


@dataclass(frozen=True, kw_only=True)
class ResourceRequest:
    """What CloudFormation asks for: `Create`, `Update` (also to roll back) or `Delete`; no physical id on `Create`.

    `old_properties` are what an `Update` starts from, and empty otherwise.
    """

    request_type: str
    resource_type: str
    response_url: str
    stack_id: str
    request_id: str
    logical_id: str
    physical_id: str | None
    properties: Mapping[str, Any]
    old_properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def answered_id(self) -> str:
        """Return the physical id to answer: never another than before, because CloudFormation would then replace."""
        return self.physical_id or self.logical_id

    @classmethod
    def parse(cls, event: object) -> Self:
        """Read CloudFormation's event; raises ValueError for anything else. Not checked: who sent it (IAM does)."""
        match event:
            case {
                "RequestType": str(request_type),
                "ResponseURL": str(response_url),
                "StackId": str(stack_id),
                "RequestId": str(request_id),
                "LogicalResourceId": str(logical_id),
                **rest,
            }:
                physical_id, kind = rest.get("PhysicalResourceId"), rest.get("ResourceType")
                return cls(
                    request_type=request_type,
                    resource_type=kind if isinstance(kind, str) else "",
                    response_url=response_url,
                    stack_id=stack_id,
                    request_id=request_id,
                    logical_id=logical_id,
                    physical_id=physical_id if isinstance(physical_id, str) else None,
                    properties=_table(rest.get("ResourceProperties")),
                    old_properties=_table(rest.get("OldResourceProperties")),
                )
        raise ValueError("no custom resource request of CloudFormation")


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Answers:
    """Sends answers to the address that a request names: one object in a bucket of CloudFormation's, by signed URL.

    `anywhere` takes addresses that are not AWS's too, as on an emulator, where AWS_ENDPOINT_URL is set.
    """

    http: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)
    anywhere: bool = field(default_factory=lambda: bool(os.environ.get(_OVERRIDE)))

    def send(
        self,
        request: ResourceRequest,
        *,
        failure: str | None,
        attributes: Mapping[str, str] | None = None,
        physical_id: str | None = None,
    ) -> None:
        """Answer SUCCESS with what Fn::GetAtt reads, or FAILED with `failure` as the reason; raises AnswerFailedError.

        `physical_id` is another one than before only where another resource stands in its place. Attributes that do
        not fit into an answer make it FAILED.
        """
        answer: dict[str, Any] = {
            "Status": "SUCCESS" if failure is None else "FAILED",
            "Reason": (failure or "")[:_LONGEST_REASON],
            "PhysicalResourceId": physical_id or request.answered_id,
            "StackId": request.stack_id,
            "RequestId": request.request_id,
            "LogicalResourceId": request.logical_id,
        }
        body = json.dumps(answer | ({"Data": dict(attributes)} if attributes else {})).encode()
        if len(body) > _LONGEST_ANSWER:
            reason = f"the answer has {len(body)} bytes; CloudFormation takes {_LONGEST_ANSWER}: {_TOO_LONG}"
            body = json.dumps(answer | {"Status": "FAILED", "Reason": reason}).encode()
        try:
            self._verify(request.response_url)
            response = self.http.request(
                "PUT",
                request.response_url,
                body=body,
                # The URL is signed for no content type.
                headers={"Content-Type": ""},
                retries=_RETRIES,
                timeout=_TIMEOUT,
            )
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            # The URL is as good as a password, and errors repeat it.
            raise AnswerFailedError(f"CloudFormation was not reached: {type(error).__name__}") from None
        if response.status > _LAST_GOOD_STATUS:
            raise AnswerFailedError(f"CloudFormation's bucket answered {response.status}")

    def _verify(self, address: str) -> None:
        # Read by what sends the answer: another reader may see another host.
        found = parse_url(address)
        if found.scheme not in ("http", "https"):
            raise AnswerFailedError("the address to answer is none")
        if not self.anywhere and not (found.scheme == "https" and (found.host or "").endswith(_AWS_HOSTS)):
            raise AnswerFailedError("the address to answer is not one of AWS's")


def patiently(action: Callable[[], T], *, sleep: Callable[[float], None]) -> T:
    """Do something that is safe to repeat, for a minute again where a refusal may pass; raises what it raises."""
    for _ in range(TRIES - 1):
        try:
            return action()
        except Undecided as refusal:
            if refusal.reason not in _PASSING:
                raise
            sleep(PAUSE_SECONDS)
    return action()


def answer_without_function(request: ResourceRequest, failure: str) -> bool:
    """Answer for a function that cannot even begin; returns whether that is all.

    A Delete succeeds: nothing is ever done at one, and a stack has to be deletable. Everything else fails, and has to
    be raised by the caller.
    """
    nothing_to_do = request.request_type == DELETE
    Answers().send(request, failure=None if nothing_to_do else failure)
    return nothing_to_do
