"""What a job does to each certificate, where that is simple: attach a policy, bring it into the registry.

Every task may do the same certificate again, after a crash or a second message, and ends in the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from jitr.aws.iot import CertificateStatus, IotRegistry, ListedCertificate
from jitr.certificates import AnyCertificate
from jitr.enforcement.unknown_certificates import MATTERS, UnknownCertificates
from jitr.errors import Reason, Undecided
from jitr.registry.rows import Registry


class Handled(StrEnum):
    """What became of one certificate: it is as the job wants it, or none of the job's business."""

    DONE = "done"
    SKIPPED = "skipped"


class Task(Protocol):
    """The work of one job."""

    def prepare(self, certificate_ids: Sequence[str]) -> None:
        """Read what is known of the next certificates, many at once."""

    def handle(self, certificate: ListedCertificate) -> Handled:
        """Do one certificate; raises Undecided or Rejected."""

    def settle(self) -> None:
        """Finish what `handle` left open, before the job's position moves on."""

    def conclude(self, *, failed: int) -> None:
        """Do what the whole job was for, once its list is over and before it is DONE; `failed` certificates are not."""


@dataclass(frozen=True, kw_only=True)
class Reattaching:
    """Attaches a shared policy, then detaches another one: no certificate is without a policy in between.

    `policy` is the full name in AWS IoT, `arn_of` makes a certificate's ARN of its id. Attaching costs one call, and
    asking first whether it is attached would cost one too. REVOKED certificates are left as they are.
    """

    registry: IotRegistry
    policy: str
    old_policy: str | None
    arn_of: Callable[[str], str]
    pace: Callable[[], None]

    def prepare(self, certificate_ids: Sequence[str]) -> None:
        """Nothing to read."""

    def handle(self, certificate: ListedCertificate) -> Handled:
        """Attach and detach; raises Undecided, `certificate_not_found` for a certificate that is gone."""
        if certificate.status is CertificateStatus.REVOKED:
            return Handled.SKIPPED
        arn = self.arn_of(certificate.certificate_id)
        self.pace()
        if not self.registry.attach_policy(self.policy, arn):
            # AWS IoT says the same of a policy and of a certificate that it does not know.
            if self.registry.policy_document(self.policy) is None:
                raise Undecided(Reason.POLICY_UNUSABLE, f"there is no policy {self.policy} in AWS IoT")
            raise Undecided(Reason.CERTIFICATE_NOT_FOUND, "the certificate is gone")
        if self.old_policy is not None:
            self.pace()
            self.registry.detach_policy(self.old_policy, arn)
        return Handled.DONE

    def settle(self) -> None:
        """Nothing is left open."""

    def conclude(self, *, failed: int) -> None:
        """Nothing more."""


@dataclass(frozen=True, kw_only=True)
class Importing:
    """Brings certificates that others registered into the registry, for revocation to reach them."""

    unknown: UnknownCertificates
    ca_certificate_id: str
    ca: AnyCertificate
    _known: set[str] = field(default_factory=set)
    _imported: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> Registry:
        """The registry."""
        return self.unknown.rows

    def prepare(self, certificate_ids: Sequence[str]) -> None:
        """Find those that are in the registry already."""
        self._known.clear()
        self._known.update(self.rows.known(certificate_ids))

    def handle(self, certificate: ListedCertificate) -> Handled:
        """Import one that matters and is unknown."""
        if certificate.status not in MATTERS or certificate.certificate_id in self._known:
            return Handled.SKIPPED
        key = self.unknown.import_one(certificate.certificate_id, self.ca_certificate_id, self.ca)
        if key is None:
            return Handled.SKIPPED
        self._imported[certificate.certificate_id] = key
        return Handled.DONE

    def settle(self) -> None:
        """Let the next sweep compare all of the CRL with the registry: imported certificates may be on it for long."""
        self.unknown.settle(self._imported, self.ca)
        self._imported.clear()

    def conclude(self, *, failed: int) -> None:
        """Nothing more."""
