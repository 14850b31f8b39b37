"""A certificate becomes ACTIVE on an operator's word: `jitr device reinstate` and `jitr device rebind`.

The steps are those of an activation (docs/registration-flow.md): 2 to 5a by the function's own examination, then

6. the registry row ACTIVATING with a lease, and only then, once more, which CRL version is the accepted one:
   enforcement writes that version before it reads rows, so either it sees the lease or we see its version;
7. Thing and policy, by the function's own provisioning; for a rebind the Thing is taken over first;
8. UpdateCertificate ACTIVE, then the row on condition; if revocation was marked meanwhile, off at once.

Killed anywhere, a second run goes on where the first one stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from jitr.activation.candidate import Candidate
from jitr.activation.closing import Closing
from jitr.activation.examination import Examination
from jitr.activation.leasing import on_newest_crl
from jitr.activation.operator_checks import ThingToTake, step, verify_not_revoked, verify_row_admits
from jitr.activation.provisioning import Provisioning
from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.crls.cache import CurrentCrl
from jitr.errors import ActivationError, Reason, Rejected, Undecided
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.row import RegistryRow
from jitr.registry.rows import Registry

# From the lease to the question for ACTIVE; what takes longer is given up. The lease outlives it by more than the one
# call can take, so that enforcement, which waits for the end of leases, comes after it.
TIME_LIMIT = timedelta(seconds=45)
LEASE = timedelta(seconds=120)
# Answers after which AWS IoT has certainly not made the certificate ACTIVE.
_REFUSALS = frozenset({Reason.AWS_REFUSED, Reason.ACCESS_DENIED, Reason.THROTTLED})


@dataclass(frozen=True, kw_only=True)
class OperatorActivation:
    """The use case; `examination` must have been made with versions that are written. `clock` is UTC."""

    examination: Examination
    provisioning: Provisioning
    registry: IotRegistry
    rows: Registry
    clock: Callable[[], datetime]
    disconnecting: Disconnecting | None = None

    @cached_property
    def closing(self) -> Closing:
        """What follows ACTIVE (step 8)."""
        return Closing(registry=self.registry, rows=self.rows, disconnecting=self.disconnecting)

    def reinstate(self, candidate: Candidate, *, owner: str, take: ThingToTake | None = None) -> str | None:
        """Lead an INACTIVE certificate back to ACTIVE; returns the certificate that gave up its Thing, if any.

        `take` is a Thing to take over. Raises Rejected, Waiting or Undecided: the certificate is not ACTIVE.
        """
        return self._activate(candidate, owner, take, was=CertificateStatus.INACTIVE)

    def rebind(self, candidate: Candidate, *, owner: str, take: ThingToTake | None) -> str | None:
        """Make a PENDING_ACTIVATION certificate ACTIVE with a Thing that belongs to another one.

        `take` is None where an earlier run moved the Thing. Returns the certificate that gave it up; that one is
        INACTIVE then. Raises as `reinstate`.
        """
        return self._activate(candidate, owner, take, was=CertificateStatus.PENDING_ACTIVATION)

    def finish(self, candidate: Candidate, row: RegistryRow) -> str | None:
        """Close what a killed run left open after ACTIVE (an ended lease); returns as `rebind`."""
        if row.replaces is not None:
            self.closing.switch_off_predecessor(row.replaces, successor=candidate.certificate_id)
        self._close(candidate, owner=None)
        return row.replaces

    def _activate(
        self, candidate: Candidate, owner: str, take: ThingToTake | None, *, was: CertificateStatus
    ) -> str | None:
        # (5), (6)
        began = self._take_row(candidate, owner, was)
        # (7)
        try:
            with step(7):
                if take is not None:
                    self._take_over(candidate, owner, take)
                self.provisioning.attach_thing(candidate, owner=owner)
                self.provisioning.attach_policy(candidate)
                authorities = self.examination.authorities
                authorities.watch_points(candidate.ca, candidate.certificate, at=self.clock())
                replaces = self._noted(candidate)
                self._verify_in_time(began)
        except ActivationError:
            self._abandon(candidate, owner, was)
            raise
        # (8)
        with step(8):
            self._ask_for_active(candidate, owner, was)
            if replaces is not None:
                self.closing.switch_off_predecessor(replaces, successor=candidate.certificate_id)
            self._close(candidate, owner=owner)
        if was is CertificateStatus.PENDING_ACTIVATION:
            self.examination.authorities.records.count_device(candidate.ca.ca_certificate_id)
        return replaces

    def _ask_for_active(self, candidate: Candidate, owner: str, was: CertificateStatus) -> None:
        try:
            self.registry.update_certificate(candidate.certificate_id, CertificateStatus.ACTIVE)
        except Undecided as failure:
            if failure.reason in _REFUSALS:
                self._abandon(candidate, owner, was)
            # Without an answer nobody knows: the row stays on its way, and whoever runs this again finds out.
            raise

    def _take_row(self, candidate: Candidate, owner: str, was: CertificateStatus) -> datetime:
        """Decide on the newest CRL and write the row; again while another one is accepted. Returns the time."""

        def check(newest: bool) -> tuple[CurrentCrl, ...]:  # noqa: ARG001, FBT001 - an operator always wants the newest
            with step(5):
                return verify_not_revoked(self.examination, candidate)

        def write() -> datetime:
            with step(6):
                return self._write_row(candidate, owner)

        began = on_newest_crl(
            self.examination, check=check, write=write, give_up=lambda: self._abandon(candidate, owner, was)
        )
        if began is None:
            raise TypeError(began)
        # After the CRL: whoever has set it ACTIVE meanwhile, a CRL that lists it leaves the row off, and the next
        # comparison with AWS IoT switches it off again.
        with step(6):
            self._verify_unchanged(candidate, owner, was)
        return began

    def _write_row(self, candidate: Candidate, owner: str) -> datetime:
        at = self.clock()
        written = self.rows.begin_reinstatement(
            candidate.row,
            certificate_id=candidate.certificate_id,
            owner=owner,
            lease_until=at + LEASE,
            at=at,
            facts=candidate.facts,
        )
        if not written:
            verify_row_admits(self.rows.row(candidate.row), candidate, at=at)
            raise Undecided(Reason.LEASE_HELD, "the registry row changed at this moment; try again")
        return at

    def _verify_unchanged(self, candidate: Candidate, owner: str, was: CertificateStatus) -> None:
        """Check, under the lease, that nobody has decided meanwhile; from here on only its owner makes it ACTIVE."""
        try:
            status = self.registry.describe_certificate(candidate.certificate_id).status
            if status is not was:
                raise _changed(f"the certificate is {status} now")
        except ActivationError:
            # Not INACTIVE: a row that says so about an ACTIVE certificate would hide it from enforcement.
            self.rows.release_lease(candidate.row, owner=owner)
            raise

    def _take_over(self, candidate: Candidate, owner: str, take: ThingToTake) -> None:
        thing = self.registry.describe_thing(take.thing_name)
        if thing.certificate_id == candidate.certificate_id:
            return
        if (thing.certificate_id, thing.version) != (take.holder, take.version):
            raise _changed(f"Thing {take.thing_name} belongs to another certificate now, or was changed")
        self.provisioning.hand_over(take.thing_name, candidate, owner=owner, holder=take.holder, version=take.version)

    def _noted(self, candidate: Candidate) -> str | None:
        """Return the certificate that gave up its Thing, in this run or an earlier one: CreateThing does not tell.

        It succeeds once the Thing is the candidate's, whichever certificate had it before.
        """
        row = self.rows.row(candidate.row)
        return row.replaces if row else None

    def _verify_in_time(self, began: datetime) -> None:
        if self.clock() - began >= TIME_LIMIT:
            raise Undecided(Reason.LEASE_HELD, "this took too long to be safe against a revocation; run it again")

    def _abandon(self, candidate: Candidate, owner: str, was: CertificateStatus) -> None:
        """Undo the row; AWS IoT was not asked for ACTIVE. Others may try at once."""
        inactive = was is CertificateStatus.INACTIVE
        if not (inactive and self.rows.abandon_reinstatement(candidate.row, owner=owner)):
            self.rows.release_lease(candidate.row, owner=owner)

    def _close(self, candidate: Candidate, owner: str | None) -> None:
        # What was wanted by its id, while nobody could read it, is over: every check has passed.
        self.rows.forget_by_id(candidate.certificate_id)

        def finish() -> bool:
            return self.rows.finish_reinstatement(candidate.row, owner=owner, at=self.clock())

        if not self.closing.close(candidate, finish=finish):
            raise Rejected(Reason.REVOKED, "a revocation was marked at this moment; the certificate is off again")
        self.rows.remember(candidate.certificate_id, candidate.row)


def _changed(what: str) -> Undecided:
    return Undecided(Reason.LEASE_HELD, f"{what}: something else is at work here; nothing was changed, look again")
