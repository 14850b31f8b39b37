"""The part of a scheduled run that compares all certificates of all CAs with the registry, a minute at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitr.authorities.managed import CertificateAuthorities
from jitr.certificates import AnyCertificate
from jitr.crls.cache import CrlCache
from jitr.crls.sources import CDP, NONE
from jitr.enforcement.coverage import EVERYTHING, Coverage, WatchedCa, coverage_of
from jitr.enforcement.one_by_one import in_turns
from jitr.enforcement.passes import PassKind
from jitr.enforcement.reconciliation import Reconciliation
from jitr.errors import Undecided, as_undecided
from jitr.revocation import Options
from jitr.settings import ManagedCa
from jitr.telemetry.enforcement import EnforcementTelemetry

# A CRL that is published meanwhile waits for this at most: the function runs once at a time.
TIME_FOR_PASSES = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Reconciling:
    """Goes on with the passes of all CAs in turns; what fails for one CA is logged, and the next schedule goes on."""

    authorities: CertificateAuthorities
    crls: CrlCache
    reconciliation: Reconciliation
    telemetry: EnforcementTelemetry
    clock: Callable[[], datetime]

    def run(self, *, owner: str) -> None:
        """Go on for a minute; never raises."""
        until = self.clock() + TIME_FOR_PASSES
        cas = list(self.authorities.all(at=self.clock()))
        turns = [self._guarded(ca, kind, owner=owner) for kind in PassKind for ca in cas]
        in_turns(turns, time_is_over=lambda: self.clock() >= until)

    def _guarded(self, ca: ManagedCa, kind: PassKind, *, owner: str) -> Generator[None]:
        try:
            yield from self.reconciliation.steps(kind, self._watched(ca), owner=owner)
        except Exception as error:  # noqa: BLE001 - one CA's trouble must not end another one's pass
            self.telemetry.reconciliation_failed(ca.name, as_undecided(error))
        finally:
            self._report(ca, kind)

    def _watched(self, ca: ManagedCa) -> WatchedCa:
        at = self.clock()
        certificate = self.authorities.certificate(ca, at=at)
        return WatchedCa(
            ca_certificate_id=ca.ca_certificate_id,
            certificate=certificate,
            coverage=self._coverage(ca, certificate, at=at),
            active=self.reconciliation.passes.active_devices(ca.ca_certificate_id),
        )

    def _coverage(self, ca: ManagedCa, certificate: AnyCertificate, *, at: datetime) -> Coverage:
        """Return what a CA's CRLs cover; everything where its CRL cannot be used, which has its own alarm."""
        if ca.crl == NONE:
            return EVERYTHING
        if ca.crl == CDP:
            watched = frozenset(self.authorities.locations(ca, at=at))
            return Coverage(
                watched=watched,
                own_bucket=self.authorities.crl_bucket,
                hosts=frozenset(self.authorities.configuration.crl_hosts),
            )
        try:
            options = Options(max_age=ca.crl_max_age, require_crl_sign=ca.requires_crl_sign)
            crl = self.crls.current(ca.crl, certificate, at=at, options=options).crl
        except Undecided:
            return EVERYTHING
        return coverage_of(crl, certificate, ca.crl)

    def _report(self, ca: ManagedCa, kind: PassKind) -> None:
        try:
            state = self.reconciliation.passes.state(ca.ca_certificate_id, kind)
        except Exception as error:  # noqa: BLE001 - without figures the alarms of missing ones speak
            self.telemetry.reconciliation_failed(ca.name, as_undecided(error))
        else:
            self.telemetry.reconciled(ca.name, state, at=self.clock())
