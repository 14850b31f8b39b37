"""What a deploy has to find out or make for its CAs.

The ids and certificates of those in AWS Private CA; the proof that DEFAULT mode wants; and whether a CA that leaves the
fleet file still has ACTIVE devices. Each is a custom resource of the stack (docs/decisions/0010). Everything is safe to
repeat from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography.hazmat.primitives.serialization import Encoding

from jitr.authorities.private_ca import PrivateCas
from jitr.authorities.verification_certificate import (
    VALIDITY,
    new_key,
    request_verification,
    verify_verification,
)
from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.certificates import fingerprint, load_certificate, verify_strength
from jitr.errors import Reason, Undecided


class ResourceType(StrEnum):
    """The custom resources, by their types in the template."""

    CA_CERTIFICATE = "Custom::JitrCaCertificate"
    VERIFICATION_CERTIFICATE = "Custom::JitrVerificationCertificate"
    MANAGED_CAS = "Custom::JitrManagedCas"
    REGISTRATION = "Custom::JitrRegistration"


class CaStillNeeded(Exception):  # noqa: N818 - a refusal, not a defect
    """A CA that left the fleet file although devices depend on it; the message says what to do."""


class CaRenamed(Exception):  # noqa: N818 - a refusal, not a defect
    """A CA that got another name, under which its registration would be made again; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class FoundCa:
    """A CA in AWS Private CA: its id in AWS IoT (the fingerprint, see docs/decisions/0002) and its PEM."""

    ca_certificate_id: str
    pem: str


@dataclass(frozen=True, kw_only=True)
class Verification:
    """A verification certificate in PEM, and its ARN in AWS Private CA."""

    arn: str
    pem: str


@dataclass(frozen=True, kw_only=True)
class CaDeployment:
    """The use case; `clock` returns the time in UTC, `pace` is called before each AWS call and may give up."""

    private_cas: PrivateCas
    registry: IotRegistry
    clock: Callable[[], datetime]
    pace: Callable[[], None] = lambda: None

    def find(self, arn: str, *, with_chain: bool) -> FoundCa:
        """Read a CA's certificate, with those above it behind it for `with_chain`.

        Raises Undecided, and Rejected (`weak_key`) for a key that AWS IoT does not take.
        """
        self.pace()
        pems = self.private_cas.certificate(arn)
        certificate = load_certificate(pems.certificate)
        verify_strength(certificate)
        pem = "\n".join(filter(None, (pems.certificate.strip(), pems.chain.strip() if with_chain else "")))
        return FoundCa(ca_certificate_id=fingerprint(certificate), pem=f"{pem}\n")

    def verification(self, arn: str, *, ca_certificate_id: str, issued: str | None) -> Verification:
        """Return the CA's verification certificate: the one that was `issued`, or a new one for the registration code.

        A registration keeps the certificate that it was made with, even when it has expired: another would look like
        another registration to CloudFormation. The key is made in memory and forgotten, because nothing needs it
        afterwards. Raises Undecided, and NotVerifying where what came out would be refused.
        """
        self.pace()
        if issued is not None:
            return Verification(arn=issued, pem=self.private_cas.issued(arn, issued))
        ca = load_certificate(self.private_cas.certificate(arn).certificate)
        if fingerprint(ca) != ca_certificate_id:
            raise Undecided(Reason.CA_MISMATCH, f"the certificate in the fleet file is not that of {arn}")
        self.pace()
        code = self.registry.registration_code()
        request = request_verification(code, new_key()).public_bytes(Encoding.PEM)
        self.pace()
        made = self.private_cas.issue(arn, request, days=VALIDITY.days)
        self.pace()
        pem = self.private_cas.issued(arn, made)
        verify_verification(load_certificate(pem), ca=ca, code=code, at=self.clock())
        return Verification(arn=made, pem=pem)

    def verify_names_kept(self, renamed: Mapping[str, str]) -> None:
        """Check that no CA (new name by former one) is to be registered again under another name; raises CaRenamed."""
        if renamed:
            listed = ", ".join(f'CA {name}: formerly = "{former}"' for former, name in renamed.items())
            raise CaRenamed(f"AWS IoT has these CAs already, under another name in the stack. Say so of {listed}")

    def verify_not_needed(self, cas: Mapping[str, str]) -> None:
        """Check that no CA (name by id) has ACTIVE devices; raises CaStillNeeded or Undecided."""
        needed = [name for identifier, name in cas.items() if self._has_active_devices(identifier)]
        if needed:
            raise CaStillNeeded(_sentence(needed))

    def _has_active_devices(self, ca_certificate_id: str) -> bool:
        marker: str | None = None
        while True:
            self.pace()
            page = self.registry.certificate_page(ca_certificate_id, marker)
            if any(each.status is CertificateStatus.ACTIVE for each in page.certificates):
                return True
            marker = page.next_marker
            if marker is None:
                return False


def _sentence(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return (
        f"CA {listed} left the fleet file and has ACTIVE devices, whose revocation nobody would enforce any more. "
        'Put it back (status = "retired" lets no new devices in), switch its devices off first, or name it in '
        "released_cas"
    )
