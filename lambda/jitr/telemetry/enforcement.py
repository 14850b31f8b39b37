"""What the enforcement function says of each sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitr.enforcement.passes import PassState
from jitr.enforcement.sweep import Sweep
from jitr.errors import Reason, Undecided
from jitr.revocation import VerifiedCrl
from jitr.telemetry import metric_names
from jitr.telemetry.metrics import requests
from jitr.telemetry.passes import values_of
from jitr.telemetry.telemetry import Telemetry, throttled


@dataclass(frozen=True)
class EnforcementTelemetry(Telemetry):
    """Logs and metrics of enforcement."""

    def swept(
        self,
        ca: str,
        location: str,
        sweep: Sweep,
        *,
        braked_devices: int,
        at: datetime,
        published_at: datetime | None,
    ) -> None:
        """Report a sweep that ended: what it did, and how old the CRL is."""
        crl = sweep.crl
        self.logger.info(
            f"swept the CRL of {ca}: {sweep.outcome}",
            extra={
                "ca": ca,
                "crl_location": location,
                "outcome": sweep.outcome.value,
                "switched_off": sweep.switched_off,
                "vanished": sweep.vanished,
                "braked_devices": braked_devices,
                "crl_number": crl.number if crl else None,
            },
        )
        numbers: dict[str, float] = {
            metric_names.SWITCHED_OFF: sweep.switched_off,
            metric_names.VANISHED_FROM_CRL: sweep.vanished,
            metric_names.BRAKED_DEVICES: braked_devices,
        }
        if published_at is not None and sweep.switched_off:
            numbers[metric_names.REVOCATION_SECONDS] = (at - published_at).total_seconds()
        self.metrics.write(numbers | requests(self.calls.take()))
        self.metrics.write_of_ca(ca, {metric_names.SWEEP_FAILED: 0.0} | ({} if crl is None else _age(crl, at)))

    def sweep_failed(self, ca: str, location: str, failure: Undecided) -> None:
        """Report a sweep that could not be finished."""
        fields = {"ca": ca, "crl_location": location, "outcome": "failed", "reason": failure.reason.value}
        if failure.certificate_id is not None:
            fields["certificate_id"] = failure.certificate_id
        spent = self.calls.take()
        self.logger.error(failure.message, extra=fields | throttled(spent), exc_info=failure.__cause__)
        self.metrics.write(requests(spent))
        self.metrics.write_of_ca(ca, {metric_names.SWEEP_FAILED: 1})

    def import_failed(self, ca: str, failure: Undecided) -> None:
        """Report that the search for certificates that others activated could not be finished."""
        fields = {"ca": ca, "certificate_id": failure.certificate_id, "outcome": "failed", "reason": failure.reason}
        self.logger.error(failure.message, extra=fields, exc_info=failure.__cause__)

    def reconciled(self, ca: str, state: PassState, *, at: datetime) -> None:
        """Report how far the passes over a CA's certificates are, and what they found."""
        self.metrics.write_of_ca(ca, values_of(state, at=at))

    def reconciliation_failed(self, ca: str, failure: Undecided) -> None:
        """Report that a pass over a CA's certificates could not go on; the next schedule goes on."""
        fields = {"ca": ca, "certificate_id": failure.certificate_id, "outcome": "failed", "reason": failure.reason}
        self.logger.error(failure.message, extra=fields, exc_info=failure.__cause__)

    def only_observes(self) -> None:
        """Report a run of enforcement that did nothing, because the deployment only observes."""
        self.logger.info("nothing is enforced: the deployment only observes", extra={"outcome": "observed"})

    def ca_expires(self, ca: str, left: timedelta) -> None:
        """Report how long a CA certificate is still valid."""
        self.metrics.write_of_ca(ca, {metric_names.CA_DAYS_LEFT: left.total_seconds() / 86400})

    def compared_policies(self, drifted: Sequence[str]) -> None:
        """Report which shared policies mean something else than their templates: one line for each."""
        for policy in drifted:
            self.logger.warning(
                f"policy {policy} is not what its template says", extra={"policy": policy, "outcome": "drifted"}
            )
        self.metrics.write({metric_names.DRIFTED_POLICIES: len(drifted)})

    def looked_at_jobs(self, still: Sequence[str]) -> None:
        """Report which jobs of bulk work do not move: one line for each."""
        for job in still:
            self.logger.warning(f"job {job} does not move", extra={"job": job, "outcome": "stands_still"})
        self.metrics.write({metric_names.BULK_JOBS_STILL: len(still)})

    def jobs_not_looked_at(self, failure: Exception) -> None:
        """Report that nobody looked this time whether jobs of bulk work go on."""
        reason = failure.reason.value if isinstance(failure, Undecided) else Reason.INTERNAL.value
        fields = {"outcome": "failed", "reason": reason}
        self.logger.warning("the jobs of bulk work could not be read", extra=fields, exc_info=failure)

    def policies_not_compared(self, failure: Exception) -> None:
        """Report that the shared policies could not be compared with their templates this time."""
        reason = failure.reason.value if isinstance(failure, Undecided) else Reason.INTERNAL.value
        fields = {"outcome": "failed", "reason": reason}
        self.logger.warning("the policies could not be compared with their templates", extra=fields, exc_info=failure)


def _age(crl: VerifiedCrl, at: datetime) -> dict[str, float]:
    """Return how old a CRL is, and which share of its life has passed."""
    age = (at - crl.this_update).total_seconds()
    ages = {metric_names.CRL_AGE_SECONDS: age}
    if crl.next_update is not None:
        life = (crl.next_update - crl.this_update).total_seconds()
        ages[metric_names.CRL_LIFE_PASSED] = age / life if life > 0 else 1
    return ages
