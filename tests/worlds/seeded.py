"""Random numbers that are the same in every run."""

from __future__ import annotations

from random import Random


def seeded(seed: int) -> Random:
    """A source of random numbers for waits, not for keys."""
    return Random(seed)  # noqa: S311
