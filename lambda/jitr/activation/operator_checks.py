"""What is checked, with nothing written, before an operator is asked whether a certificate is to become ACTIVE.

The numbers are an activation's steps (docs/registration-flow.md); what fails carries the number in `step`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from jitr.activation.candidate import Candidate
from jitr.activation.examination import Examination, verify_good
from jitr.aws.iot import Thing, Things
from jitr.crls.cache import CurrentCrl
from jitr.errors import ActivationError, Reason, Rejected, Undecided, Waiting
from jitr.registry.row import RegistryRow, RowState, id_key
from jitr.registry.rows import Registry


@dataclass(frozen=True, kw_only=True)
class ThingToTake:
    """A Thing as it was when the operator was asked: `holder` is the certificate that it belongs to, if any."""

    thing_name: str
    holder: str | None
    version: int

    @classmethod
    def of(cls, name: str, thing: Thing) -> ThingToTake:
        """Return a Thing with the version by which to change it."""
        return cls(thing_name=name, holder=thing.certificate_id, version=thing.version)


@contextmanager
def step(number: int) -> Iterator[None]:
    """Note in whatever fails inside at which step it did."""
    try:
        yield
    except ActivationError as error:
        error.step = number
        raise


def find_candidate(examination: Examination, certificate_id: str) -> Candidate:
    """Run steps 1 and 2 for a certificate id; raises Undecided, also for a CA that this deployment does not manage.

    Not checked: the certificate's status.
    """
    with step(2):
        registered = examination.registry.describe_certificate(certificate_id)
    with step(1):
        ca_certificate_id = registered.ca_certificate_id
        if ca_certificate_id is None:
            raise Undecided(Reason.CA_NOT_FOUND, "the certificate was registered without a CA")
        ca = examination.authorities.find(ca_certificate_id, at=examination.clock())
        if ca is None:
            raise Undecided(Reason.CA_NOT_FOUND, f"CA {ca_certificate_id} is not managed by this deployment")
    with step(2):
        return examination.describe(certificate_id, ca)


def verify_candidate(examination: Examination, rows: Registry, candidate: Candidate) -> Candidate:
    """Run steps 3 to 6 and return the candidate with its Thing's name; raises Rejected, Waiting or Undecided."""
    with step(3):
        examination.verify_ca(candidate)
    with step(4):
        candidate = examination.verify_certificate(candidate)
    with step(5):
        verify_not_revoked(examination, candidate)
    with step(6):
        verify_row_admits(rows.row(candidate.row), candidate, at=examination.clock())
        verify_row_admits(rows.row(id_key(candidate.certificate_id)), candidate, at=examination.clock())
    return candidate


def find_thing_to_take(registry: Things, candidate: Candidate) -> ThingToTake | None:
    """Return the candidate's Thing where it is another certificate's, or no one's; None: there is nothing to take."""
    if candidate.thing_name is None:
        return None
    with step(7):
        thing = registry.find_thing(candidate.thing_name)
    if thing is None or thing.certificate_id == candidate.certificate_id:
        return None
    return ThingToTake.of(candidate.thing_name, thing)


def verify_not_revoked(examination: Examination, candidate: Candidate) -> tuple[CurrentCrl, ...]:
    """Run steps 5 and 5a on the newest CRLs and return those; raises Rejected, Waiting or Undecided."""
    check = examination.revocation(candidate, newest=True)
    verify_good(check.verdict)
    examination.verify_allowed(candidate)
    return check.used


def verify_row_admits(row: RegistryRow | None, candidate: Candidate, *, at: datetime) -> None:
    """Check that a registry row, as it was read, lets a reinstatement begin; raises Rejected or Waiting."""
    if row is None:
        return
    if candidate.certificate_id not in row.certificate_ids:
        raise Rejected(Reason.SERIAL_IN_USE, "another certificate of this CA with the same serial number is registered")
    if row.state is RowState.REVOKED:
        raise Rejected(Reason.REVOKED_BEFORE, "the registry says that this certificate was revoked, which is final")
    if row.state is RowState.REVOKE_WANTED:
        raise Waiting(
            Reason.REVOKED,
            f"a revocation to {row.wanted} is under way, or was interrupted: `jitr device revoke` finishes it",
        )
    if row.lease_until > at:
        raise Waiting(
            Reason.LEASE_HELD, f"somebody is at work on this certificate until {row.lease_until:%H:%M:%S} UTC"
        )
