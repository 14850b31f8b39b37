"""Switching devices off on an operator's word, so that no late event and no interrupted activation brings them back.

Nothing is detached or deleted: a deleted certificate would register itself again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from jitr import certificates
from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.certificates import Certificate, Unreadable
from jitr.errors import Reason, Undecided
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.facts import facts_of, key_of_row
from jitr.registry.row import RegistryRow, RowState, id_key
from jitr.registry.rows import Registry
from jitr.registry.switching_off import SwitchingOff


@dataclass(frozen=True, kw_only=True)
class RevocationTarget:
    """One certificate to switch off: `status` is None where AWS IoT does not know it, `ca` where nobody knows its CA.

    Where CA or serial number cannot be read, its registry row is kept by its id (row.py).
    """

    certificate_id: str
    certificate: Certificate | Unreadable
    status: CertificateStatus | None
    ca_certificate_id: str | None
    ca: Certificate | None

    @property
    def row(self) -> str:
        """Return the key of its registry row."""
        return key_of_row(self.certificate, self.ca, certificate_id=self.certificate_id)

    @property
    def why_unreadable(self) -> str | None:
        """Return why it cannot be read as a whole, None where it can."""
        return self.certificate.why if isinstance(self.certificate, Unreadable) else None

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a new row keeps for enforcement."""
        return facts_of(self.certificate, self.ca_certificate_id or "", certificate_id=self.certificate_id)


@dataclass(frozen=True, kw_only=True)
class SwitchedOff:
    """What became of one certificate: its status in AWS IoT (None: unknown there) and its row's state."""

    target: RevocationTarget
    status: CertificateStatus | None
    row: RowState


@dataclass(frozen=True, kw_only=True)
class DeviceRevocation:
    """Finds targets and switches them off; `pace` waits before each quota-limited call, `sleep` takes seconds.

    Safe to interrupt and to repeat.
    """

    registry: IotRegistry
    rows: Registry
    pace: Callable[[], None]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    disconnecting: Disconnecting | None = None
    _cas: dict[str, Certificate | None] = field(default_factory=dict)

    @cached_property
    def _off(self) -> SwitchingOff:
        return SwitchingOff(registry=self.registry, rows=self.rows, pace=self.pace, disconnecting=self.disconnecting)

    def target(self, certificate_id: str) -> RevocationTarget:
        """Read a certificate and its CA from AWS IoT, as far as they can be read.

        Raises Undecided (`certificate_not_found` and others).
        """
        self.pace()
        registered = self.registry.describe_certificate(certificate_id)
        ca_certificate_id = registered.ca_certificate_id
        return RevocationTarget(
            certificate_id=certificate_id,
            certificate=certificates.read_pem(registered.pem),
            status=registered.status,
            ca_certificate_id=ca_certificate_id,
            ca=None if ca_certificate_id is None else self._ca(ca_certificate_id),
        )

    def switch_off(self, target: RevocationTarget, wanted: CertificateStatus) -> SwitchedOff:
        """Mark, switch off and record one certificate, with all others that share its row (one serial number).

        The row of another certificate, which has the serial number and not this id, is left alone: a copy of a device's
        certificate must not be a way to switch the device off; the copy gets a row by its id. What is REVOKED, or about
        to be, is not made less. Raises Undecided; a second run goes on.
        """
        key = target.row
        found = self.rows.row(key)
        if found is not None and target.certificate_id not in found.certificate_ids:
            key = id_key(target.certificate_id)
            found = self.rows.row(key)
        # No job or brake holds it: what an operator switched off, undoing one must not switch on.
        marked = self._off.mark(found or self._written(target, key, wanted), wanted)
        if marked is None:
            raise Undecided(Reason.INTERNAL, "the registry row was not marked")
        # So that desired and actual state are compared: AWS IoT lists ids.
        self.rows.remember(target.certificate_id, key)
        self._off.carry_out(marked)
        self._off.disconnect()
        return SwitchedOff(target=target, status=self._now(target, marked.wanted), row=RowState(marked.wanted.value))

    def once_more(self) -> None:
        """Wait for the end of the activations that were on their way, and switch off what they may have switched on."""
        self._off.once_more(clock=self.clock, sleep=self.sleep)
        self._off.disconnect()

    @property
    def open_leases(self) -> int:
        """Return how many activations `once_more` will wait for."""
        return self._off.open_activations

    def _written(self, target: RevocationTarget, key: str, wanted: CertificateStatus) -> RegistryRow:
        """Write the row of a certificate that has none, marked from the start, and return it."""
        self.rows.want_revocation(key, certificate_id=target.certificate_id, wanted=wanted, facts=target.facts)
        row = self.rows.row(key)
        if row is None:
            raise Undecided(Reason.INTERNAL, "the registry row is gone")
        return row

    @staticmethod
    def _now(target: RevocationTarget, wanted: CertificateStatus) -> CertificateStatus | None:
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
            if error.reason in (Reason.CA_NOT_FOUND, Reason.MALFORMED_CERTIFICATE):
                return None
            raise
