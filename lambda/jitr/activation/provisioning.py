"""Step 7 of an activation: the Thing that a device is, and the policy that says what it may do.

Both are attached before the certificate becomes ACTIVE, and both are safe to attach again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jitr import certificates
from jitr.activation.candidate import Candidate
from jitr.aws.iot import IotRegistry
from jitr.certificates import Certificate
from jitr.errors import Reason, Rejected, Undecided
from jitr.messages.event import is_certificate_id
from jitr.policies.template import device_values_in, render_policy
from jitr.policies.values import DeviceValueError, PolicyError
from jitr.registry.rows import Registry
from jitr.settings import Configuration, Environment, OnExistingThing


@dataclass(frozen=True, kw_only=True)
class Provisioning:
    """Things and policies of one deployment."""

    configuration: Configuration
    environment: Environment
    registry: IotRegistry
    rows: Registry

    def attach_thing(self, candidate: Candidate, *, owner: str) -> str | None:
        """Create, group and attach the Thing; returns the certificate that goes INACTIVE once this one is ACTIVE."""
        # First of all: a device whose policy cannot be made must not take a Thing.
        self._own_document(candidate)
        name = candidate.thing_name
        if name is None:
            return None
        # After a crash creating it succeeds at once, and only the row knows whose Thing it was.
        replaces, ca = candidate.replaces, candidate.ca
        if not self.registry.create_thing(
            name, candidate.certificate_id, thing_type=ca.thing_type, attributes=ca.thing_attributes
        ):
            replaces = self._take_over(name, candidate, owner)
        for group in ca.thing_groups:
            self.registry.add_to_group(name, group)
        self.registry.attach_thing(name, candidate.registered.arn)
        return replaces

    def _take_over(self, name: str, candidate: Candidate, owner: str) -> str | None:
        thing = self.registry.describe_thing(name)
        if thing.certificate_id == candidate.certificate_id:
            # Ours already: an earlier delivery made it, or somebody added attributes of their own.
            return candidate.replaces
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
        self.hand_over(name, candidate, owner=owner, holder=holder, version=thing.version)
        return holder

    def hand_over(self, name: str, candidate: Candidate, *, owner: str, holder: str | None, version: int) -> None:
        """Move a Thing from its holder to the candidate, if the Thing is still as `version` was.

        The holder is noted in the row first: what finishes after a crash knows which certificate has to go.
        """
        if holder is not None:
            self.rows.note_replacement(candidate.row, owner=owner, replaces=holder)
        self.registry.hand_over_thing(name, to=candidate.certificate_id, version=version)

    def attach_policy(self, candidate: Candidate) -> None:
        """Attach the policy of the CA's template: the shared one, or the device's own if there are device values."""
        template = candidate.ca.policy
        document = self._own_document(candidate)
        if document is None:
            self._attach_shared(self.configuration.policy_name(template), template, candidate)
            return
        name = self.configuration.device_policy_name(template, candidate.certificate_id)
        if not self.registry.create_policy(name, document):
            # An earlier delivery made it, or an earlier life of a certificate that was deleted, maybe from an older
            # template. Rare, so what it needs is read when it happens.
            from jitr.policies.rollout import PolicyRollout  # noqa: PLC0415

            PolicyRollout(registry=self.registry).bring_up_to_date(name, document)
        if not self.registry.attach_policy(name, candidate.registered.arn):
            raise _not_yet(name)

    def _attach_shared(self, name: str, template: str, candidate: Candidate) -> None:
        """Attach a shared policy, and create it from the template only if it does not exist."""
        if self.registry.attach_policy(name, candidate.registered.arn):
            return
        self.registry.create_policy(name, self._rendered(template, {}))
        if not self.registry.attach_policy(name, candidate.registered.arn):
            raise _not_yet(name)

    def _own_document(self, candidate: Candidate) -> str | None:
        """Return the document of the device's own policy, or None where the template has no device values.

        Raises Rejected (`unusable_name`) for a value that its validator refuses.
        """
        template = candidate.ca.policy
        try:
            names = device_values_in(self.configuration.policies[template])
        except PolicyError as error:
            raise _unusable(error) from error
        return self._rendered(template, _device_values(names, candidate)) if names else None

    def _rendered(self, template: str, device_values: Mapping[str, str]) -> str:
        values = {**self.environment.deployment_values, **device_values}
        try:
            return render_policy(self.configuration.policies[template], values)
        except DeviceValueError as error:
            raise Rejected(Reason.UNUSABLE_NAME, f"the policy template cannot be filled in: {error}") from error
        except PolicyError as error:
            raise _unusable(error) from error


def _device_values(names: Iterable[str], candidate: Candidate) -> dict[str, str]:
    """Return the device values that a template asks for; render_policy validates them."""
    values: dict[str, str] = {}
    for name in names:
        match name:
            case "device.certificate_id":
                values[name] = candidate.certificate_id
            case "device.serial":
                values[name] = f"{candidate.certificate.serial_number:x}"
            case "device.common_name":
                values[name] = certificates.common_name(candidate.certificate)
            case "device.thing_name" if candidate.thing_name is not None:
                values[name] = candidate.thing_name
    return values


def _unusable(error: PolicyError) -> Undecided:
    return Undecided(Reason.POLICY_UNUSABLE, f"the policy template cannot be used: {error}")


def _not_yet(policy: str) -> Undecided:
    return Undecided(Reason.AWS_REFUSED, f"policy {policy} was created but cannot be attached yet")


def _succeeds(new: Certificate, old: Certificate) -> bool:
    """Return whether `new` renews `old`: same common name, issued later; not where that cannot be read."""
    if new.begins is None or old.begins is None:
        return False
    return certificates.common_name(new) == certificates.common_name(old) and new.begins > old.begins
