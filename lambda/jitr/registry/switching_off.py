"""Switching devices off on an operator's word, so that no late event and no interrupted activation brings them back.

For each certificate: mark its registry row, switch it off in AWS IoT, record that. The row is marked first, as
enforcement does: whoever is activating the certificate at that moment finds the mark when it is done. Nothing is
detached or deleted: a deleted certificate would register itself again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jitr import certificates
from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.certificates import Certificate
from jitr.errors import Reason, Undecided
from jitr.registry.row import RegistryRow, RowState
from jitr.registry.rows import Registry


@dataclass(frozen=True, kw_only=True)
class Target:
    """One certificate to switch off: `status` is None where AWS IoT does not know it, `ca` where nobody knows its CA.

    Without a CA there is no registry row, so the certificate can only be switched off in AWS IoT.
    """

    certificate_id: str
    certificate: Certificate
    status: CertificateStatus | None
    ca_certificate_id: str | None
    ca: Certificate | None

    @property
    def row(self) -> str | None:
        """Return the key of its registry row."""
        if self.ca is None:
            return None
        return f"{certificates.issuer_key(self.ca)}#{self.certificate.serial_number:x}"

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a new row keeps for enforcement."""
        return {
            "ca_certificate_id": self.ca_certificate_id or "",
            "not_after": int(self.certificate.not_valid_after_utc.timestamp()),
        }


@dataclass(frozen=True, kw_only=True)
class SwitchedOff:
    """What became of one certificate: its status in AWS IoT (None: unknown there) and its row's state (None: none)."""

    target: Target
    status: CertificateStatus | None
    row: RowState | None


@dataclass(frozen=True, kw_only=True)
class DeviceRevocation:
    """Finds targets and switches them off; `pace` waits before each quota-limited call, `sleep` takes seconds.

    Safe to interrupt and to repeat. `_leases` are activations that were on their way when their rows were marked.
    """

    registry: IotRegistry
    rows: Registry
    pace: Callable[[], None]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    _cas: dict[str, Certificate | None] = field(default_factory=dict)
    _leases: list[tuple[RegistryRow, CertificateStatus]] = field(default_factory=list)

    def target(self, certificate_id: str) -> Target:
        """Read a certificate and its CA from AWS IoT; raises Undecided (`certificate_not_found` and others)."""
        self.pace()
        registered = self.registry.describe_certificate(certificate_id)
        ca_certificate_id = registered.ca_certificate_id
        return Target(
            certificate_id=certificate_id,
            certificate=certificates.load_certificate(registered.pem),
            status=registered.status,
            ca_certificate_id=ca_certificate_id,
            ca=None if ca_certificate_id is None else self._ca(ca_certificate_id),
        )

    def switch_off(self, target: Target, wanted: CertificateStatus) -> SwitchedOff:
        """Mark, switch off and record one certificate, with all others that share its row (one serial number).

        The row of another certificate, which has the serial number and not this id, is left alone: a copy of a device's
        certificate must not be a way to switch the device off. What is REVOKED, or about to be, is not made less.
        Raises Undecided; a second run goes on.
        """
        found = None if target.row is None else self.rows.row(target.row)
        foreign = found is not None and target.certificate_id not in found.certificate_ids
        if target.row is None or foreign:
            self._ask([target.certificate_id], wanted)
            return SwitchedOff(target=target, status=self._now(target, wanted), row=None)
        row, wanted = self._marked(target, wanted)
        # A serial number is revoked for every certificate that has it.
        self._ask(sorted(row.certificate_ids), wanted)
        self.rows.finish_revocation(row.key, done=wanted)
        if row.lease_owner is not None:
            self._leases.append((row, wanted))
        return SwitchedOff(target=target, status=self._now(target, wanted), row=RowState(wanted.value))

    def once_more(self) -> None:
        """Wait for the end of the activations that were on their way, and switch off what they may have switched on."""
        if not self._leases:
            return
        ends = max(row.lease_until for row, _ in self._leases)
        self.sleep(max(0.0, (ends - self.clock()).total_seconds()) + 1)
        for row, wanted in self._leases:
            self._ask(row.certificate_ids, wanted)
            self.rows.clear_lease(row)
        self._leases.clear()

    @property
    def open_leases(self) -> int:
        """Say how many activations `once_more` will wait for."""
        return len(self._leases)

    def _marked(self, target: Target, wanted: CertificateStatus) -> tuple[RegistryRow, CertificateStatus]:
        """Mark the row, made new if need be, and return it with the status that is wanted in the end."""
        key = target.row or ""
        while True:
            row = self.rows.row(key)
            if row is None:
                self.rows.want_revocation(key, certificate_id=target.certificate_id, wanted=wanted, facts=target.facts)
            elif row.state is RowState.REVOKED:
                return row, CertificateStatus.REVOKED
            else:
                wanted = CertificateStatus.REVOKED if _final_is_wanted(row) else wanted
                # Without a brake: what an operator switched off, undoing a brake must not switch on.
                if self.rows.mark(row, wanted=wanted, braked_by=None):
                    return row, wanted

    def _ask(self, certificate_ids: list[str] | tuple[str, ...], wanted: CertificateStatus) -> None:
        for certificate_id in certificate_ids:
            self.pace()
            self.registry.switch_off(certificate_id, wanted)

    @staticmethod
    def _now(target: Target, wanted: CertificateStatus) -> CertificateStatus | None:
        if target.status in (None, CertificateStatus.REVOKED):
            return target.status
        return wanted

    def _ca(self, ca_certificate_id: str) -> Certificate | None:
        if ca_certificate_id not in self._cas:
            self._cas[ca_certificate_id] = self._read_ca(ca_certificate_id)
        return self._cas[ca_certificate_id]

    def _read_ca(self, ca_certificate_id: str) -> Certificate | None:
        try:
            return certificates.load_certificate(self.registry.describe_ca(ca_certificate_id).pem)
        except Undecided as error:
            if error.reason is Reason.CA_NOT_FOUND:
                return None
            raise


def _final_is_wanted(row: RegistryRow) -> bool:
    return row.state is RowState.REVOKE_WANTED and row.wanted is CertificateStatus.REVOKED
