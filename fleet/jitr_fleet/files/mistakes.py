"""Mistakes in the files that people write: each says where, what was found and what is allowed; shown together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One mistake: `key` is the path of the key (`deployments.prod-eu.cas[0].status`), empty for the whole file.

    `line` counts from 1, and is None where it is not known.
    """

    file: Path
    key: str
    found: str
    allowed: str
    line: int | None = None

    def __str__(self) -> str:
        """Return the mistake in one line."""
        place = str(self.file) if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(filter(None, (place, self.key, "; ".join(filter(None, (self.found, self.allowed))))))


class FleetFileError(Exception):
    """A fleet file that cannot be used; `mistakes` holds every mistake that was found, at least one."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


class Mistakes:
    """Collects the mistakes of one file and those it names, so that a person mends them in one go.

    `line_of` finds the line of a key's path, for files whose lines are known.
    """

    def __init__(self, file: Path, *, line_of: Callable[[str], int] | None = None) -> None:
        self.file = file
        self.line_of = line_of
        self._found: list[Mistake] = []

    def add(self, key: str, found: str, allowed: str, *, file: Path | None = None, line: int | None = None) -> None:
        """Note one mistake; `file` and `line` if it is in another file than this one."""
        if file is None and line is None and self.line_of is not None:
            line = self.line_of(key)
        self._found.append(Mistake(file=file or self.file, key=key, found=found, allowed=allowed, line=line))

    @property
    def found(self) -> tuple[Mistake, ...]:
        """Every mistake so far."""
        return tuple(self._found)

    def __len__(self) -> int:
        """Return how many mistakes were found."""
        return len(self._found)

    def raise_any(self) -> None:
        """Raise FleetFileError if there was a mistake."""
        if self._found:
            # Several deployments may share a file; its mistakes are told once.
            raise FleetFileError(tuple(dict.fromkeys(self._found)))
