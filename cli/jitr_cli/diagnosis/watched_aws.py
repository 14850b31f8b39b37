"""AWS as a check reaches it: calls that AWS refuses are noted by their IAM action."""

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
    """One account and Region; `denied` holds the IAM actions that were refused since it was emptied."""

    denied: list[str] = field(default_factory=list)

    @classmethod
    def watching(cls, aws: Aws, *, default_region: str | None = None) -> WatchedAws:
        """Return the same account and Region, watched; `default_region` where nothing names one."""
        return cls(aws.session, aws.endpoint_url, aws.default_region or default_region)

    def made(self, client: Any) -> Any:  # noqa: ANN401 - as Aws.client
        """Watch a client from its first call on."""
        client.meta.events.register("after-call", self._note)
        return client

    def _note(self, *, parsed: Mapping[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 - botocore's own
        if parsed.get("Error", {}).get("Code") in _DENIALS:
            prefix = model.service_model.signing_name
            action = f"{_PREFIXES.get(prefix, prefix)}:{model.name}"
            self.denied.append(_ACTIONS.get(action, action))
