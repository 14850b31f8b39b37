"""Why one CRL cannot be used, and what an operator may choose about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from jitr.errors import Reason


class CrlRefused(Exception):  # noqa: N818 - an answer about one CRL, not a defect
    """One CRL that says nothing usable; `message` is one sentence for a human and repeats no content of the CRL."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Options:
    """What an operator may choose; the defaults are the safe ones.

    `clock_skew` bears on thisUpdate only. `max_age` (since thisUpdate) makes a CRL without nextUpdate usable and
    refuses older ones. `max_size` is in bytes, as received. `require_number` refuses CRLs without a cRLNumber,
    `require_crl_sign` those of a version 3 CA whose certificate has no keyUsage (RFC 10007).
    `distribution_points` are the URLs that the operator configured for this CA; they stand for the distribution points
    of certificates that name none.
    """

    clock_skew: timedelta = timedelta(minutes=5)
    max_age: timedelta | None = None
    max_size: int = 64 * 1024 * 1024
    require_number: bool = False
    require_crl_sign: bool = False
    distribution_points: tuple[str, ...] = ()


DEFAULT_OPTIONS = Options()
