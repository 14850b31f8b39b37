"""What lies in the dead-letter queue: the original event, and why it could not be decided.

Four kinds arrive: Lambda's on-failure record (the function gave up), the rule's error action (the event could not even
be delivered), the function's own letters (queue ingestion, last receive), and bare events that SQS itself moved because
the function never answered. All become one DeadLetter; whatever else is in the queue is kept as it is,
unreadable.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from jitr.messages.envelopes import OWN_LETTER, Origin, open_text
from jitr.messages.event import named_certificate_id

# What a message that is no event is cut to: even escaped, so much fits into a message with the letter around it.
_LONGEST_BODY = 20_000
# The reason of an event that SQS moved: the function had it again and again, and never said how it ended.
CRASHED = "crashed"


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """One dead-lettered event; `event` is None when the original cannot be read back.

    `body` is then what arrived in its place, where the function itself wrote the letter.
    """

    event: Any
    origin: str
    reason: str
    step: int | None
    message: str
    body: str | None = None

    @property
    def certificate_id(self) -> str | None:
        """Return the certificate the event is about, as the event names it."""
        return named_certificate_id(self.event)

    def to_json(self) -> str:
        """Return the letter as the function sends it; `decode_dead_letter` reads it back."""
        letter: dict[str, Any] = {
            OWN_LETTER: 1,
            "reason": self.reason,
            "step": self.step,
            "message": self.message,
            "certificate_id": self.certificate_id,
            "event": self.event,
        }
        if self.body is not None:
            letter["body"] = self.body[:_LONGEST_BODY]
        return json.dumps(letter)


def decode_dead_letter(body: str) -> DeadLetter:
    """Read a message of the dead-letter queue; never raises, whatever the body is."""
    envelope = open_text(body)
    if envelope.origin is Origin.BARE:
        return DeadLetter(
            event=envelope.event,
            origin=Origin.QUEUE.value,
            reason=CRASHED,
            step=None,
            message="the function was given this event again and again, and never said how it ended",
        )
    return DeadLetter(
        event=envelope.event,
        origin=envelope.origin.value,
        reason=envelope.reason,
        step=envelope.step,
        message=envelope.message,
    )
