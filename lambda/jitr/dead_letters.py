"""What lies in the dead-letter queue: the original event, and why nobody could decide it.

Two kinds arrive: Lambda's on-failure record (the function gave up) and the rule's error action (the function could not
even be invoked). Both become one DeadLetter; whatever else somebody put into the queue is kept as it is, unreadable.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from jitr.events import is_certificate_id


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """One dead-lettered event; `event` is None when the original cannot be read back."""

    event: Any
    origin: str
    reason: str
    step: int | None
    message: str

    @property
    def certificate_id(self) -> str | None:
        """Return the certificate the event is about, as the event claims it."""
        value = self.event.get("certificateId") if isinstance(self.event, dict) else None
        return value if isinstance(value, str) and is_certificate_id(value) else None


def decode_dead_letter(body: str) -> DeadLetter:
    """Read a message of the dead-letter queue; never raises, whatever the body is."""
    record = _object(body)
    if record is not None and "requestPayload" in record and "requestContext" in record:
        return _from_function(record)
    if record is not None and "ruleName" in record and "base64OriginalPayload" in record:
        return _from_rule(record)
    return DeadLetter(
        event=None, origin="unknown", reason="unreadable", step=None, message="no dead letter of this deployment"
    )


def _from_function(record: dict[str, Any]) -> DeadLetter:
    """Lambda developer guide, "Capturing records of Lambda asynchronous invocations"."""
    response = record.get("responsePayload")
    response = response if isinstance(response, dict) else {}
    condition = str(record["requestContext"].get("condition", "")) if isinstance(record["requestContext"], dict) else ""
    text = str(response.get("errorMessage", ""))
    told = _object(text) or {}
    step = told.get("step")
    return DeadLetter(
        event=record["requestPayload"],
        origin="function",
        # A crash or a timeout leaves no reason of ours; Lambda's own words are then the best there is.
        reason=str(told.get("reason") or response.get("errorType") or condition or "unknown"),
        step=step if isinstance(step, int) else None,
        message=str(told.get("message") or text or condition),
    )


def _from_rule(record: dict[str, Any]) -> DeadLetter:
    """AWS IoT developer guide, "Error handling (error action)"."""
    try:
        event = _object(base64.b64decode(record["base64OriginalPayload"], validate=True).decode("utf-8"))
    except (TypeError, ValueError, binascii.Error):
        event = None
    failures = record.get("failures")
    first = failures[0] if isinstance(failures, list) and failures and isinstance(failures[0], dict) else {}
    return DeadLetter(
        event=event, origin="rule", reason="rule_failed", step=None, message=str(first.get("errorMessage", ""))
    )


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
