"""`jitr ca deactivate`: make a CA INACTIVE in AWS IoT."""

from __future__ import annotations

from typing import Any

import click

from jitr_cli.aws import writing_options
from jitr_cli.ca_switch import Invocation, Switch, switch
from jitr_cli.commands.ca_release import ca_option
from jitr_cli.exit_codes import ExitCode

CHANGE = Switch(
    is_on=lambda known: not known.active,
    make=lambda registry, identifier: registry.set_status(identifier, active=False),
    state="INACTIVE",
    effect="no new device registers, and within a minute no waiting one becomes ACTIVE; those that are ACTIVE stay so",
    lets_devices_in=False,
)


@click.command("deactivate")
@ca_option
@writing_options
def command(**options: Any) -> ExitCode:  # noqa: ANN401 - handed on as they are
    """Make a CA INACTIVE in AWS IoT: no new device registers, and none that waits becomes ACTIVE.

    Devices that are ACTIVE stay so. A deploy makes the CA ACTIVE again only if its entry in the fleet file was changed.
    """
    return switch(CHANGE, Invocation(**options))
