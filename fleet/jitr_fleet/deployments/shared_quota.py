"""Deployments of one account and Region: they share AWS IoT's quota, and none of them sees what the others use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from jitr_fleet.deployments.deployment import Deployment

# The lowest of the quotas of an activation's calls, unless AWS raised it (AWS IoT Core endpoints and quotas).
USUAL_TPS: Final = 10


def neighbours(deployment: Deployment, fleet: Iterable[Deployment]) -> dict[str, int]:
    """Return the other deployments of its account and Region, and how many calls a second each reckons with."""
    place = (deployment.account, deployment.region)
    others = (each for each in fleet if each.name != deployment.name)
    return {each.name: each.api_tps for each in others if (each.account, each.region) == place}


def shared_quota_warning(name: str, api_tps: int, others: Mapping[str, int], *, quota: float = USUAL_TPS) -> str | None:
    """Return a sentence where deployments that share a quota reckon with more than it; None where they do not."""
    total = api_tps + sum(others.values())
    if not others or total <= quota:
        return None
    listed = ", ".join(sorted([name, *others]))
    return (
        f"{listed} are in one account and Region and reckon together with {total} AWS IoT calls a second of one quota "
        f"of {quota:g}: they throttle each other; let their api_tps make {quota:g} together, or have the quota raised "
        "(docs/sizing.md, Many CAs)"
    )
