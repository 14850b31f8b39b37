"""`mode = "observe"`: what an activation would decide, with nothing written, beside a handler that is there already.

The same steps 1 to 5a on the same events; then, instead of step 6, the registry row is only read. Not found out: what
only trying would show (whether the Thing is free, whether the policy can be attached).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from jitr.activation.examination import Examination, verify_good
from jitr.aws.iot import CertificateStatus
from jitr.crls.versions import Acceptance, CrlVersion, CrlVersions
from jitr.errors import ActivationError, Outcome, Reason, Rejected
from jitr.messages.event import named_certificate_id
from jitr.messages.result import EventResult, Progress
from jitr.registry.row import id_key
from jitr.registry.rows import Registry

# How many batches of a queue may be observed at once: whoever may write nothing takes no turns in the state table, so
# each container keeps to its part of the share.
AT_ONCE = 2


class UnwrittenVersions(CrlVersions):
    """Accepted CRL versions that are read, and never written: the one in hand counts, unless it goes back."""

    def accept(self, scope: str, version: CrlVersion, *, after: Acceptance) -> bool:  # noqa: ARG002
        """Write nothing."""
        return True


@dataclass(frozen=True, kw_only=True)
class Observation:
    """The use case; `examination` must have been made with UnwrittenVersions."""

    examination: Examination
    rows: Registry
    clock: Callable[[], datetime]

    def activate(self, payload: object, *, owner: str) -> EventResult:  # noqa: ARG002 - the interface of an activation
        """Return `observed`, with the reason why the certificate would not be activated, if there is one.

        Never raises: an event that could not be decided is as worth knowing, and need not come again.
        """
        progress = Progress(certificate_id=named_certificate_id(payload))
        try:
            return self._steps(payload, progress)
        except ActivationError as error:
            would_be = f"would end as {error.outcome.value}: {error.message}"
            return progress.result(Outcome.OBSERVED, error.reason, would_be)
        except Exception as error:  # noqa: BLE001 - whatever we did not think of must not look like a good device
            return progress.result(Outcome.OBSERVED, Reason.INTERNAL, f"unexpected {type(error).__name__}")

    def _steps(self, payload: object, progress: Progress) -> EventResult:
        # (1)
        event, ca = self.examination.admit(payload, progress)
        if ca is None:
            return progress.result(Outcome.UNMANAGED_CA, None, "the CA is not managed by this deployment")
        # (2)
        progress.step = 2
        candidate = self.examination.describe(event.certificate_id, ca)
        status = candidate.registered.status
        if status is not CertificateStatus.PENDING_ACTIVATION:
            return progress.result(Outcome.ALREADY_DECIDED, status.value.lower(), f"the certificate is {status}")
        # (3), (4)
        candidate = self.examination.verify(candidate, progress)
        # (5)
        progress.step = 5
        check = self.examination.revocation(candidate)
        progress.warnings = check.warnings
        verify_good(check.verdict)
        self.examination.verify_allowed(candidate)
        # (6)
        progress.step = 6
        for key in (id_key(candidate.certificate_id), candidate.row):
            row = self.rows.row(key)
            if row is not None and row.state.refuses_activation:
                raise Rejected(Reason.REVOKED_BEFORE, "this certificate was revoked before and registered again")
        progress.step = 8
        return progress.result(Outcome.OBSERVED, None, "would be activated")
