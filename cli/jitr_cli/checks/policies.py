"""Whether the policies in AWS IoT are what their templates say."""

from __future__ import annotations

from collections.abc import Iterator

from jitr.aws.iot import IotRegistry
from jitr.policies.rollout import same_policy, shared_policies
from jitr.policies.values import PolicyError
from jitr_cli.diagnosis.deployed import Deployed
from jitr_cli.diagnosis.finding import Check, Finding, error, ok, warning


def in_sync(deployed: Deployed) -> Iterator[Finding]:
    """Compare each shared policy's default version with its template in the last deploy."""
    if deployed.observes:
        yield ok("a deployment that observes rolls out no policies")
        return
    registry = IotRegistry(deployed.aws.client("iot"))
    try:
        wanted = shared_policies(deployed.configuration, deployed.values)
    except PolicyError as mistake:
        yield error(f"a template cannot be rendered: {mistake}", fix="docs/runbook/reasons.md#policy_unusable")
        return
    for name, document in wanted.items():
        found = registry.policy_document(name)
        if found is None:
            yield warning(f"the policy {name} is not in AWS IoT; the next activation creates it", fix=deployed.restore)
        elif same_policy(found, document):
            yield ok(f"the policy {name} is what its template says")
        else:
            yield error(
                f"the policy {name} was changed past its template",
                fix="jitr policy diff; docs/runbook/alarms.md#drifted-policies",
            )
    if not wanted:
        yield ok("there is no shared policy")


CHECKS = (Check("policies", "the policies in AWS IoT are what their templates say", in_sync),)
