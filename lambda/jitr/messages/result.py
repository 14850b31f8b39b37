"""How one registration event ended, and where it stands until then."""

from __future__ import annotations

from dataclasses import dataclass

from jitr.errors import Outcome


@dataclass(frozen=True, kw_only=True)
class EventResult:
    """How one event ended; `reason` is None for an activation, `step` the last step that ran.

    `waited_seconds` is how long after its registration, its first connect, a certificate was activated.
    `refused_client_id` is the id by which the device tried to connect, where its policy lets none like it do so.
    """

    certificate_id: str | None
    ca_certificate_id: str | None
    outcome: Outcome
    reason: str | None
    step: int
    message: str
    warnings: tuple[str, ...] = ()
    waited_seconds: float | None = None
    refused_client_id: str | None = None


@dataclass
class Progress:
    """Where one event stands, so that whatever goes wrong is reported with its step."""

    certificate_id: str | None = None
    ca_certificate_id: str | None = None
    step: int = 1
    warnings: tuple[str, ...] = ()
    waited_seconds: float | None = None
    refused_client_id: str | None = None

    def result(self, outcome: Outcome, reason: str | None, message: str) -> EventResult:
        """Return how the event ended, at the step where it stands."""
        return EventResult(
            certificate_id=self.certificate_id,
            ca_certificate_id=self.ca_certificate_id,
            outcome=outcome,
            reason=reason,
            step=self.step,
            message=message,
            warnings=self.warnings,
            waited_seconds=self.waited_seconds,
            refused_client_id=self.refused_client_id,
        )
