"""One activation: from a registration event to a certificate that is ACTIVE, or to the reason why it is not.

The steps, whose numbers appear in the code, in results, in logs and in docs/registration-flow.md:

1. Parse the event. Is its account ours, and its CA managed by this deployment? If not: `unmanaged_ca`, no call.
2. DescribeCertificate. Not PENDING_ACTIVATION: `already_decided`, after finishing what step 8 may have left open.
   Compare the SHA-256 of the DER, the CA id and the account with the event's.
3. The CA: ACTIVE in fleet file and AWS IoT, not on hold, the certificate we expect?
4. The certificate itself: signed by that CA's key, valid now, strong enough, its name usable.
5. Revocation: listed on the CA's CRL?
6. Registry row ACTIVATING with a lease, refused if the row wants or has revocation; then the accepted CRL version,
   read consistently: newer than the one of step 5 means step 5 again.
7. Thing (claimed, then attached), where configured; policy attached, and created first if it does not exist.
8. UpdateCertificate ACTIVE; then row ACTIVE on condition, and if revocation was marked meanwhile, off at once.

Everything is safe to repeat from the start: whatever was killed wherever, the next delivery ends in the same state.
Not decided here: whether the device *stays* active; that is enforcement's, which reads the rows written in step 6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from jitr import certificates
from jitr.candidate import Candidate
from jitr.certificate_authorities import CertificateAuthorities
from jitr.crl_cache import CrlCache, CurrentCrl
from jitr.crl_sources import CDP, HTTP_SCHEMES, NONE
from jitr.errors import ActivationError, Outcome, Reason, Rejected, Undecided, Waiting
from jitr.events import CertificateRegistered, claimed_certificate_id
from jitr.iot_registry import CertificateStatus, IotRegistry
from jitr.provisioning import Provisioning
from jitr.registry import Registry, RowState
from jitr.revocation import Options, RevocationStatus, decide
from jitr.settings import Configuration, Environment, ManagedCa

# Longer than the function may run (60 s): a lease that ended belonged to an invocation that is dead.
LEASE = timedelta(seconds=90)
# Past this age DescribeCertificate's answer is asked for again before step 8; a warm activation is far below it.
FRESH_DESCRIPTION = timedelta(seconds=5)
# One CRL revokes for good at most this many devices as they knock; further ones stay PENDING_ACTIVATION (I7).
IRREVERSIBLE_REJECTIONS = 100
_CRL_ATTEMPTS = 3

# Rejections after which AWS IoT must not ask again; all others leave the certificate PENDING_ACTIVATION.
_SWITCHED_OFF = frozenset({Reason.WEAK_KEY, Reason.WEAK_SIGNATURE, Reason.CERTIFICATE_EXPIRED, Reason.REVOKED_BEFORE})


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one event ended; `reason` is None for an activation, `step` the last step that ran."""

    certificate_id: str | None
    ca_certificate_id: str | None
    outcome: Outcome
    reason: str | None
    step: int
    message: str
    warnings: tuple[str, ...] = ()


