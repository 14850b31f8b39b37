"""The registration event that AWS IoT publishes when an unknown or still pending device certificate connects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jitr.errors import Reason, Undecided

_CERTIFICATE_ID = re.compile(r"[0-9a-f]{64}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_LONGEST_CLIENT_ID = 128  # bytes
_NO_CLIENT = "n/a"
_LATEST_MS = 9_999_999_999_999  # in the year 2286


@dataclass(frozen=True, kw_only=True)
class CertificateRegistered:
    """One event on `$aws/events/certificates/registered/<caCertificateId>`.

    Ids are 64 lower-case hex digits. `registered_at` is epoch milliseconds, None on the certificate's first event.
    `knocked_at` is when AWS IoT published the event, None where it does not say so as a whole number.
    `client_id` is the id that the device wanted to connect by, None where it is not known. The device chose it, and no
    policy had a say.
    """

    certificate_id: str
    ca_certificate_id: str
    account: str
    registered_at: int | None
    knocked_at: datetime | None = None
    client_id: str | None = None

    @classmethod
    def parse(cls, payload: object) -> CertificateRegistered:
        """Read an event as Lambda hands it over.

        Unknown keys are ignored: AWS adds some. `certificateStatus` is not read: only DescribeCertificate knows the
        state *now*. Raises Undecided (`malformed_event`) when an id or the account is missing or has another form.
        Source: AWS IoT developer guide, "Register a client certificate when the client connects (JITR)".
        """
        if not isinstance(payload, Mapping):
            raise Undecided(Reason.MALFORMED_EVENT, f"the event is a JSON {type(payload).__name__}, not an object")
        return cls(
            certificate_id=_text(payload, "certificateId", _CERTIFICATE_ID),
            ca_certificate_id=_text(payload, "caCertificateId", _CERTIFICATE_ID),
            account=_text(payload, "awsAccountId", _ACCOUNT),
            registered_at=_milliseconds(payload.get("certificateRegistrationTimestamp")),
            knocked_at=_time(payload.get("timestamp")),
            client_id=_client_id(payload.get("clientid")),
        )


def is_certificate_id(text: str) -> bool:
    """Return whether a text has the form of a certificate id: 64 lower-case hex digits."""
    return _CERTIFICATE_ID.fullmatch(text) is not None


def named_certificate_id(payload: object) -> str | None:
    """Return the id that an event names, for logs, if it has the form of one."""
    value = payload.get("certificateId") if isinstance(payload, Mapping) else None
    return value if isinstance(value, str) and is_certificate_id(value) else None


def age_seconds(payload: object, now: float) -> float | None:
    """Return how long ago, in seconds before `now` (epoch), an event says that it was published; at least 0.

    None where it does not say so, or is no registration event. Copies and redriven events keep their age.
    """
    try:
        knocked_at = CertificateRegistered.parse(payload).knocked_at
    except Undecided:
        return None
    return None if knocked_at is None else max(0.0, now - knocked_at.timestamp())


def _text(payload: Mapping[str, Any], key: str, form: re.Pattern[str]) -> str:
    value = payload.get(key)
    if not isinstance(value, str) or not form.fullmatch(value):
        # The value itself is not repeated: it may be anything, and this message ends in logs and dead letters.
        state = "missing" if key not in payload else "not of the form it must have"
        raise Undecided(Reason.MALFORMED_EVENT, f"the event's {key} is {state}")
    return value


def _time(value: object) -> datetime | None:
    """Return a time of epoch milliseconds as a JSON number; None for anything else, which nothing is decided by."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LATEST_MS:
        return datetime.fromtimestamp(value / 1000, UTC)
    return None


def _client_id(value: object) -> str | None:
    """Return a client id that may be looked for and shown; None for anything else, which nothing is decided by.

    The topic rule adds it, from the device's words. An emulator says "n/a". Source: iot-data's model, ClientId.
    """
    if not isinstance(value, str) or value in ("", _NO_CLIENT) or value.startswith("$") or not value.isprintable():
        return None
    return value if len(value.encode("utf-8", errors="replace")) <= _LONGEST_CLIENT_ID else None


def _milliseconds(value: object) -> int | None:
    """Null on the first event, a string later; anything else is not worth an error, as nothing is decided by it."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len("9999999999999"):
        return int(value)
    return None
