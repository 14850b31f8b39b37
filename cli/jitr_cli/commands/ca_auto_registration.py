"""`jitr ca auto-registration on|off`: whether unknown devices of a CA are registered at their first connect."""

from __future__ import annotations

from typing import Any

import click

from jitr_cli.aws import writing_options
from jitr_cli.ca_switch import Invocation, Switch, switch
from jitr_cli.commands.ca_release import ca_option
from jitr_cli.exit_codes import ExitCode

CHANGES = {
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


@click.command("auto-registration")
@click.argument("state", type=click.Choice(sorted(CHANGES)))
@ca_option
@writing_options
def command(*, state: str, **options: Any) -> ExitCode:  # noqa: ANN401 - handed on as they are
    """Switch a CA's auto-registration on or off.

    Off keeps out devices that AWS IoT has not seen yet. To stop those that wait too: `jitr ca hold` or
    `jitr ca deactivate`.
    """
    return switch(CHANGES[state], Invocation(**options))
