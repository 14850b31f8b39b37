"""Steps 1 to 5a of an activation: what can be established about a certificate without writing anything to AWS IoT.

The activation function acts on it; `mode = "observe"`, `jitr device explain` and `jitr device reinstate` run the same
steps. Their numbers are those of steps.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from jitr import certificates
from jitr.activation.candidate import Candidate
from jitr.authorities.allow_list import AllowList
from jitr.authorities.managed import CertificateAuthorities
from jitr.aws.iot import IotRegistry
from jitr.aws.pacing import unpaced
from jitr.crls.cache import CrlCache, CurrentCrl
from jitr.crls.sources import HTTP_SCHEMES, NONE
from jitr.errors import Reason, Rejected, Undecided, Waiting
from jitr.messages.event import CertificateRegistered
from jitr.messages.result import Progress
from jitr.revocation import Options, RevocationStatus, RevocationVerdict, decide
from jitr.settings import ManagedCa


@dataclass(frozen=True, kw_only=True)
class RevocationCheck:
    """Step 5's answer: `verdict` is None where the CA's CRL source is `none`, `used` what it was made of."""

    verdict: RevocationVerdict | None
    used: tuple[CurrentCrl, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what is odd about the CRLs, and which newer content could not be used."""
        failures = tuple(f"newer CRL not used: {each.failure.reason}" for each in self.used if each.failure)
        return (*(self.verdict.warnings if self.verdict else ()), *failures)

    @property
    def listing(self) -> CurrentCrl:
        """Return the CRL that the verdict rests on; only where there is a verdict of good or revoked."""
        return next(each for each in self.used if self.verdict and each.crl is self.verdict.crl)


