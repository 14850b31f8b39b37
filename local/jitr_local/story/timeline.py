"""The demo's timeline: plain lines with elapsed times, readable in a log; colours appear on a terminal only."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import click

from jitr_local.device.mqtt_attempt import Ending
from jitr_local.device.reference_device import Attempt

_COLOURS = {Ending.DELIVERED: "green", Ending.ADMITTED: "green", Ending.DROPPED: "yellow"}


@dataclass(frozen=True)
class Timeline:
    """Writes lines through `write`, with the seconds since it was made."""

    write: Callable[[str], None] = click.echo
    begin: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Return the seconds so far."""
        return time.monotonic() - self.begin

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self.write("")
        self._line(click.style(title, bold=True))

    def note(self, text: str) -> None:
        """Say one thing."""
        self._line(f"  {text}")

    def attempt(self, who: str, attempt: Attempt) -> None:
        """Say what one connect saw."""
        ending = click.style(str(attempt.ending), fg=_COLOURS.get(attempt.ending, "red"))
        then = "" if attempt.wait is None else f"; waits {attempt.wait:.1f} s"
        self._line(f"  {who}: connect {attempt.number} {ending} ({attempt.detail}){then}")

    def _line(self, text: str) -> None:
        self.write(f"{self.elapsed:6.1f} s  {text}")
