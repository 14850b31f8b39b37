"""Switching a CA in AWS IoT, for the three commands that do it: what it is now, question, call, what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jitr_cli.aws import Aws, ask
from jitr_cli.ca_management import announce, deployments_here, describe_management, managements
from jitr_cli.ca_obstacles import obstacles
from jitr_cli.ca_registry import CaRegistration, CaRegistry
from jitr_cli.exit_codes import ExitCode
from jitr_cli.output import emit_json, say


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """How a command was called."""

    aws: Aws
    ca_certificate_id: str
    deployment: str | None
    dry_run: bool
    yes: bool
    as_json: bool


@dataclass(frozen=True, kw_only=True)
class Switch:
    """One change: whether it is made already, how to make it, and the words about it."""

    is_on: Callable[[CaRegistration], bool]
    make: Callable[[CaRegistry, str], None]
    state: str
    effect: str
    lets_devices_in: bool


def switch(change: Switch, call: Invocation) -> ExitCode:
    """Make the change unless it is made already, and say what still keeps devices out."""
    registry = CaRegistry(call.aws.client("iot"))
    known = registry.describe(call.ca_certificate_id)
    deployments = deployments_here(call.aws, call.deployment)
    announce(call.aws, deployments)
    name = known.certificate.subject.rfc4514_string()
    if change.is_on(known):
        say(f"CA {known.ca_certificate_id} ({name}) is {change.state} already; nothing to do")
    else:
        say(f"make CA {known.ca_certificate_id} ({name}) {change.state}: {change.effect}")
        for management in managements(deployments, known.ca_certificate_id):
            say(f"  {describe_management(management)}")
    changed = not change.is_on(known) and not call.dry_run
    if changed:
        ask(f"Make it {change.state}?", yes=call.yes)
        change.make(registry, known.ca_certificate_id)
        say("done")
        known = registry.describe(call.ca_certificate_id)
    if change.lets_devices_in:
        for each in obstacles(known, deployments, at=datetime.now(UTC)):
            say(f"note: {each}")
    if call.as_json:
        emit_json(_as_data(known, changed=changed))
    return ExitCode.DONE


def _as_data(known: CaRegistration, *, changed: bool) -> dict[str, Any]:
    return {
        "ca_certificate_id": known.ca_certificate_id,
        "status": known.status,
        "auto_registration": known.auto_registration,
        "changed": changed,
    }