@dataclass(frozen=True, kw_only=True)
class Examination:
    """The steps, one method each; `account` is the AWS account in which certificates have to be, `clock` is UTC.

    `turn` waits until AWS IoT may be asked about one more certificate.
    """

    account: str
    authorities: CertificateAuthorities
    registry: IotRegistry
    crls: CrlCache
    allowed: AllowList
    clock: Callable[[], datetime]
    turn: Callable[[], None] = unpaced

    def admit(self, payload: object, progress: Progress) -> tuple[CertificateRegistered, ManagedCa | None]:
        """(1) Read an event and find its CA, None where that is not managed here; no AWS IoT call.

        Raises Undecided for what is no event, and for another account's.
        """
        event = CertificateRegistered.parse(payload)
        progress.certificate_id, progress.ca_certificate_id = event.certificate_id, event.ca_certificate_id
        if event.account != self.account:
            raise Undecided(Reason.FOREIGN_ACCOUNT, "the event belongs to another account")
        return event, self.authorities.find(event.ca_certificate_id, at=self.clock())

    def describe(self, certificate_id: str, ca: ManagedCa) -> Candidate:
        """(2) Read the certificate and compare it with the id, the CA and the account that were named.

        Not checked: its status. Raises Undecided.
        """
        self.turn()
        at = self.clock()
        registered = self.registry.describe_certificate(certificate_id)
        certificate = certificates.load_registered(registered.pem, certificate_id)
        if certificate.fingerprint != certificate_id:
            raise Undecided(Reason.CERTIFICATE_MISMATCH, "AWS IoT returned another certificate than the event names")
        if registered.ca_certificate_id != ca.ca_certificate_id:
            raise Undecided(
                Reason.CA_MISMATCH, "AWS IoT registered the certificate under another CA than the event names"
            )
        if registered.owner != self.account:
            raise Undecided(Reason.FOREIGN_ACCOUNT, "the certificate belongs to another account")
        return Candidate(
            registered=registered,
            described_at=at,
            certificate=certificate,
            ca=ca,
            ca_certificate=self.authorities.certificate(ca, at=at),
        )

    def verify(self, candidate: Candidate, progress: Progress) -> Candidate:
        """(3), (4) Check the CA and the certificate, and name its Thing; raises Rejected, Waiting or Undecided."""
        progress.step = 3
        self.verify_ca(candidate)
        progress.step = 4
        return self.verify_certificate(candidate)

    def verify_ca(self, candidate: Candidate) -> None:
        """(3) Check that the CA may bring in devices now; raises Waiting or Undecided."""
        self.authorities.verify_active(candidate.ca, at=self.clock())

    def verify_certificate(self, candidate: Candidate) -> Candidate:
        """(4) Check the certificate itself, and name its Thing; raises Rejected or Waiting."""
        certificates.verify_issued_by(candidate.certificate, candidate.ca_certificate)
        certificates.verify_one_reading(candidate.certificate)
        certificates.verify_validity(candidate.certificate, at=self.clock())
        certificates.verify_strength(candidate.certificate)
        name = certificates.thing_name(candidate.certificate, candidate.ca.thing_name)
        return replace(candidate, thing_name=name)

    def revocation(self, candidate: Candidate, *, newest: bool = False) -> RevocationCheck:
        """(5) Look the certificate up in its CA's CRLs; `newest` asks every source again.

        Raises Undecided where no CRL can be had; a verdict may be undetermined too.
        """
        source = candidate.ca.crl
        if source == NONE:
            return RevocationCheck(verdict=None)
        at = self.clock()
        options = Options(
            max_age=candidate.ca.crl_max_age,
            require_crl_sign=candidate.ca.requires_crl_sign,
            distribution_points=(source,) if source.startswith(HTTP_SCHEMES) else (),
        )
        points = certificates.distribution_points(candidate.certificate)
        self._verify_named(source, points, candidate)
        used = self.crls.usable(source, candidate.ca_certificate, points, at=at, options=options, newest=newest)
        crls = [each.crl for each in used]
        verdict = decide(candidate.certificate, candidate.ca_certificate, crls, at=at, options=options)
        return RevocationCheck(verdict=verdict, used=used)

    def _verify_named(self, source: str, points: tuple[str, ...], candidate: Candidate) -> None:
        """Check that there is an address to ask; raises Undecided, which tells unreadable ones from none."""
        try:
            self.crls.sources.locations(source, points)
        except Undecided as failure:
            why = certificates.unreadable_point(candidate.certificate)
            if why is None:
                raise
            raise Undecided(
                Reason.UNREADABLE_DISTRIBUTION_POINT, f"where its CRL is cannot be read in the certificate: {why}"
            ) from failure

    def verify_allowed(self, candidate: Candidate) -> None:
        """(5a) Where the CA has an allow-list: check that it names the certificate; raises Waiting (`not_allowed`)."""
        if not candidate.ca.allow_list:
            return
        if not self.allowed.lists(candidate.ca.ca_certificate_id, candidate.certificate.serial_number):
            raise Waiting(Reason.NOT_ALLOWED, "the CA's allow-list does not name this serial number")

    def is_outdated(self, used: CurrentCrl) -> bool:
        """Return whether another CRL was accepted for its scope since, read consistently (6)."""
        accepted = self.crls.versions.accepted(used.scope)
        if accepted is None:
            return False
        return used.version.goes_back_from(accepted) or used.version.contradicts(accepted)


def verify_good(verdict: RevocationVerdict | None) -> None:
    """Check that step 5 says good, or that the CA has no CRL; raises Rejected or Undecided."""
    if verdict is None or verdict.status is RevocationStatus.GOOD:
        return
    if verdict.status is RevocationStatus.REVOKED:
        if verdict.is_hold:
            raise Rejected(Reason.CERTIFICATE_HOLD, "the CA's CRL lists the certificate as on hold")
        raise Rejected(Reason.REVOKED, "the CA's CRL lists the certificate")
    raise Undecided(verdict.reason or Reason.MALFORMED, "the CRL does not say whether the certificate is revoked")
