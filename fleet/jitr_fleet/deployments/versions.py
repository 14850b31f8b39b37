"""Versions of jitr: this one, that of a deployed stack, and what is said where the two differ."""

from __future__ import annotations

import re

# What a stack is called whose outputs carry no version: they do since 0.2.0.
BEFORE_OUTPUTS = "0.1.0 or older"
_PAGE = "docs/upgrading.md"


def own_version() -> str:
    """Return the version of the installed jitr."""
    from importlib import metadata  # noqa: PLC0415 - costs more to import than most commands to start

    return metadata.version("jitr")


def version_words(version: str) -> str:
    """Return how a stack's version is spoken of; empty is a stack of before outputs carried one."""
    return version or BEFORE_OUTPUTS


def is_newer(version: str, than: str) -> bool:
    """Return whether a version is newer; what is no version of numbers and dots is compared by those it has."""
    return _numbers(version) > _numbers(than)


def version_difference(deployed: str, own: str) -> str | None:
    """Return, in words, that a stack is of another version than this command line, and what to do; None: the same."""
    if deployed == own:
        return None
    if is_newer(deployed, own):
        return (
            f"deployed by jitr {deployed}, and this is the older {own}: install that version "
            f"(pipx install 'jitr=={deployed}'); until then what this one does not know is left out ({_PAGE})"
        )
    return (
        f"deployed by jitr {version_words(deployed)}, and this is {own}: deploy it with this version; until then what "
        f"the stack lacks is named ({_PAGE})"
    )


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a release; empty sorts before every one."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0]))
