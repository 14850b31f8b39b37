"""`jitr local env`: the shell variables that point ordinary clients at the stack on this computer."""

from __future__ import annotations

import click

from jitr_cli.console.call import Call, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_local.checkout import LOCAL_STATE
from jitr_local.stack.local_stack import LocalStack


@local_command("env")
def command(call: Call) -> ExitCode:
    """Print `export` lines for endpoint, Region, test credentials and MQTT: eval "$(jitr local env)"."""
    instance = LocalStack(LOCAL_STATE).instance()
    if instance is None:
        raise CommandFailed("no local stack runs: start one with `jitr local up`", ExitCode.AWS)
    return call.finish(instance.shell_variables(), words=lambda: click.echo(instance.exports()))
