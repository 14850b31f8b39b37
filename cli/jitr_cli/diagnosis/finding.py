"""What a check finds: how bad it is, one sentence, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Seen = TypeVar("Seen")


class CheckStatus(StrEnum):
    """How one finding ends; the values are part of the command's contract."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One sentence about the deployment; `fix` is a command or what else to do, empty where nothing is to be done."""

    status: CheckStatus
    message: str
    fix: str = ""


@dataclass(frozen=True)
class Check(Generic[Seen]):
    """One check: `code` is stable, `about` says in a few words what has to be so; `look` yields at least one finding.

    What it looks at is a deployment, or an account before a deploy.

    `look` may raise what AWS calls raise: that makes an unknown of the check.
    """

    code: str
    about: str
    look: Callable[[Seen], Iterable[Finding]]


def ok(message: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(CheckStatus.OK, message)


def warning(message: str, *, fix: str) -> Finding:
    """Return what works now, and may not tomorrow, or not for everybody."""
    return Finding(CheckStatus.WARNING, message, fix)


def error(message: str, *, fix: str) -> Finding:
    """Return what keeps devices out, or lets the wrong ones in."""
    return Finding(CheckStatus.ERROR, message, fix)


def unknown(message: str, *, fix: str) -> Finding:
    """Return what could not be looked at."""
    return Finding(CheckStatus.UNKNOWN, message, fix)
