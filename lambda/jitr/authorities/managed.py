"""Which CAs this deployment manages, and whether one may bring in devices right now.

The fleet file (in the bundle) owns its CAs; the state table knows those that an operator adopted, and holds. For
status the strictest of fleet file, operator hold and AWS IoT wins. What AWS IoT and the table say is kept for
half a minute, so that a CA that is switched off stops waiting events within a minute without a call for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeAlias, TypeVar

from jitr.authorities.obstacles import CaFacts, Obstacle, obstacles
from jitr.authorities.records import CaRecord, CaRecords
from jitr.aws.iot import CaCertificates, RegisteredCa
from jitr.certificates import Certificate, distribution_points, fingerprint, load_certificate
from jitr.crls.sources import CDP, HTTP_SCHEMES, NONE, S3Location, named_locations
from jitr.errors import Reason, Undecided, Waiting, as_undecided
from jitr.settings import Configuration, ManagedCa

LIFETIME = timedelta(seconds=30)
# That a CA is unknown is kept for a moment only: it may be adopted while its first device knocks.
UNKNOWN_LIFETIME = timedelta(seconds=3)
# How many addresses of CRLs are remembered for a CA. With AWS Private CA a partition has about a million certificates,
# so more of them are somebody's mistake; 1,000 fit well into an item of the table.
MOST_LOCATIONS = 1000
# Event topics name CAs, so their number is bounded by the account; this bound is against surprises only.
_MAXIMUM_KEPT = 1000

T = TypeVar("T")
Unusable: TypeAlias = Callable[[str, Undecided], None]


def passed_over(_ca_certificate_id: str, _failure: Undecided) -> None:
    """Say nothing about an adoption that cannot be used: for callers that only look for a CA."""


@dataclass(frozen=True)
class _Kept(Generic[T]):
    value: T
    read_at: datetime


@dataclass(frozen=True)
class CertificateAuthorities:
    """The CAs of one deployment."""

    configuration: Configuration
    registry: CaCertificates
    records: CaRecords
    crl_bucket: str
    _records: dict[str, _Kept[CaRecord | None]] = field(default_factory=dict)
    _registered: dict[str, _Kept[RegisteredCa]] = field(default_factory=dict)

    def find(self, ca_certificate_id: str, *, at: datetime) -> ManagedCa | None:
        """Return the CA if this deployment manages it; no AWS IoT call. The fleet file wins over an adoption."""
        for ca in self.configuration.cas:
            if ca.ca_certificate_id == ca_certificate_id:
                return ca
        record = self._record(ca_certificate_id, at=at)
        if record is None or record.adopted_policy is None or record.adopted_crl is None:
            return None
        if record.adopted_policy not in self.configuration.policies:
            policy = record.adopted_policy
            raise Undecided(Reason.CONFIGURATION, f"the CA was adopted with policy {policy!r}, which is not deployed")
        return self._adopted(record)

    def all(self, *, at: datetime, unusable: Unusable = passed_over) -> Iterator[ManagedCa]:  # noqa: ARG002
        """Yield every managed CA, whatever its status: the fleet file's, then the adopted ones.

        Also adopted ones whose policy is not deployed any more: they bring in nobody, but revocation still reaches
        their devices. `unusable` is told, by CA id, of an adoption that cannot be read or has no CRL we may use.
        """
        yield from self.configuration.cas
        owned = {ca.ca_certificate_id for ca in self.configuration.cas}
        for record in self.records.records(damaged=unusable):
            if record.adopted_policy is None or record.ca_certificate_id in owned:
                continue
            try:
                ca = self._adopted(record)
            except Exception as error:  # noqa: BLE001 - one CA's trouble must not hide the others
                unusable(record.ca_certificate_id, as_undecided(error))
                continue
            yield ca

    def _enforced(self, ca_certificate_id: str, *, at: datetime) -> ManagedCa | None:
        """Return a CA that is managed, whether or not it may bring in devices."""
        for ca in self.configuration.cas:
            if ca.ca_certificate_id == ca_certificate_id:
                return ca
        record = self._record(ca_certificate_id, at=at)
        return None if record is None or record.adopted_policy is None else self._adopted(record)

    def locations(self, ca: ManagedCa, *, at: datetime) -> tuple[str, ...]:
        """Return the addresses of a CA's CRLs: its source, or for `cdp` those that activated certificates name."""
        if ca.crl == NONE:
            return ()
        if ca.crl != CDP:
            return (ca.crl,)
        record = self._record(ca.ca_certificate_id, at=at)
        return record.locations if record is not None else ()

    def watch(self, ca: ManagedCa, locations: Iterable[str], *, at: datetime) -> None:
        """Let enforcement look at these addresses too; called before a certificate that names them becomes ACTIVE.

        Afterwards would be too late: whoever is killed in between leaves a device that no CRL ever switches off.
        Raises Undecided (`too_many_crls`) beyond MOST_LOCATIONS of a CA: each is fetched at every schedule.
        """
        known = set(self.locations(ca, at=at))
        if unknown := set(locations) - known:
            if len(known | unknown) > MOST_LOCATIONS:
                raise Undecided(
                    Reason.TOO_MANY_CRLS,
                    f"certificates of CA {ca.name} name more than {MOST_LOCATIONS} addresses of CRLs; forget those "
                    "that no device needs any more: jitr crl forget",
                )
            self.records.watch(ca.ca_certificate_id, unknown)
            self._records.pop(ca.ca_certificate_id, None)

    def watch_named(self, ca_certificate_id: str, certificate: Certificate, *, at: datetime) -> None:
        """Do the same as `watch_points` for a CA by its id; one that is not managed here is nothing to watch."""
        ca = self._enforced(ca_certificate_id, at=at)
        if ca is not None:
            self.watch_points(ca, certificate, at=at)

    def watch_points(self, ca: ManagedCa, certificate: Certificate, *, at: datetime) -> None:
        """Let enforcement look at the addresses that a certificate names, where only certificates say them."""
        if ca.crl == CDP:
            points, hosts = distribution_points(certificate), self.configuration.crl_hosts
            self.watch(ca, named_locations(points, self.crl_bucket, hosts), at=at)

    def devices(self, ca: ManagedCa, *, at: datetime) -> int:
        """Return how many devices of a CA were activated here."""
        record = self._record(ca.ca_certificate_id, at=at)
        return record.devices if record is not None else 0

    def certificate(self, ca: ManagedCa, *, at: datetime) -> Certificate:
        """Return the CA certificate: the reviewed one, or AWS IoT's for an adopted CA and for one in AWS Private CA.

        The deploy read the latter's fingerprint from AWS Private CA; raises Undecided (`ca_mismatch`) for any other.
        """
        found = load_certificate(ca.certificate or self._describe(ca, at=at).pem)
        if ca.known_at_deploy and fingerprint(found) != ca.ca_certificate_id:
            raise Undecided(
                Reason.CA_MISMATCH, f"AWS IoT holds another certificate for CA {ca.name} than AWS Private CA"
            )
        return found

    def verify_active(self, ca: ManagedCa, *, at: datetime) -> Certificate:
        """Check that the CA may bring in devices now, and return its certificate.

        Raises Waiting (`ca_inactive`, `ca_retired`, `ca_on_hold`) or Undecided (`ca_mismatch`, `ca_expired`).
        """
        _verify(ca, CaFacts(wanted=ca.status), at=at)
        record = self._record(ca.ca_certificate_id, at=at)
        _verify(ca, CaFacts(on_hold=record is not None and record.on_hold), at=at)
        registered = self._describe(ca, at=at)
        _verify(ca, CaFacts(active=registered.active), at=at)
        certificate = self.certificate(ca, at=at)
        if ca.certificate and load_certificate(registered.pem) != certificate:
            raise Undecided(
                Reason.CA_MISMATCH, f"AWS IoT holds another certificate for CA {ca.name} than the fleet file"
            )
        _verify(ca, CaFacts(certificate=certificate), at=at)
        return certificate

    def _adopted(self, record: CaRecord) -> ManagedCa:
        """Check an adoption as if it were input: others than the command line may be able to write to the table."""
        policy, crl = record.adopted_policy or "", record.adopted_crl or ""
        # HTTP sources need no check here: the fetcher asks allowed hosts only.
        if crl not in (NONE, CDP) and not crl.startswith(HTTP_SCHEMES) and not self._in_own_bucket(crl):
            raise Undecided(Reason.CONFIGURATION, "the CA was adopted with a CRL outside the deployment's bucket")
        return ManagedCa(
            name=f"adopted-{record.ca_certificate_id[:12]}",
            ca_certificate_id=record.ca_certificate_id,
            certificate="",
            crl=crl,
            policy=policy,
        )

    def _in_own_bucket(self, crl: str) -> bool:
        try:
            return S3Location.parse(crl).bucket == self.crl_bucket
        except ValueError:
            return False

    def _record(self, ca_certificate_id: str, *, at: datetime) -> CaRecord | None:
        kept = self._records.get(ca_certificate_id)
        lifetime = UNKNOWN_LIFETIME if kept is None or kept.value is None else LIFETIME
        if kept is None or at - kept.read_at >= lifetime:
            if len(self._records) >= _MAXIMUM_KEPT:
                self._records.clear()
            kept = _Kept(self.records.record(ca_certificate_id), at)
            self._records[ca_certificate_id] = kept
        return kept.value

    def _describe(self, ca: ManagedCa, *, at: datetime) -> RegisteredCa:
        kept = self._registered.get(ca.ca_certificate_id)
        if kept is None or at - kept.read_at >= LIFETIME:
            kept = _Kept(self.registry.describe_ca(ca.ca_certificate_id), at)
            self._registered[ca.ca_certificate_id] = kept
        return kept.value


_KEPT_OUT = {
    Obstacle.RETIRED: (Reason.CA_RETIRED, "CA {} is retired in the fleet file"),
    Obstacle.INACTIVE_BY_FLEET_FILE: (Reason.CA_INACTIVE, "CA {} is INACTIVE in the fleet file"),
    Obstacle.ON_HOLD: (Reason.CA_ON_HOLD, "an operator holds CA {}"),
    Obstacle.INACTIVE: (Reason.CA_INACTIVE, "CA {} is INACTIVE in AWS IoT"),
    Obstacle.OUTSIDE_VALIDITY: (
        Reason.CA_EXPIRED,
        "the certificate of CA {} is outside its validity, or that cannot be read",
    ),
}


def _verify(ca: ManagedCa, facts: CaFacts, *, at: datetime) -> None:
    """Check that nothing of what is known keeps the CA's devices out; raises Waiting, or Undecided (`ca_expired`)."""
    for obstacle in obstacles(facts, at=at):
        reason, message = _KEPT_OUT[obstacle]
        family = Undecided if obstacle is Obstacle.OUTSIDE_VALIDITY else Waiting
        raise family(reason, message.format(ca.name))
