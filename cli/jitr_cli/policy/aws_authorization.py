"""Asks AWS IoT itself what a certificate may do (TestAuthorization), for comparison with the local evaluator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jitr_cli.console.failures import CommandFailed
from jitr_fleet.policies.evaluation.decision import AuthDecision
from jitr_fleet.policies.evaluation.request import AccessRequest

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

# The only actions that TestAuthorization knows (API reference, AuthInfo).
_ACTION_TYPES = {
    "iot:connect": "CONNECT",
    "iot:publish": "PUBLISH",
    "iot:subscribe": "SUBSCRIBE",
    "iot:receive": "RECEIVE",
}
_VERDICTS = {
    "ALLOWED": AuthDecision.ALLOWED,
    "EXPLICIT_DENY": AuthDecision.EXPLICIT_DENY,
    "IMPLICIT_DENY": AuthDecision.IMPLICIT_DENY,
}


@dataclass(frozen=True)
class AwsAnswer:
    """What AWS IoT decides, by which policies, and which values it missed to fill variables with."""

    decision: AuthDecision
    policies: tuple[str, ...]
    missing: tuple[str, ...]


def ask_aws(client: IoTClient, request: AccessRequest, *, principal: str) -> AwsAnswer:
    """Return AWS IoT's decision for the certificate with ARN `principal`, by the policies attached to it there.

    One call; AWS IoT looks neither at a Thing's attachment by the facts given here nor at policies on this computer.
    Raises CommandFailed for an action that AWS does not test, botocore's errors where AWS refuses.
    """
    action = _ACTION_TYPES.get(request.action.lower())
    if action is None:
        raise CommandFailed(f"AWS tests {', '.join(_ACTION_TYPES)} only, not {request.action}; leave --aws out")
    arguments: dict[str, Any] = {
        "principal": principal,
        "authInfos": [{"actionType": action, "resources": [request.resource]}],
    }
    if request.facts.client_id is not None:
        arguments["clientId"] = request.facts.client_id
    (result,) = client.test_authorization(**arguments)["authResults"]
    denied = result.get("denied", {})
    reasons = (result.get("allowed", {}), denied.get("explicitDeny", {}), denied.get("implicitDeny", {}))
    policies = {policy["policyName"]: None for reason in reasons for policy in reason.get("policies", ())}
    return AwsAnswer(
        decision=_VERDICTS[result["authDecision"]],
        policies=tuple(policies),
        missing=tuple(result.get("missingContextValues", ())),
    )
