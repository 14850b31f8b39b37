"""How the local stack's failures end a command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed


@contextlib.contextmanager
def local_failures() -> Iterator[None]:
    """Turn a local stack that does not come up into exit code 69, with the last lines of its log."""
    from jitr_local.stack.cdk import CdkFailedError  # noqa: PLC0415 - only the local commands need that package
    from jitr_local.stack.emulator import EmulatorFailedError  # noqa: PLC0415
    from jitr_local.stack.local_stack import LocalStackError  # noqa: PLC0415

    try:
        yield
    except (EmulatorFailedError, CdkFailedError, LocalStackError) as error:
        raise CommandFailed(str(error), ExitCode.AWS) from error
