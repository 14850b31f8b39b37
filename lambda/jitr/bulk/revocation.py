"""Switching many certificates off on an operator's word, making that final, or taking it back.

As everywhere: the registry row is marked first, then AWS IoT is asked, then the row says so; no late event brings a
certificate back. What goes INACTIVE and was ACTIVE gets the job's claim on its row (see claims.py), so undoing the job
brings back what only the job switched off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from jitr import certificates
from jitr.aws.iot import CertificateStatus, IotRegistry, ListedCertificate, is_active
from jitr.bulk.tasks import Handled
from jitr.certificates import AnyCertificate
from jitr.crls.versions import CrlVersions
from jitr.errors import Reason, Rejected, Undecided
from jitr.registry.claims import Claims
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.facts import facts_of, key_of_row
from jitr.registry.row import RegistryRow, RowState, id_key
from jitr.registry.rows import Registry
from jitr.registry.switching_off import SwitchingOff
from jitr.registry.undoing import Undoing

_OFF = (CertificateStatus.INACTIVE, CertificateStatus.REVOKED)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """A certificate and its row's key; `facts` are for a row that is not there yet; `fresh`: just described."""

    certificate_id: str
    status: CertificateStatus
    row: str
    facts: dict[str, Any] = field(default_factory=dict)
    fresh: bool = False


@dataclass(frozen=True, kw_only=True)
class RevokingDevices:
    """Makes certificates of one CA REVOKED or INACTIVE (`wanted`).

    `ca` is None where its certificate cannot be read: then rows are kept by certificate ids. `claim` is the job's name
    on rows that can be brought back, None where nothing can be. `confirms`: only what is INACTIVE already. Certificates
    that were registered after `registered_until` are none of the job's business.
    `pace` waits before each quota-limited call, `sleep` takes seconds.
    """

    registry: IotRegistry
    rows: Registry
    versions: CrlVersions
    ca_certificate_id: str
    ca: AnyCertificate | None
    wanted: CertificateStatus
    claim: str | None
    confirms: bool
    registered_until: datetime | None
    pace: Callable[[], None]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    disconnecting: Disconnecting | None = None
    _known: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _off(self) -> SwitchingOff:
        return SwitchingOff(registry=self.registry, rows=self.rows, pace=self.pace, disconnecting=self.disconnecting)

    def prepare(self, certificate_ids: Sequence[str]) -> None:
        """Read which rows the certificates have."""
        self._known.clear()
        self._known.update(self.rows.known(certificate_ids))

    def handle(self, certificate: ListedCertificate) -> Handled:
        """Switch one off, with all others that share its row; raises Undecided, Rejected for another CA's."""
        if self._later(certificate):
            return Handled.SKIPPED
        seen = self._seen(certificate)
        if self.confirms and seen.status not in _OFF:
            return Handled.SKIPPED
        row = self._row(seen)
        if seen.certificate_id not in row.certificate_ids:
            # Another certificate's serial number: a copy must not be a way to switch the device off.
            seen = replace(seen, row=id_key(seen.certificate_id))
            row = self._row(seen)
        if seen.certificate_id not in self._known:
            self._remember(seen)
        if not self._is_done(row):
            self._switch_off(row, seen)
        elif seen.status not in _OFF:
            self._off.ask([seen.certificate_id], CertificateStatus(row.state.value))
        return Handled.DONE

    def settle(self) -> None:
        """Wait for the end of activations that were on their way, and switch off what they may have switched on."""
        self._off.once_more(clock=self.clock, sleep=self.sleep)
        self._off.disconnect()

    def conclude(self, *, failed: int) -> None:
        """Nothing more."""

    def _later(self, certificate: ListedCertificate) -> bool:
        until, registered_at = self.registered_until, certificate.registered_at
        return until is not None and registered_at is not None and registered_at > until

    def _seen(self, listed: ListedCertificate) -> _Seen:
        """Return status and row; described where the list or the registry does not say them."""
        key = self._known.get(listed.certificate_id)
        if key is not None and listed.status is not None:
            return _Seen(certificate_id=listed.certificate_id, status=listed.status, row=key)
        self.pace()
        described = self.registry.describe_certificate(listed.certificate_id)
        if described.ca_certificate_id != self.ca_certificate_id:
            raise Rejected(Reason.CA_MISMATCH, "the certificate is of another CA")
        certificate = certificates.read_pem(described.pem)
        return _Seen(
            certificate_id=listed.certificate_id,
            status=described.status,
            row=key_of_row(certificate, self.ca, certificate_id=listed.certificate_id),
            facts=facts_of(certificate, self.ca_certificate_id, certificate_id=listed.certificate_id),
            fresh=True,
        )

    def _row(self, seen: _Seen) -> RegistryRow:
        """Return the row, made new if need be: as ACTIVE for what others activated, else as wanting to be off."""
        row = self.rows.row(seen.row)
        if row is None and seen.status is CertificateStatus.ACTIVE:
            self.rows.add_known(seen.row, certificate_id=seen.certificate_id, facts=seen.facts)
            row = self.rows.row(seen.row)
        elif row is None:
            self.rows.want_revocation(
                seen.row, certificate_id=seen.certificate_id, wanted=self.wanted, facts=seen.facts
            )
            row = self.rows.row(seen.row)
        if row is None:
            raise Undecided(Reason.INTERNAL, "the registry row is gone")
        return row

    def _remember(self, seen: _Seen) -> None:
        """Let the next sweep look at every entry again, as after an import: this one may be on the CRL for long.

        Before the row is marked, so that an import that goes on meanwhile leaves it to this job.
        """
        if self.ca is not None:
            self.versions.forget_enforced_of(certificates.issuer_key(self.ca))
        self.rows.remember(seen.certificate_id, seen.row)

    def _is_done(self, row: RegistryRow) -> bool:
        """Say whether nothing has to be done: not while an activation may be under way, nor for a brake's claim."""
        if row.lease_owner is not None:
            return False
        if row.state is not RowState.INACTIVE or self.wanted is not CertificateStatus.INACTIVE:
            return row.state is RowState.REVOKED
        if row.braked_by in (None, self.claim) or self.claim in row.also_wanted_by:
            return True
        # Another job was here: both want it off, and only when both are undone it comes back.
        joins = self.claim is not None and row.job is not None
        return joins and Claims(self.rows).join(row.key, claim=self.claim or "", holder=row.braked_by or "")

    def _switch_off(self, row: RegistryRow, seen: _Seen) -> None:
        marked = self._off.mark(row, self.wanted, holder=lambda found: self._holder(found, seen), done=self._is_done)
        if marked is not None:
            self._off.carry_out(marked)

    def _holder(self, row: RegistryRow, seen: _Seen) -> str | None:
        """Return the job's claim if undoing may bring the row back: all of its certificates are ACTIVE now (I3)."""
        if self.claim is None or row.braked_by == self.claim:
            return self.claim
        if row.state is not RowState.ACTIVE:
            return None
        for certificate_id in row.certificate_ids:
            if certificate_id == seen.certificate_id and seen.fresh:
                active = seen.status is CertificateStatus.ACTIVE
            else:
                active = self._is_active(certificate_id)
            if not active:
                return None
        return self.claim

    def _is_active(self, certificate_id: str) -> bool:
        self.pace()
        return is_active(self.registry, certificate_id)


