"""`jitr local down`: stop the stack on this computer and forget everything in it."""

from __future__ import annotations

from jitr_cli.console.call import Call, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.output import say
from jitr_local.checkout import LOCAL_STATE
from jitr_local.stack.local_stack import LocalStack


@local_command("down")
def command(call: Call) -> ExitCode:
    """Stop the stack on this computer and forget everything in it; done as well when none runs."""
    stack = LocalStack(LOCAL_STATE)
    with stack.reserved(say):
        stopped = stack.stop()
    say("stopped" if stopped else "no local stack was running")
    return call.finish({"stopped": stopped})
