"""`jitr ca activate`, `deactivate` and `auto-registration`: one change of a CA in AWS IoT, and what is left then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from jitr_cli.authorities.management import announce, deployments_here, describe_management, managements
from jitr_cli.authorities.obstacles import obstacles
from jitr_cli.authorities.registry import CaRegistry, DescribedCa
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import say


@dataclass(frozen=True, kw_only=True)
class Switch:
    """One change: whether it is made already, how to make it, and the words about it."""

    is_on: Callable[[DescribedCa], bool]
    make: Callable[[CaRegistry, str], None]
    state: str
    effect: str
    lets_devices_in: bool


_ACTIVATE = Switch(
    is_on=lambda known: known.active,
    make=lambda registry, identifier: registry.set_status(identifier, active=True),
    state="ACTIVE",
    effect="its devices may register and become ACTIVE",
    lets_devices_in=True,
)
_DEACTIVATE = Switch(
    is_on=lambda known: not known.active,
    make=lambda registry, identifier: registry.set_status(identifier, active=False),
    state="INACTIVE",
    effect="no new device registers, and within a minute no waiting one becomes ACTIVE; those that are ACTIVE stay so",
    lets_devices_in=False,
)
_AUTO_REGISTRATION = {
    "on": Switch(
        is_on=lambda known: known.auto_registration,
        make=lambda registry, identifier: registry.set_auto_registration(identifier, on=True),
        state="auto-registering",
        effect="AWS IoT registers its unknown devices at their first connect",
        lets_devices_in=True,
    ),
    "off": Switch(
        is_on=lambda known: not known.auto_registration,
        make=lambda registry, identifier: registry.set_auto_registration(identifier, on=False),
        state="not auto-registering",
        effect="AWS IoT registers none of its unknown devices; those that wait already may still become ACTIVE",
        lets_devices_in=False,
    ),
}


@writing_command("activate")
@ca_option
def activate(call: Call, *, ca_certificate_id: str) -> ExitCode:
    """Make a CA ACTIVE in AWS IoT, so that its devices may register.

    AWS IoT, the fleet file and operators' holds each can keep devices out; what still does is said afterwards.
    """
    return _switch(call, ca_certificate_id, _ACTIVATE)


@writing_command("deactivate")
@ca_option
def deactivate(call: Call, *, ca_certificate_id: str) -> ExitCode:
    """Make a CA INACTIVE in AWS IoT: no new device registers, and none that waits becomes ACTIVE.

    Devices that are ACTIVE stay so. A deploy makes the CA ACTIVE again only if its entry in the fleet file was changed.
    """
    return _switch(call, ca_certificate_id, _DEACTIVATE)


@writing_command("auto-registration")
@click.argument("state", type=click.Choice(sorted(_AUTO_REGISTRATION)))
@ca_option
def auto_registration(call: Call, *, state: str, ca_certificate_id: str) -> ExitCode:
    """Switch a CA's auto-registration on or off.

    Off keeps out devices that AWS IoT has not seen yet. To stop those that wait too: `jitr ca hold` or
    `jitr ca deactivate`.
    """
    return _switch(call, ca_certificate_id, _AUTO_REGISTRATION[state])


def _switch(call: Call, ca_certificate_id: str, change: Switch) -> ExitCode:
    """Make the change unless it is made already, and say what still keeps devices out."""
    registry = CaRegistry(call.aws.client("iot"))
    known = registry.describe(ca_certificate_id)
    deployments = deployments_here(call)
    announce(call, deployments)
    name, changed = known.subject_text, False
    if change.is_on(known):
        say(f"CA {known.ca_certificate_id} ({name}) is {change.state} already; nothing to do")
    else:
        say(f"make CA {known.ca_certificate_id} ({name}) {change.state}: {change.effect}")
        for management in managements(deployments, known.ca_certificate_id):
            say(f"  {describe_management(management)}")
        changed = call.confirm(f"Make it {change.state}?")
    if changed:
        change.make(registry, known.ca_certificate_id)
        say("done")
        known = registry.describe(ca_certificate_id)
    if change.lets_devices_in:
        for each in obstacles(known, deployments, at=datetime.now(UTC)):
            say(f"note: {each}")
    return call.finish(
        {
            "ca_certificate_id": known.ca_certificate_id,
            "status": known.status,
            "auto_registration": known.auto_registration,
            "changed": changed,
        }
    )
