"""What an event arrives in, and what is left of it when everything around it is taken off.

| what arrives                                   | made by                                        |
|------------------------------------------------|------------------------------------------------|
| the bare event                                 | the topic rule                                 |
| an on-failure record (`requestPayload`)        | Lambda, when it gave an asynchronous event up  |
| an error action's (`base64OriginalPayload`)    | the topic rule, when it could not deliver      |
| a dead letter of our own (`jitrDeadLetter`)    | the activation function, on the last receive   |

Any of them may be the text of an SQS message, and hold another one: whoever moves dead letters back by hand sends them
as they are. Pure, and nothing here raises, whatever the text is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

OWN_LETTER = "jitrDeadLetter"
# A letter in a letter in a letter happens; more than that somebody built on purpose.
_DEEPEST = 8


class Origin(StrEnum):
    """Who put an envelope around an event, outermost."""

    BARE = "bare"
    FUNCTION = "function"
    RULE = "rule"
    QUEUE = "queue"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """The original event (None where it cannot be read back), and what the outermost envelope says about it.

    `reason`, `step` and `message` say why it was given up; they are empty for a bare event, which was not given up yet.
    """

    event: Any
    origin: Origin
    reason: str = ""
    step: int | None = None
    message: str = ""


def open_text(text: str) -> Envelope:
    """Open the text of a message."""
    return open_envelope(read_object(text))


def open_envelope(payload: object) -> Envelope:
    """Open a decoded payload; `event` is the innermost one, everything else is what the outermost says."""
    outermost = inner = _open(payload)
    for _ in range(_DEEPEST):
        if inner.origin in (Origin.BARE, Origin.UNKNOWN):
            return Envelope(
                event=inner.event,
                origin=outermost.origin,
                reason=outermost.reason,
                step=outermost.step,
                message=outermost.message,
            )
        inner = _open(inner.event)
    return _UNREADABLE


def read_object(text: str) -> dict[str, Any] | None:
    """Read a JSON object; None for every other text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


_UNREADABLE = Envelope(
    event=None, origin=Origin.UNKNOWN, reason="unreadable", message="neither an event nor a dead letter of jitr"
)


def _open(payload: object) -> Envelope:
    """Take one envelope off."""
    if not isinstance(payload, Mapping):
        return _UNREADABLE
    if OWN_LETTER in payload:
        return _own_letter(payload)
    if "requestPayload" in payload and "requestContext" in payload:
        return _on_failure_record(payload)
    if "ruleName" in payload and "base64OriginalPayload" in payload:
        return _error_action(payload)
    return Envelope(event=payload, origin=Origin.BARE)


def _own_letter(letter: Mapping[str, Any]) -> Envelope:
    step = letter.get("step")
    return Envelope(
        event=letter.get("event"),
        origin=Origin.QUEUE,
        reason=_word(letter.get("reason")) or "unknown",
        step=step if _is_step(step) else None,
        message=_word(letter.get("message")),
    )


def _on_failure_record(record: Mapping[str, Any]) -> Envelope:
    """Lambda developer guide, "Capturing records of Lambda asynchronous invocations"."""
    response = record.get("responsePayload")
    response = response if isinstance(response, Mapping) else {}
    context = record["requestContext"]
    condition = str(context.get("condition", "")) if isinstance(context, Mapping) else ""
    text = str(response.get("errorMessage", ""))
    told = read_object(text) or {}
    step = told.get("step")
    return Envelope(
        event=record["requestPayload"],
        origin=Origin.FUNCTION,
        # A crash or a timeout leaves no reason of ours; Lambda's own words are then the best there is.
        reason=str(told.get("reason") or response.get("errorType") or condition or "unknown"),
        step=step if _is_step(step) else None,
        message=str(told.get("message") or text or condition),
    )


def _error_action(record: Mapping[str, Any]) -> Envelope:
    """AWS IoT developer guide, "Error handling (error action)"."""
    try:
        event = read_object(base64.b64decode(record["base64OriginalPayload"], validate=True).decode("utf-8"))
    except (TypeError, ValueError):
        event = None
    failures = record.get("failures")
    first = failures[0] if isinstance(failures, list) and failures and isinstance(failures[0], Mapping) else {}
    return Envelope(event=event, origin=Origin.RULE, reason="rule_failed", message=str(first.get("errorMessage", "")))


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_step(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
