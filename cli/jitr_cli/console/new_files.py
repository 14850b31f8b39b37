"""Files that commands make anew: keys and certificates, whole or not at all, and never over what is there."""

from __future__ import annotations

import os
from pathlib import Path

from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.signals import terminable

PRIVATE = 0o600
PUBLIC = 0o644


def verify_new(*paths: Path) -> None:
    """Check, before anything is made, that no path exists or is named twice; raises CommandFailed."""
    for path in paths:
        if os.path.lexists(path):
            raise CommandFailed(f"{path} exists already and is not overwritten")
        if not path.resolve().parent.is_dir():
            raise CommandFailed(f"there is no folder {path.resolve().parent}")
    if len({path.resolve() for path in paths}) != len(paths):
        raise CommandFailed(f"one file is named twice: {paths[0]}")


def write_new(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file that must not exist, with its mode from the first moment on; raises CommandFailed.

    What an error or a signal leaves half written is removed again; a killed process leaves it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with terminable():
        try:
            handle = os.open(path, flags, mode)
        except FileExistsError as error:
            raise CommandFailed(f"{path} exists already and is not overwritten") from error
        except OSError as error:
            raise CommandFailed(f"{path} cannot be written: {error.strerror}") from error
        try:
            with os.fdopen(handle, "wb") as file:
                # The umask may have taken more away than was meant; it never gives anything.
                os.fchmod(file.fileno(), mode)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException as failure:
            path.unlink(missing_ok=True)
            if isinstance(failure, OSError):
                raise CommandFailed(f"{path} cannot be written: {failure.strerror}") from failure
            raise
