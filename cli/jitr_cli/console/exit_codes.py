"""The exit codes of every command; other people's scripts rely on them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell sees; commands return one of these (or None for DONE)."""

    DONE = 0
    NO = 1
    UNDETERMINED = 2
    USAGE = 64
    AWS = 69
    BUG = 70
    INTERRUPTED = 130
