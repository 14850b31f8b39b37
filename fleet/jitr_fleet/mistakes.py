"""Mistakes in the files that people write: each says where, what was found and what is allowed; shown together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One mistake: `key` is the path of the key (`deployments.prod-eu.cas[0].status`), empty for the whole file."""

    file: Path
    key: str
    found: str
    allowed: str

    def __str__(self) -> str:
        """Return the mistake in one line."""
        place = f"{self.file}: {self.key}" if self.key else str(self.file)
        return f"{place}: {self.found}; {self.allowed}"


class FleetFileError(Exception):
    """A fleet file that cannot be used; `mistakes` holds every mistake that was found, at least one."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


class Mistakes:
    """Collects the mistakes of one fleet file, so that a person mends them in one go."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._found: list[Mistake] = []

    def add(self, key: str, found: str, allowed: str, *, file: Path | None = None) -> None:
        """Note one mistake; `file` if it is in another file than the fleet file."""
        self._found.append(Mistake(file=file or self.file, key=key, found=found, allowed=allowed))

    def __len__(self) -> int:
        """Return how many mistakes were found."""
        return len(self._found)

    def raise_any(self) -> None:
        """Raise FleetFileError if there was a mistake."""
        if self._found:
            raise FleetFileError(tuple(self._found))
