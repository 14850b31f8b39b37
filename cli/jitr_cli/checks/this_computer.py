"""Whether this computer's clock and fleet file are those that the deployment's answers fit to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from jitr.settings import Configuration
from jitr_cli.diagnosis.deployed import Deployed
from jitr_cli.diagnosis.finding import Check, Finding, error, ok, unknown, warning
from jitr_fleet.deployments.configuration import configuration_of
from jitr_fleet.deployments.stack_outputs import StackOutputs
from jitr_fleet.deployments.versions import is_newer, own_version, version_words

# Leases and CRLs that this computer writes are read by AWS's clock; AWS itself refuses signatures five minutes off.
_SECONDS_OFF = 15
_SECONDS_WRONG = 120


def clock(deployed: Deployed) -> Iterator[Finding]:
    """Compare this computer's clock with AWS's."""
    yield judge_clock(deployed.now, deployed.aws_date)


def judge_clock(now: datetime, aws: datetime | None) -> Finding:
    """Judge the distance of two clocks; AWS's has whole seconds."""
    if aws is None:
        return unknown("AWS's answer has no date to compare this computer's clock with", fix="date -u; compare by hand")
    seconds = abs((now - aws).total_seconds())
    words = f"this computer's clock is {seconds:.0f} seconds off AWS's"
    if seconds > _SECONDS_WRONG:
        return error(f"{words}: what it signs is dated wrong", fix="set it, and let NTP keep it")
    if seconds > _SECONDS_OFF:
        return warning(f"{words}: commands that take leases refuse to run", fix="set it, and let NTP keep it")
    return ok(words)


def fleet_file(deployed: Deployed) -> Iterator[Finding]:
    """Compare what the functions run with to what the fleet file here says."""
    if deployed.broken_fleet_file:
        yield unknown(
            f"the fleet file here cannot be used, nothing is compared with it: {deployed.broken_fleet_file}",
            fix="jitr fleet check",
        )
        return
    if deployed.wanted is None:
        yield ok("no fleet file here names this deployment: nothing to compare with")
        return
    yield judge_fleet_file(deployed.configuration, configuration_of(deployed.wanted), deployed.stack.deployment)


def judge_fleet_file(running: Configuration, wanted: Configuration, name: str) -> Finding:
    """Judge which parts differ; what only the deploy knows of CAs in AWS Private CA is left out."""
    here, there = _comparable(wanted), _comparable(running)
    different = sorted(key for key in here if here[key] != there[key])
    if different:
        return warning(
            f"what runs is not what the fleet file here says: {', '.join(different)}",
            fix=f"cdk diff {name}, then deploy it, or take the newer file",
        )
    return ok("what runs is what the fleet file here says")


def version(deployed: Deployed) -> Iterator[Finding]:
    """Compare the stack's version with this one's, and name the outputs that it lacks."""
    yield judge_version(deployed.stack, own_version())


def judge_version(stack: StackOutputs, own: str) -> Finding:
    """Judge both; another version works as far as it can, so it is no error."""
    lacking = f"; it has no output {', '.join(stack.missing())}" if stack.missing() else ""
    if is_newer(stack.version, own):
        return warning(
            f"jitr {stack.version} deployed it, and this is the older {own}{lacking}",
            fix=f"pipx install 'jitr=={stack.version}'; docs/upgrading.md",
        )
    if stack.version != own or lacking:
        return warning(
            f"jitr {version_words(stack.version)} deployed it, and this is {own}{lacking}",
            fix=f"cdk diff {stack.deployment}, then deploy it; docs/upgrading.md",
        )
    return ok(f"jitr {own} deployed it, as this is")


def _comparable(configuration: Configuration) -> dict[str, Any]:
    data = asdict(configuration)
    # What the check `version` is about.
    del data["version"]
    for ca in data["cas"]:
        if ca["known_at_deploy"]:
            ca["ca_certificate_id"] = ca["crl"] = ""
    return data


CHECKS = (
    Check("clock", "this computer's clock is AWS's", clock),
    Check("version", "the version that was deployed is this one", version),
    Check("fleet_file", "what runs is what the fleet file on this computer says", fleet_file),
)
