"""What is done to a certificate without an event of its own: by a CRL, a successor or an operator's job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from jitr.errors import Reason, Undecided


@dataclass(frozen=True, kw_only=True)
class DeviceNote:
    """One line of a device's story; `outcome` is a word such as `switched_off`, `details` are further fields.

    Written after the fact, and again where the fact is repeated after a crash.
    """

    certificate_id: str
    outcome: str
    reason: Reason | None
    message: str
    details: Mapping[str, str | int | None] = field(default_factory=dict)


Report: TypeAlias = Callable[[DeviceNote], None]


def unreported(note: DeviceNote) -> None:
    """Say nothing: for callers that have no log."""


def failure_note(failure: Undecided, doing: str) -> DeviceNote:
    """Return the line about a certificate that could not be done; it is tried again later."""
    return DeviceNote(
        certificate_id=failure.certificate_id or "",
        outcome="failed",
        reason=failure.reason,
        message=f"{doing}: {failure.message}",
    )
