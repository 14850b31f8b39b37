"""`jitr ca activate`: make a CA ACTIVE in AWS IoT."""

from __future__ import annotations

from typing import Any

import click

from jitr_cli.aws import writing_options
from jitr_cli.ca_switch import Invocation, Switch, switch
from jitr_cli.commands.ca_release import ca_option
from jitr_cli.exit_codes import ExitCode

CHANGE = Switch(
    is_on=lambda known: known.active,
    make=lambda registry, identifier: registry.set_status(identifier, active=True),
    state="ACTIVE",
    effect="its devices may register and become ACTIVE",
    lets_devices_in=True,
)


@click.command("activate")
@ca_option
@writing_options
def command(**options: Any) -> ExitCode:  # noqa: ANN401 - handed on as they are
    """Make a CA ACTIVE in AWS IoT, so that its devices may register.

    AWS IoT, the fleet file and operators' holds each can keep devices out; what still does is said afterwards.
    """
    return switch(CHANGE, Invocation(**options))
