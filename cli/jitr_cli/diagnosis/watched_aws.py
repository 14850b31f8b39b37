"""AWS as a check reaches it: every client is made once, and calls that AWS refuses are noted by their IAM action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jitr_cli.console.aws import Aws

_DENIALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "ForbiddenException",
        "UnauthorizedException",
        "UnauthorizedOperation",
        "403",
    }
)
# Where IAM has another name for a service or a call than botocore (Service Authorization Reference).
_PREFIXES = {"monitoring": "cloudwatch"}
_ACTIONS = {
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
}


@dataclass(frozen=True)
class WatchedAws(Aws):
    """One account and Region; `denied` holds the IAM actions that were refused since somebody emptied it."""

    denied: list[str] = field(default_factory=list)
    _clients: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def watching(cls, aws: Aws) -> WatchedAws:
        """Return the same account and Region, watched."""
        return cls(aws.session, aws.endpoint_url, aws.default_region)

    def client(self, service: str) -> Any:  # noqa: ANN401 - as Aws.client
        """Return the client of a service."""
        if service not in self._clients:
            made = super().client(service)
            made.meta.events.register("after-call", self._note)
            self._clients[service] = made
        return self._clients[service]

    def _note(self, *, parsed: Mapping[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 - botocore's own
        if parsed.get("Error", {}).get("Code") in _DENIALS:
            prefix = model.service_model.signing_name
            action = f"{_PREFIXES.get(prefix, prefix)}:{model.name}"
            self.denied.append(_ACTIONS.get(action, action))
