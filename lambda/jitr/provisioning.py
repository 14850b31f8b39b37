"""Step 7 of an activation: the Thing that a device is, and the policy that says what it may do.

Both are attached before the certificate becomes ACTIVE, and both are safe to attach again.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from jitr import certificates
from jitr.candidate import Candidate
from jitr.errors import Reason, Rejected, Undecided
from jitr.events import is_certificate_id
from jitr.iot_registry import IotRegistry
from jitr.policy import policy_document
from jitr.registry import Registry
from jitr.settings import Configuration, Environment, OnExistingThing


@dataclass(frozen=True, kw_only=True)
class Provisioning:
    """Things and policies of one deployment."""

    configuration: Configuration
    environment: Environment
    registry: IotRegistry
    rows: Registry

    def attach_thing(self, candidate: Candidate, *, owner: str) -> str | None:
        """Claim and attach the Thing; returns the certificate that goes INACTIVE once this one is ACTIVE."""
        name = candidate.thing_name
        if name is None:
            return None
        replaces = None
        if not self.registry.create_thing(name, candidate.certificate_id):
            replaces = self._take_over(name, candidate, owner)
        self.registry.attach_thing(name, candidate.registered.arn)
        return replaces

    def _take_over(self, name: str, candidate: Candidate, owner: str) -> str | None:
        thing = self.registry.describe_thing(name)
        if thing.certificate_id == candidate.certificate_id:
            # Ours already: an earlier delivery claimed it, or somebody added attributes of their own.
            row = self.rows.row(candidate.row)
            return row.replaces if row else None
        holder = thing.certificate_id or ""
        if candidate.ca.on_existing_thing is not OnExistingThing.REPLACE or not is_certificate_id(holder):
            raise Rejected(Reason.THING_IN_USE, f"Thing {name} belongs to another certificate")
        try:
            predecessor = self.registry.describe_certificate(holder)
        except Undecided as error:
            if error.reason is not Reason.CERTIFICATE_NOT_FOUND:
                raise
            raise Rejected(Reason.THING_IN_USE, f"Thing {name} belongs to a certificate that is gone") from error
        old = certificates.load_certificate(predecessor.pem)
        same_ca = predecessor.ca_certificate_id == candidate.ca.ca_certificate_id
        if not same_ca or not _succeeds(candidate.certificate, old):
            raise Rejected(Reason.THING_IN_USE, f"Thing {name} belongs to a certificate that this one does not succeed")
        self.rows.note_replacement(candidate.row, owner=owner, replaces=holder)
        self.registry.hand_over_thing(name, to=candidate.certificate_id, version=thing.version)
        return holder

    def attach_policy(self, candidate: Candidate) -> None:
        """Attach the policy of the CA's template, and create it from the template only if it does not exist."""
        template = candidate.ca.policy
        name = self.configuration.policy_name(template)
        if self.registry.attach_policy(name, candidate.registered.arn):
            return
        values = {
            "account": self.environment.account,
            "region": self.environment.region,
            "partition": self.environment.partition,
        }
        self.registry.create_policy(name, policy_document(self.configuration.policies[template], values))
        if not self.registry.attach_policy(name, candidate.registered.arn):
            raise Undecided(Reason.AWS_REFUSED, f"policy {name} was created but cannot be attached yet")


def _succeeds(new: x509.Certificate, old: x509.Certificate) -> bool:
    """Say whether `new` renews `old`: same common name, issued later."""
    return (
        certificates.common_name(new) == certificates.common_name(old)
        and new.not_valid_before_utc > old.not_valid_before_utc
    )
