"""Why a device is, or is not, active: the function's own steps, run with nothing written, on what AWS says now.

Steps 2 to 5a are the function's examination. Steps 6 to 8 write when the function runs them; here the same rows, Things
and policies are only looked at. Every step is looked at, also behind one that fails, because the later ones explain the
earlier ones; the device stands at the first that fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jitr.activation.candidate import Candidate
from jitr.activation.examination import verify_good
from jitr.aws.iot import CertificateStatus
from jitr.errors import Reason, Rejected, Undecided, Waiting
from jitr.policies.template import uses_device_values
from jitr.policies.values import PolicyError
from jitr.registry.row import RegistryRow, RowState, id_key
from jitr.settings import Mode, OnExistingThing
from jitr_cli.devices.refusals import Refusal
from jitr_cli.devices.services import DeviceServices
from jitr_cli.explain.findings import DeviceFindings


@dataclass(frozen=True)
class Inspection:
    """Looks at one certificate; `services` are of the deployment that is asked."""

    services: DeviceServices

    def look(self, certificate_id: str) -> DeviceFindings:
        """Look at a registered certificate; raises Undecided (`certificate_not_found`, and AWS's failures)."""
        services = self.services
        found = DeviceFindings(certificate_id=certificate_id)
        found.registered = services.registry.describe_certificate(certificate_id)
        ca_certificate_id, ca = found.registered.ca_certificate_id, None
        with found.looking_at(1):
            if ca_certificate_id is not None:
                ca = services.authorities.find(ca_certificate_id, at=services.clock())
            if ca is None:
                named = ca_certificate_id or "none"
                raise Refusal("unmanaged_ca", f"CA {named} is not managed by this deployment", step=1)
        if ca is not None:
            with found.looking_at(2):
                found.candidate = services.examination(writes=False).describe(certificate_id, ca)
        if found.candidate is not None:
            self._examine(found, found.candidate)
            self._attachments(found)
        else:
            self.look_by_id(found)
            with found.looking_at(8):
                _verify_status(found)
        return found

    def look_by_id(self, found: DeviceFindings) -> None:
        """Step 6 for what cannot be read, or has no CA here: its row may be known by its id."""
        found.row = self._row_by_id(found.certificate_id)
        if found.row is not None:
            with found.looking_at(6):
                _verify_row(found, at=self.services.clock())

    def foresee(self, candidate: Candidate) -> DeviceFindings:
        """Look at a certificate that AWS IoT does not know yet: what would become of it at its first connect."""
        found = DeviceFindings(certificate_id=candidate.certificate_id, candidate=candidate)
        self._examine(found, candidate)
        self._row(found)
        return found

    def _examine(self, found: DeviceFindings, candidate: Candidate) -> None:
        """Steps 3 to 5a."""
        examination = self.services.examination(writes=False)
        with found.looking_at(3):
            examination.verify_ca(candidate)
        with found.looking_at(4):
            found.candidate = candidate = examination.verify_certificate(candidate)
        with found.looking_at(5):
            found.check = examination.revocation(candidate, newest=True)
            found.notes += found.check.warnings
            verify_good(found.check.verdict)
            examination.verify_allowed(candidate)
        if self.services.configuration.mode is Mode.OBSERVE:
            found.notes.append("this deployment only observes: another handler activates devices here")

    def _row(self, found: DeviceFindings) -> None:
        if found.candidate is not None:
            by_id = self.services.rows.row(id_key(found.certificate_id))
            off = by_id is not None and by_id.state.refuses_activation
            found.row = by_id if off else self.services.rows.row(found.candidate.row)
            with found.looking_at(6):
                _verify_row(found, at=self.services.clock())

    def _row_by_id(self, certificate_id: str) -> RegistryRow | None:
        rows = self.services.rows
        by_id = rows.row(id_key(certificate_id))
        if by_id is not None:
            return by_id
        key = rows.key_of(certificate_id)
        return None if key is None else rows.row(key)

    def _attachments(self, found: DeviceFindings) -> None:
        """Steps 6 to 8."""
        self._row(found)
        candidate = found.candidate
        if candidate is None:
            return
        with found.looking_at(7):
            found.things = self.services.registry.things_of(candidate.registered.arn)
            found.policies = self.services.registry.policies_of(candidate.registered.arn)
            self._verify_thing(found, candidate)
            self._verify_policy(found, candidate)
        with found.looking_at(8):
            _verify_status(found)

    def _verify_thing(self, found: DeviceFindings, candidate: Candidate) -> None:
        name = candidate.thing_name
        if name is None:
            return
        thing = self.services.registry.find_thing(name)
        found.thing_holder = thing.certificate_id if thing else None
        found.thing_is_anothers = thing is not None and thing.certificate_id != candidate.certificate_id
        if found.thing_is_anothers:
            if candidate.ca.on_existing_thing is OnExistingThing.REPLACE and not found.is_active:
                found.notes.append(f"Thing {name} belongs to {found.thing_holder}; an activation decides who succeeds")
                return
            raise Rejected(
                Reason.THING_IN_USE,
                f"Thing {name} belongs to {found.thing_holder or 'a certificate that is not known'}",
            )
        if found.is_active and name not in found.things:
            raise Refusal("not_attached", f"the certificate is not attached to its Thing {name}", step=7)

    def _verify_policy(self, found: DeviceFindings, candidate: Candidate) -> None:
        configuration, template = self.services.configuration, candidate.ca.policy
        try:
            own = uses_device_values(configuration.policies[template])
        except (KeyError, PolicyError) as error:
            raise Undecided(Reason.POLICY_UNUSABLE, f"the template {template} cannot be used: {error}") from error
        name = configuration.policy_name(template)
        if own:
            name = configuration.device_policy_name(template, candidate.certificate_id)
        if found.is_active and name not in found.policies:
            attached = ", ".join(found.policies) or "none"
            raise Refusal("not_attached", f"policy {name} is not attached; attached: {attached}", step=7)


def _verify_row(found: DeviceFindings, *, at: datetime) -> None:
    """Check that the registry row says what AWS IoT says, or lets an activation begin."""
    row = found.row
    if row is None:
        if found.is_active:
            raise Refusal("not_in_registry", "ACTIVE, but not in the registry: no CRL reaches it", step=6)
        return
    if found.certificate_id not in row.certificate_ids:
        raise Rejected(Reason.SERIAL_IN_USE, "another certificate of this CA with the same serial number is registered")
    if row.state.refuses_activation:
        raise _off(found, row, at)
    if row.lease_open(at=at):
        raise Waiting(Reason.LEASE_HELD, f"another run is activating it, until {row.lease_until:%H:%M:%S} UTC at most")


def _off(found: DeviceFindings, row: RegistryRow, at: datetime) -> Refusal | Rejected:
    """Return what a row says that is off: by whom, and what brings it back."""
    reason = Reason.REVOKED_BEFORE
    if row.undoing_was_left and not row.is_on_its_way_back(at=at):
        return Refusal("switched_off", f"bringing it back was broken off: {_repeat(row)}", step=6)
    if row.is_beyond_crls and row.braked_by is not None:
        return Refusal("switched_off", "INACTIVE, and no undoing brings back what cannot be read", step=6)
    if row.job is not None:
        return Refusal("switched_off", f"INACTIVE by job {row.job}, which `jitr bulk undo` takes back", step=6)
    if row.braked_by is not None:
        reason = Reason.REVOCATION_BRAKED
    elif found.is_active or row.state is RowState.REVOKE_WANTED:
        reason = Reason.REVOKED
    elif row.state is RowState.INACTIVE:
        return Refusal("switched_off", "switched off (INACTIVE), by a CRL's hold or by an operator", step=6)
    return Rejected(reason, f"the registry says {row.state}")


def _repeat(row: RegistryRow) -> str:
    if row.job is not None:
        return f"`jitr bulk undo {row.job}` once more does it"
    return "`jitr crl reject` once more does it"


def _verify_status(found: DeviceFindings) -> None:
    status, row = found.status, found.row
    if status is CertificateStatus.REVOKED:
        raise Rejected(Reason.REVOKED, "REVOKED in AWS IoT, which is final")
    if status is CertificateStatus.INACTIVE:
        if row is not None and row.state in (RowState.ACTIVE, RowState.ACTIVATING):
            raise Refusal("switched_off", "INACTIVE in AWS IoT, by hand or because another took its Thing", step=8)
        raise Refusal("switched_off", "INACTIVE in AWS IoT", step=8)
    if status is CertificateStatus.PENDING_ACTIVATION:
        first = next(found.failures(), None)
        if first is not None:
            raise Refusal(str(first.reason), f"PENDING_ACTIVATION, because of step {first.step}", step=8)
        raise Refusal("waits_for_event", "every check passes; it waits for the device's next connect", step=8)
    if status is not CertificateStatus.ACTIVE:
        raise Refusal("other_status", f"{status} in AWS IoT", step=8)
