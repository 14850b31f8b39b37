"""One case of the fault matrix, told to its end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from tests.faults.machine.injection import Call, Fault


@dataclass(frozen=True, kw_only=True)
class Told:
    """What happened where, and everything that was wrong in the end."""

    name: str
    wrong: tuple[str, ...]

    @classmethod
    def of(cls, at: int, call: Call, fault: Fault, what: str, wrong: Iterable[str]) -> Self:
        """Name a case by the call that went wrong, how it did, and what followed."""
        return cls(name=f"call {at}, {call}: {fault}, {what}", wrong=tuple(dict.fromkeys(wrong)))

    @property
    def complaints(self) -> list[str]:
        """What was wrong, with the case's name."""
        return [f"{self.name}: {each}" for each in self.wrong]