@dataclass(frozen=True, kw_only=True)
class BringingBack:
    """Makes ACTIVE again what one job switched off, and nothing that was decided otherwise since."""

    registry: IotRegistry
    rows: Registry
    claim: str
    pace: Callable[[], None]
    clock: Callable[[], datetime]
    disconnecting: Disconnecting | None = None
    _known: dict[str, str] = field(default_factory=dict)

    @property
    def claims(self) -> Claims:
        """The claims on rows."""
        return Claims(self.rows)

    @property
    def undoing(self) -> Undoing:
        """How one row is brought back."""
        return Undoing(
            registry=self.registry,
            rows=self.rows,
            claim=self.claim,
            pace=self.pace,
            clock=self.clock,
            disconnecting=self.disconnecting,
        )

    def prepare(self, certificate_ids: Sequence[str]) -> None:
        """Read which rows the certificates have."""
        self._known.clear()
        self._known.update(self.rows.known(certificate_ids))

    def handle(self, certificate: ListedCertificate) -> Handled:
        """Bring one back, with all others that share its row; raises Undecided, Rejected for what stays off (I4)."""
        key = self._known.get(certificate.certificate_id)
        row = None if key is None else self.rows.row(key)
        if row is None:
            return Handled.SKIPPED
        holds = self.undoing.holds(row)
        if self.claim in row.also_wanted_by:
            self.claims.withdraw(row.key, claim=self.claim)
        elif holds and row.also_wanted_by:
            self.claims.hand_on(row.key, claim=self.claim, to=row.also_wanted_by[0])
        tried = holds and self.undoing.begin(row)
        if tried and self.undoing.finish(row) is not None:
            return Handled.DONE
        if tried or certificate.status in (None, CertificateStatus.ACTIVE):
            self.undoing.switch_off_again(row.key)
        return Handled.SKIPPED

    def settle(self) -> None:
        """Nothing is left open."""

    def conclude(self, *, failed: int) -> None:
        """Nothing more."""


@dataclass(frozen=True, kw_only=True)
class RejectingCrl(BringingBack):
    """Makes ACTIVE again what the brake of a refused CRL switched off; `claim` is that CRL's SHA-256.

    It needs no lease of the scope: sweeps refuse that CRL, and what another one lists meanwhile is decided row by row,
    as beside an operator's job.
    """

    versions: CrlVersions
    scope: str

    def conclude(self, *, failed: int) -> None:
        """Forget the brake if all are back, and let the next sweep look at every entry of what is published now."""
        if not failed:
            self.versions.clear_brake_of(self.scope, self.claim)
        self.versions.forget_enforced(self.scope)
