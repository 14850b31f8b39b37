"""`jitr local down`: stop the stack on this computer and forget everything in it."""

from __future__ import annotations

import click

from jitr_cli.console.output import say
from jitr_local.checkout import LOCAL_STATE
from jitr_local.stack.local_stack import LocalStack


@click.command()
def command() -> None:
    """Stop the stack on this computer and forget everything in it; done as well when none runs."""
    stack = LocalStack(LOCAL_STATE)
    with stack.reserved(say):
        say("stopped" if stack.stop() else "no local stack was running")
