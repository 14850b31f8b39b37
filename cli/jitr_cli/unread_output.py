"""Output that nobody reads any more, as in `jitr device list | head`: the command goes on and says nothing more.

So its exit code is its own, and work that has begun is not left half done.
"""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO, cast


def outlive_readers() -> None:
    """Let stdout and stderr lead nowhere once their readers are gone, instead of failing the command."""
    sys.stdout = cast("TextIO", _Output(sys.stdout))
    sys.stderr = cast("TextIO", _Output(sys.stderr))


class _Output:
    """A text stream whose broken pipe is replaced by the null device."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._lead_nowhere()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._lead_nowhere()

    def _lead_nowhere(self) -> None:
        # What the stream still holds goes there too, at the latest when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - everything else is the stream's own
        return getattr(self._stream, name)