@dataclass
class _Progress:
    """Where one event stands, so that whatever goes wrong is reported with its step."""

    certificate_id: str | None = None
    ca_certificate_id: str | None = None
    step: int = 1
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Activation:
    """The use case; `clock` returns the time in UTC, `owner` (per call) identifies one event across its retries."""

    configuration: Configuration
    environment: Environment
    authorities: CertificateAuthorities
    registry: IotRegistry
    rows: Registry
    crls: CrlCache
    clock: Callable[[], datetime]

    @cached_property
    def provisioning(self) -> Provisioning:
        """Things and policies (step 7)."""
        return Provisioning(
            configuration=self.configuration, environment=self.environment, registry=self.registry, rows=self.rows
        )

    def activate(self, payload: object, *, owner: str) -> Result:
        """Run the steps for one event and return how it ended.

        Raises Undecided, and nothing else, when the event has to be delivered again.
        """
        progress = _Progress(certificate_id=claimed_certificate_id(payload))
        try:
            return self._steps(payload, owner, progress)
        except Undecided as error:
            raise _located(error, progress) from error.__cause__
        except (Rejected, Waiting) as error:
            return _result(progress, error.outcome, error.reason, error.message)
        except Exception as error:
            failure = Undecided(Reason.INTERNAL, f"unexpected {type(error).__name__}")
            raise _located(failure, progress) from error

    def _steps(self, payload: object, owner: str, progress: _Progress) -> Result:
        # (1)
        event = CertificateRegistered.parse(payload)
        progress.certificate_id, progress.ca_certificate_id = event.certificate_id, event.ca_certificate_id
        if event.account != self.environment.account:
            raise Undecided(Reason.FOREIGN_ACCOUNT, "the event belongs to another account")
        ca = self.authorities.find(event.ca_certificate_id, at=self.clock())
        if ca is None:
            return _result(progress, Outcome.UNMANAGED_CA, None, "the CA is not managed by this deployment")
        # (2)
        progress.step = 2
        candidate = self._described(event, ca)
        if candidate.registered.status is not CertificateStatus.PENDING_ACTIVATION:
            return self._already_decided(candidate, owner, progress)
        try:
            # (3)
            progress.step = 3
            self.authorities.verify_active(ca, at=self.clock())
            # (4)
            progress.step = 4
            candidate = self._verified(candidate)
            # (5), (6)
            self._claim(candidate, owner, progress)
        except Rejected as rejection:
            if rejection.reason in _SWITCHED_OFF:
                self.registry.update_certificate(candidate.certificate_id, CertificateStatus.INACTIVE)
            raise
        return self._finish(candidate, owner, progress)

    # (2)

    def _described(self, event: CertificateRegistered, ca: ManagedCa) -> Candidate:
        at = self.clock()
        registered = self.registry.describe_certificate(event.certificate_id)
        certificate = certificates.load_certificate(registered.pem)
        if certificates.fingerprint(certificate) != event.certificate_id:
            raise Undecided(Reason.CERTIFICATE_MISMATCH, "AWS IoT returned another certificate than the event names")
        if registered.ca_certificate_id != event.ca_certificate_id:
            raise Undecided(
                Reason.CA_MISMATCH, "AWS IoT registered the certificate under another CA than the event names"
            )
        if registered.owner != self.environment.account:
            raise Undecided(Reason.FOREIGN_ACCOUNT, "the certificate belongs to another account")
        return Candidate(
            registered=registered,
            described_at=at,
            certificate=certificate,
            ca=ca,
            ca_certificate=self.authorities.certificate(ca, at=at),
        )

    def _already_decided(self, candidate: Candidate, owner: str, progress: _Progress) -> Result:
        """Finish what an interrupted step 8, or an interrupted revocation, left open; change nothing else (I3)."""
        status = candidate.registered.status
        row = self.rows.row(candidate.row)
        if row is not None and row.state is RowState.REVOKE_WANTED:
            self._switch_off(candidate, row.wanted)
        elif row is not None and status is CertificateStatus.ACTIVE:
            if row.state.refuses_activation:
                self._switch_off(candidate, row.wanted)
            elif row.state is RowState.ACTIVATING and not row.lease_open(at=self.clock(), owner=owner):
                self._record_active(candidate, row.replaces, owner if row.lease_owner == owner else None)
        return _result(progress, Outcome.ALREADY_DECIDED, status.value.lower(), f"the certificate is {status}")

    # (4)

    def _verified(self, candidate: Candidate) -> Candidate:
        certificates.verify_issued_by(candidate.certificate, candidate.ca_certificate)
        certificates.verify_validity(candidate.certificate, at=self.clock())
        certificates.verify_strength(candidate.certificate)
        name = certificates.thing_name(candidate.certificate, candidate.ca.thing_name)
        return replace(candidate, thing_name=name)

    # (5) and (6)

    def _claim(self, candidate: Candidate, owner: str, progress: _Progress) -> None:
        """Decide on a CRL and write the row; again from (5) while somebody accepted a newer CRL meanwhile."""
        for attempt in range(_CRL_ATTEMPTS):
            progress.step = 5
            used = self._check_revocation(candidate, progress, newest=attempt > 0)
            progress.step = 6
            self._write_row(candidate, owner)
            if not any(self._outdated(crl) for crl in used):
                return
        raise Undecided(Reason.ROLLBACK, "a newer CRL was accepted than the source still offers")

    def _outdated(self, used: CurrentCrl) -> bool:
        accepted = self.crls.versions.accepted(used.scope)
        return accepted is not None and used.version.goes_back_from(accepted)

    def _check_revocation(self, candidate: Candidate, progress: _Progress, *, newest: bool) -> tuple[CurrentCrl, ...]:
        source = candidate.ca.crl
        if source == NONE:
            return ()
        at = self.clock()
        points = certificates.distribution_points(candidate.certificate)
        options = Options(
            max_age=candidate.ca.crl_max_age,
            distribution_points=(source,) if source.startswith(HTTP_SCHEMES) else (),
        )
        current = self.crls.usable(source, candidate.ca_certificate, points, at=at, options=options, newest=newest)
        crls = [each.crl for each in current]
        verdict = decide(candidate.certificate, candidate.ca_certificate, crls, at=at, options=options)
        failures = tuple(f"newer CRL not used: {each.failure.reason}" for each in current if each.failure)
        progress.warnings = (*verdict.warnings, *failures)
        if verdict.status is RevocationStatus.GOOD:
            return current
        if verdict.status is RevocationStatus.REVOKED:
            listing = next(each for each in current if each.crl is verdict.crl)
            self._reject_revoked(candidate, listing, is_hold=verdict.is_hold)
        raise Undecided(verdict.reason or Reason.MALFORMED, "the CRL does not say whether the certificate is revoked")

    def _reject_revoked(self, candidate: Candidate, current: CurrentCrl, *, is_hold: bool) -> None:
        if is_hold:
            raise Rejected(Reason.CERTIFICATE_HOLD, "the CRL lists the certificate as on hold")
        # Nothing final on a CRL that may be superseded: the newest one may be the correction.
        if current.failure is not None:
            raise Undecided(current.failure.reason, "listed on a kept CRL whose source does not answer")
        if self._outdated(current):
            raise Undecided(Reason.ROLLBACK, "listed on a CRL that is older than one that was accepted")
        if self.crls.versions.count_rejection(current.scope) > IRREVERSIBLE_REJECTIONS:
            raise Rejected(
                Reason.REVOCATION_BRAKED,
                f"the CRL lists the certificate, but has revoked {IRREVERSIBLE_REJECTIONS} already: it stays pending",
            )
        wanted = CertificateStatus.REVOKED
        self.rows.want_revocation(
            candidate.row, certificate_id=candidate.certificate_id, wanted=wanted, facts=candidate.facts
        )
        self._switch_off(candidate, wanted)
        raise Rejected(Reason.REVOKED, "the CRL lists the certificate; it is now REVOKED")

    def _write_row(self, candidate: Candidate, owner: str) -> None:
        at = self.clock()
        written = self.rows.begin_activation(
            candidate.row,
            certificate_id=candidate.certificate_id,
            owner=owner,
            lease_until=at + LEASE,
            at=at,
            facts=candidate.facts,
        )
        if written:
            return
        row = self.rows.row(candidate.row)
        if row is not None and row.state.refuses_activation:
            if row.state is RowState.REVOKE_WANTED:
                self._switch_off(candidate, row.wanted)
                raise Rejected(Reason.REVOKED, "this certificate was marked for revocation before it was activated")
            raise Rejected(Reason.REVOKED_BEFORE, "this certificate was revoked before and registered again")
        if row is not None and candidate.certificate_id not in row.certificate_ids:
            raise Rejected(
                Reason.SERIAL_IN_USE, "another certificate of this CA with the same serial number is registered"
            )
        # The other invocation has an event of its own: if it dies, that one is delivered again.
        raise Waiting(Reason.LEASE_HELD, "another invocation is activating this certificate")

    # (7) and (8)

    def _finish(self, candidate: Candidate, owner: str, progress: _Progress) -> Result:
        progress.step = 7
        try:
            replaces = self.provisioning.attach_thing(candidate, owner=owner)
            self.provisioning.attach_policy(candidate)
            still_pending = self._still_pending(candidate)
        except ActivationError:
            # AWS IoT was not asked for ACTIVE yet, so others need not wait for the lease to end.
            self.rows.release_lease(candidate.row, owner=owner)
            raise
        if not still_pending:
            return _result(progress, Outcome.ALREADY_DECIDED, None, "the certificate was decided meanwhile")
        progress.step = 8
        self.registry.update_certificate(candidate.certificate_id, CertificateStatus.ACTIVE)
        if not self._record_active(candidate, replaces, owner):
            return _result(progress, Outcome.REJECTED, Reason.REVOKED, "revocation was marked during the activation")
        self.rows.remember(candidate.certificate_id, candidate.row)
        points = certificates.distribution_points(candidate.certificate) if candidate.ca.crl == CDP else ()
        self.authorities.records.count_device(candidate.ca.ca_certificate_id, self._locations(points))
        return _result(progress, Outcome.ACTIVATED, None, "the certificate is ACTIVE")

    def _locations(self, points: tuple[str, ...]) -> tuple[str, ...]:
        """Return the addresses that enforcement has to watch, where only the certificates say them."""
        return self.crls.sources.locations(CDP, points) if points else ()

    def _still_pending(self, candidate: Candidate) -> bool:
        """Ask AWS IoT again if the answer of step 2 is old, as on a cold start with a large CRL."""
        if self.clock() - candidate.described_at < FRESH_DESCRIPTION:
            return True
        registered = self.registry.describe_certificate(candidate.certificate_id)
        return registered.status is CertificateStatus.PENDING_ACTIVATION

    def _record_active(self, candidate: Candidate, replaces: str | None, owner: str | None) -> bool:
        """Deactivate the predecessor, if any, and close the row; returns False when revocation was marked meanwhile."""
        if replaces is not None:
            self.registry.switch_off(replaces, CertificateStatus.INACTIVE)
        if self.rows.finish_activation(candidate.row, owner=owner, at=self.clock()):
            return True
        row = self.rows.row(candidate.row)
        if row is None or not row.state.refuses_activation:
            return True
        self._switch_off(candidate, row.wanted)
        return False

    def _switch_off(self, candidate: Candidate, wanted: CertificateStatus | None) -> None:
        """Bring AWS IoT to the status that a revocation wants, then record it."""
        status = wanted or CertificateStatus.INACTIVE
        row = self.rows.row(candidate.row)
        # A serial number is listed for every certificate that has it.
        for certificate_id in {candidate.certificate_id, *(row.certificate_ids if row else ())}:
            self.registry.switch_off(certificate_id, status)
        self.rows.finish_revocation(candidate.row, done=status)


def _located(error: Undecided, progress: _Progress) -> Undecided:
    error.step = progress.step
    error.certificate_id = progress.certificate_id
    return error


def _result(progress: _Progress, outcome: Outcome, reason: str | None, message: str) -> Result:
    return Result(
        certificate_id=progress.certificate_id,
        ca_certificate_id=progress.ca_certificate_id,
        outcome=outcome,
        reason=reason,
        step=progress.step,
        message=message,
        warnings=progress.warnings,
    )
