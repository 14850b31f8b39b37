"""Which client ids the policies of the deployment let a device connect by, from what the synth found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from jitr.authorities.managed import CertificateAuthorities
from jitr.errors import Reason, Undecided
from jitr.policies.connecting import ConnectingDevice, may_connect, own_client_id
from jitr.registry.row import RegistryRow
from jitr.settings import ManagedCa


@dataclass(frozen=True)
class ClientIds:
    """The client ids of one deployment's devices; `clock` is UTC."""

    authorities: CertificateAuthorities
    clock: Callable[[], datetime]

    def own(self, row: RegistryRow) -> frozenset[str]:
        """Return the ids that the policy lets connect for the row's certificates alone; raises Undecided.

        None where the row does not name its CA, or that is not managed any more, or with a policy that is not deployed.
        """
        ca = self._ca(row.ca_certificate_id)
        patterns = () if ca is None else self._patterns(ca) or ()
        return frozenset(filter(None, (own_client_id(patterns, each) for each in row.certificate_ids)))

    def _ca(self, ca_certificate_id: str | None) -> ManagedCa | None:
        if not ca_certificate_id:
            return None
        try:
            return self.authorities.find(ca_certificate_id, at=self.clock())
        except Undecided as failure:
            if failure.reason is not Reason.CONFIGURATION:
                raise
            return None

    def refuses(self, ca: ManagedCa, client_id: str, device: ConnectingDevice) -> bool:
        """Return whether the policy certainly lets no device of that kind connect by this id."""
        patterns = self._patterns(ca)
        return patterns is not None and not may_connect(patterns, client_id, device)

    def _patterns(self, ca: ManagedCa) -> tuple[str, ...] | None:
        return self.authorities.configuration.connects.get(ca.policy)
