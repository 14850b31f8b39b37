"""One activation: from a registration event to a certificate that is ACTIVE, or to the reason why it is not.

The steps, whose numbers appear in the code, in results, in logs and in docs/registration-flow.md:

1. Parse the event. Is its account ours, and its CA managed by this deployment? If not: `unmanaged_ca`, no call.
2. Is it a knock from before an activation that is known (knocks.py)? `already_decided`, no call.
   Does the CA keep its devices out (step 3), and has nobody begun with this one? It waits, no call.
   Otherwise DescribeCertificate. Not PENDING_ACTIVATION: `already_decided`, after finishing what step 8 may have left
   open. Compare the SHA-256 of the DER, the CA id and the account with the event's.
3. The CA: ACTIVE in fleet file and AWS IoT, not on hold, the certificate we expect?
4. The certificate itself: signed by that CA's key, valid now, strong enough, its name usable.
5. Revocation: listed on the CA's CRL? Then (5a), where the CA has an allow-list: is the serial number on it?
6. Registry row ACTIVATING with a lease, refused if the row wants or has revocation; then the accepted CRL version,
   read consistently: newer than the one of step 5 means step 5 again.
7. Thing (created as this certificate's, then attached), where configured; policy attached, and created first if it
   does not exist.
8. UpdateCertificate ACTIVE; then row ACTIVE on condition, and if revocation was marked meanwhile, off at once.

Everything is safe to repeat from the start: whatever was killed wherever, the next delivery ends in the same state.
Not decided here: whether the device *stays* active; that is enforcement's, which reads the rows written in step 6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from jitr.activation.candidate import Candidate
from jitr.activation.closing import Closing
from jitr.activation.examination import Examination
from jitr.activation.knocks import AnsweredKnocks
from jitr.activation.leasing import Leasing, delivered_twice
from jitr.activation.provisioning import Provisioning
from jitr.authorities.allow_list import AllowList
from jitr.authorities.client_ids import ClientIds
from jitr.authorities.managed import CertificateAuthorities
from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.aws.pacing import unpaced
from jitr.crls.cache import CrlCache
from jitr.errors import ActivationError, Outcome, Reason, Rejected, Undecided, Waiting
from jitr.messages.event import named_certificate_id
from jitr.messages.result import EventResult, Progress
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.notes import Report, unreported
from jitr.registry.row import RowState
from jitr.registry.rows import Registry
from jitr.settings import Configuration, Environment, ManagedCa

# How long the function may run. A lease outlives it, so that one that ended belonged to an invocation that is dead; and
# ends before Lambda delivers a failed event again (a minute later), so that a retry need not wait.
TIME_LIMIT = timedelta(seconds=45)
LEASE = timedelta(seconds=55)
# Past this age DescribeCertificate's answer is asked for again before step 8; a warm activation is far below it.
FRESH_DESCRIPTION = timedelta(seconds=5)

# What was begun with a certificate, and has to be finished.
_BEGUN = frozenset({RowState.ACTIVATING, RowState.REVOKE_WANTED})
# Rejections after which AWS IoT must not ask again; all others leave the certificate PENDING_ACTIVATION.
_SWITCHED_OFF = frozenset({Reason.WEAK_KEY, Reason.WEAK_SIGNATURE, Reason.CERTIFICATE_EXPIRED, Reason.REVOKED_BEFORE})


@dataclass(frozen=True, kw_only=True)
class Activation:
    """The use case; `clock` returns the time in UTC, `owner` (per call) identifies one event across its retries.

    `report` is told of each certificate that was switched off. `turn` waits until AWS IoT may be asked about one more
    certificate; it raises Undecided where that takes too long.
    """

    configuration: Configuration
    environment: Environment
    authorities: CertificateAuthorities
    registry: IotRegistry
    rows: Registry
    crls: CrlCache
    clock: Callable[[], datetime]
    report: Report = unreported
    disconnecting: Disconnecting | None = None
    turn: Callable[[], None] = unpaced

    @cached_property
    def knocks(self) -> AnsweredKnocks:
        """Knocks that need no call to AWS IoT (before step 2)."""
        return AnsweredKnocks(self.rows, self.clock)

    @cached_property
    def examination(self) -> Examination:
        """What is established without writing (steps 2 to 5a)."""
        return Examination(
            account=self.environment.account,
            authorities=self.authorities,
            registry=self.registry,
            crls=self.crls,
            allowed=AllowList(self.rows.table),
            clock=self.clock,
            turn=self.turn,
        )

    @cached_property
    def provisioning(self) -> Provisioning:
        """Things and policies (step 7)."""
        return Provisioning(
            configuration=self.configuration, environment=self.environment, registry=self.registry, rows=self.rows
        )

    @cached_property
    def closing(self) -> Closing:
        """What follows ACTIVE (step 8)."""
        return Closing(registry=self.registry, rows=self.rows, report=self.report, disconnecting=self.disconnecting)

    @cached_property
    def leasing(self) -> Leasing:
        """The decision on a CRL, and the row (steps 5 and 6)."""
        return Leasing(
            examination=self.examination, rows=self.rows, closing=self.closing, lease=LEASE, clock=self.clock
        )

    def activate(self, payload: object, *, owner: str) -> EventResult:
        """Run the steps for one event and return how it ended.

        Raises Undecided, and nothing else, when the event has to be delivered again.
        """
        progress = Progress(certificate_id=named_certificate_id(payload))
        began = self.clock()
        try:
            return self._steps(payload, owner, progress)
        except Undecided as error:
            raise _located(error, progress) from error.__cause__
        except (Rejected, Waiting) as error:
            if isinstance(error, Rejected) and progress.certificate_id is not None:
                self.knocks.rejected(progress.certificate_id, error, began)
            return progress.result(error.outcome, error.reason, error.message)
        except Exception as error:
            failure = Undecided(Reason.INTERNAL, f"unexpected {type(error).__name__}")
            raise _located(failure, progress) from error

    def _steps(self, payload: object, owner: str, progress: Progress) -> EventResult:
        # (1)
        event, ca = self.examination.admit(payload, progress)
        if ca is None:
            return progress.result(Outcome.UNMANAGED_CA, None, "the CA is not managed by this deployment")
        # (2)
        progress.step = 2
        if (answer := self.knocks.answer(event)) is not None:
            return progress.result(answer.outcome, answer.reason, answer.message)
        self._verify_not_kept_out(event.certificate_id, ca, progress)
        candidate = replace(self.examination.describe(event.certificate_id, ca), client_id=event.client_id)
        if candidate.registered.status is not CertificateStatus.PENDING_ACTIVATION:
            return self._already_decided(candidate, owner, progress)
        try:
            # (3), (4)
            candidate = self.examination.verify(candidate, progress)
            # (5), (6)
            leased = self.leasing.take(candidate, owner=owner, progress=progress)
        except Rejected as rejection:
            if rejection.reason in _SWITCHED_OFF:
                self.registry.update_certificate(candidate.certificate_id, CertificateStatus.INACTIVE)
            raise
        if leased is None:
            return progress.result(Outcome.ALREADY_DECIDED, "active", "the certificate was activated meanwhile")
        # Before anything is asked of AWS IoT: whatever the CA's state then, the next delivery finds the row by it.
        self.rows.remember(candidate.certificate_id, candidate.row)
        return self._finish(leased, owner, progress)

    # (2)

    def _verify_not_kept_out(self, certificate_id: str, ca: ManagedCa, progress: Progress) -> None:
        """Look at the CA (3) before anything that costs a quota; raises Waiting.

        Not where the certificate's row says that something was begun: that is finished whatever the CA's state (I5).
        What else may be wrong with the CA is said when it is step 3's turn.
        """
        try:
            self.authorities.verify_active(ca, at=self.clock())
        except Waiting:
            key = self.rows.key_of(certificate_id)
            row = None if key is None else self.rows.row(key)
            if row is None or row.state not in _BEGUN:
                progress.step = 3
                raise
        except Undecided:
            return

    def _already_decided(self, candidate: Candidate, owner: str, progress: Progress) -> EventResult:
        """Finish what an interrupted step 8, or an interrupted revocation, left open; change nothing else (I3)."""
        status = candidate.registered.status
        row = self.rows.row(candidate.row)
        if row is not None and row.state is RowState.REVOKE_WANTED:
            self.closing.switch_off(candidate)
        elif row is not None and status is CertificateStatus.ACTIVE:
            if row.state.refuses_activation:
                self.closing.switch_off(candidate)
            elif not row.lease_open(at=self.clock()):
                if row.state is RowState.ACTIVATING:
                    self._record_active(candidate, row.replaces, owner=None, since=candidate.described_at)
            elif row.lease_owner == owner:
                raise delivered_twice()
        return progress.result(Outcome.ALREADY_DECIDED, status.value.lower(), f"the certificate is {status}")

    # (7) and (8)

    def _finish(self, candidate: Candidate, owner: str, progress: Progress) -> EventResult:
        progress.step = 7
        try:
            replaces = self.provisioning.attach_thing(candidate, owner=owner)
            self.provisioning.attach_policy(candidate)
            self.authorities.watch_points(candidate.ca, candidate.certificate, at=self.clock())
            still_pending = self._still_pending(candidate)
        except ActivationError:
            # AWS IoT was not asked for ACTIVE yet, so others need not wait for the lease to end.
            self.rows.release_lease(candidate.row, owner=owner)
            raise
        if not still_pending:
            return progress.result(Outcome.ALREADY_DECIDED, None, "the certificate was decided meanwhile")
        progress.step = 8
        since = self.clock()
        self.registry.update_certificate(candidate.certificate_id, CertificateStatus.ACTIVE)
        if not self._record_active(candidate, replaces, owner, since=since):
            return progress.result(Outcome.REJECTED, Reason.REVOKED, "revocation was marked during the activation")
        self.authorities.records.count_device(candidate.ca.ca_certificate_id)
        progress.waited_seconds = self._waited(candidate)
        self._compare_client_id(candidate, progress)
        self.knocks.activated(candidate.certificate_id, since)
        return progress.result(Outcome.ACTIVATED, None, "the certificate is ACTIVE")

    def _still_pending(self, candidate: Candidate) -> bool:
        """Ask AWS IoT again if the answer of step 2 is old, as on a cold start with a large CRL."""
        if self.clock() - candidate.described_at < FRESH_DESCRIPTION:
            return True
        registered = self.registry.describe_certificate(candidate.certificate_id)
        return registered.status is CertificateStatus.PENDING_ACTIVATION

    def _record_active(self, candidate: Candidate, replaces: str | None, owner: str | None, *, since: datetime) -> bool:
        """Deactivate the predecessor, if any, and close the row; returns False when revocation was marked meanwhile."""
        if replaces is not None:
            self.closing.switch_off_predecessor(replaces, successor=candidate.certificate_id)

        def finish() -> bool:
            return self.rows.finish_activation(candidate.row, owner=owner, at=self.clock(), activated_at=since)

        return self.closing.close(candidate, finish=finish)

    def _compare_client_id(self, candidate: Candidate, progress: Progress) -> None:
        """Say so where the policy lets no device like this one connect by the id that it tried."""
        client_id = candidate.client_id
        if client_id is None or not ClientIds(self.authorities, self.clock).refuses(
            candidate.ca, client_id, candidate.connecting
        ):
            return
        progress.refused_client_id = client_id
        progress.warnings += (f"policy {candidate.ca.policy} does not let it connect by the client id that it uses",)

    def _waited(self, candidate: Candidate) -> float | None:
        """Return the seconds since the certificate's first connect, by AWS IoT's clock and ours."""
        registered_at = candidate.registered.registered_at
        return None if registered_at is None else max(0.0, (self.clock() - registered_at).total_seconds())


def _located(error: Undecided, progress: Progress) -> Undecided:
    error.step = progress.step
    error.certificate_id = progress.certificate_id
    return error
