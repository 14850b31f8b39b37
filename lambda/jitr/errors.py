"""Outcomes and reason codes: every way an activation can end, as data.

Errors come in three families. *Rejected* is final, *waiting* comes right later by itself or by an operator, and
*undecided* must be tried again because nothing is known for certain. Each carries a reason code, the step it
happened at and a sentence for a human. Nothing in here decides; it only names.
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How one registration event ended; the values are part of the function's contract."""

    ACTIVATED = "activated"
    ALREADY_DECIDED = "already_decided"
    UNMANAGED_CA = "unmanaged_ca"
    REJECTED = "rejected"
    WAITING = "waiting"
    UNDECIDED = "undecided"
    OBSERVED = "observed"


class Reason(StrEnum):
    """Why an event did not end in an activation; each value has a section in docs/runbook/reasons.md."""

    # Rejected: final.
    REVOKED = "revoked"
    REVOCATION_BRAKED = "revocation_braked"
    CERTIFICATE_HOLD = "certificate_hold"
    REVOKED_BEFORE = "revoked_before"
    WEAK_KEY = "weak_key"
    WEAK_SIGNATURE = "weak_signature"
    CERTIFICATE_EXPIRED = "certificate_expired"
    WRONG_SIGNATURE = "wrong_signature"
    UNKNOWN_CRITICAL_EXTENSION = "unknown_critical_extension"
    UNUSABLE_NAME = "unusable_name"
    THING_IN_USE = "thing_in_use"
    SERIAL_IN_USE = "serial_in_use"

    # Switched off after its activation, beside what a CRL says.
    REPLACED = "replaced"

    # Waiting: comes right later.
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CA_INACTIVE = "ca_inactive"
    CA_ON_HOLD = "ca_on_hold"
    CA_RETIRED = "ca_retired"
    CRL_REJECTED = "crl_rejected"
    NOT_ALLOWED = "not_allowed"

    # Undecided: the event itself.
    MALFORMED_EVENT = "malformed_event"
    FOREIGN_ACCOUNT = "foreign_account"

    # Undecided: what AWS IoT says about the certificate and its CA.
    CERTIFICATE_NOT_FOUND = "certificate_not_found"
    CERTIFICATE_MISMATCH = "certificate_mismatch"
    MALFORMED_CERTIFICATE = "malformed_certificate"
    CA_NOT_FOUND = "ca_not_found"
    CA_MISMATCH = "ca_mismatch"
    CA_EXPIRED = "ca_expired"

    # Undecided: revocation status unknown.
    NO_CRL = "no_crl"
    UNREADABLE_DISTRIBUTION_POINT = "unreadable_distribution_point"
    FETCH_FAILED = "fetch_failed"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    BAD_SIGNATURE = "bad_signature"
    UNSUPPORTED_ALGORITHM = "unsupported_algorithm"
    ISSUER_MISMATCH = "issuer_mismatch"
    NOT_CRL_SIGNER = "not_crl_signer"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    TOO_OLD = "too_old"
    UNKNOWN_CRITICAL = "unknown_critical"
    OUT_OF_SCOPE = "out_of_scope"
    DELTA = "delta"
    INDIRECT = "indirect"
    REASONS = "reasons"
    ROLLBACK = "rollback"
    TOO_MANY_CRLS = "too_many_crls"

    # Undecided: everything else.
    LEASE_HELD = "lease_held"
    POLICY_UNUSABLE = "policy_unusable"
    THROTTLED = "throttled"
    ACCESS_DENIED = "access_denied"
    AWS_REFUSED = "aws_refused"
    AWS_UNAVAILABLE = "aws_unavailable"
    CONFIGURATION = "configuration"
    TOO_MANY_SHIFTS = "too_many_shifts"
    INTERNAL = "internal"


class ActivationError(Exception):
    """An event that does not end in an activation: `outcome` by the class, why by `reason`.

    `message` is one sentence for a human and holds no secret. `step` is the numbered step (activation/steps.py), filled
    in by whoever runs the steps; `certificate_id` likewise.
    """

    outcome: Outcome

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.step: int | None = None
        self.certificate_id: str | None = None


class Rejected(ActivationError):  # noqa: N818 - named for the outcome it is
    """Final: the certificate must not be activated, whatever happens later."""

    outcome = Outcome.REJECTED


class Waiting(ActivationError):  # noqa: N818
    """Not now: time or an operator will put it right, and the device's next connect asks again."""

    outcome = Outcome.WAITING


class Undecided(ActivationError):  # noqa: N818
    """Unknown is not good: nothing is activated, the event is retried and ends in the dead-letter queue."""

    outcome = Outcome.UNDECIDED


def as_undecided(error: Exception) -> Undecided:
    """Return an error as Undecided: itself, with the reason that it has, or as `internal` where nobody expected it."""
    if isinstance(error, Undecided):
        return error
    if isinstance(error, ActivationError):
        found = Undecided(error.reason, error.message)
        found.certificate_id = error.certificate_id
    else:
        found = Undecided(Reason.INTERNAL, f"unexpected {type(error).__name__}")
    found.__cause__ = error
    return found
