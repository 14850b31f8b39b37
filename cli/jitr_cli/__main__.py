"""The console script `jitr`: dispatches to one module per command and turns every ending into an exit code.

Exit codes: 0 yes or done, 1 no (revoked, denied, findings), 2 undetermined, 64 usage, 69 AWS unreachable or refused,
70 our bug, 130 interrupted, 141 a pipe that nobody reads. Click's own codes 1 and 2 never reach the shell: they mean
something else here.
"""

from __future__ import annotations

import os
import sys

import click

from jitr_cli.console.call import NobodyAnswers
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import describe_failure
from jitr_cli.console.signals import outlive_readers
from jitr_cli.tree import root

# What shells see of tools that end by a broken pipe: 128 and the number of SIGPIPE.
_UNREAD = 141
# By this variable a shell asks for completions; click makes its name of the program's.
_COMPLETING = "_JITR_COMPLETE"


def main() -> None:
    """Run the command line and exit."""
    outlive_readers()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; never raises, so that no traceback stands for an answer."""
    try:
        result = root.main(args=arguments, prog_name="jitr", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt) as ended:
        click.echo(str(ended) if isinstance(ended, NobodyAnswers) else "interrupted", err=True)
        return ExitCode.INTERRUPTED
    except SystemExit as left:
        return _left(left)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as mistake:
        mistake.show()
        return ExitCode.USAGE
    except Exception as failure:  # noqa: BLE001 - the one place where failures become exit codes
        return describe_failure(failure)
    return result if isinstance(result, int) else ExitCode.DONE


def _left(left: SystemExit) -> int:
    """Return the exit code where click has left: after it completed a command, or where a pipe broke.

    The latter with code 1, where the pipe is neither stdout nor stderr.
    """
    if _COMPLETING in os.environ:
        return left.code if isinstance(left.code, int) else ExitCode.DONE
    return _UNREAD


if __name__ == "__main__":
    main()
