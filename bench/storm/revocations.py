"""Enforcement that switches devices off while a storm passes: the protocol of a sweep, device after device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bench.storm.aws import Aws
from jitr.aws.iot import CertificateStatus
from jitr.aws.lending import Part
from jitr.handlers.clients import Surroundings, Wiring
from jitr.registry.switching_off import SwitchingOff
from jitr.settings import Configuration, Environment
from jitr_local.pki import CertificateAuthority

_NOT_AFTER = 2_000_000_000


@dataclass
class Revocations:
    """So many ACTIVE devices of a CA that a CRL newly lists; `times` are when each went off."""

    devices: int
    aws: Aws
    ca: CertificateAuthority
    clock: Callable[[], datetime]
    times: list[float] = field(default_factory=list)

    def run(self, configuration: Configuration, environment: Environment, surroundings: Surroundings) -> None:
        """Switch all of them off as a sweep does, with the turns of enforcement."""
        wiring = Wiring(configuration=configuration, environment=environment)
        pace, rows = wiring.turns(Part.ENFORCEMENT, surroundings), wiring.rows
        off = SwitchingOff(registry=wiring.registry, rows=rows, pace=pace)
        for number in range(self.devices):
            certificate_id, key = f"{number:064x}", f"revoked#{number:x}"
            self.aws.iot.add_active(certificate_id, self.ca.ca_certificate_id)
            rows.add_known(key, certificate_id=certificate_id, facts={"not_after": _NOT_AFTER})
            row = rows.row(key)
            if row is None or (marked := off.mark(row, CertificateStatus.REVOKED)) is None:
                raise RuntimeError("the row that was just written is gone")
            off.carry_out(marked)
            self.times.append(self.aws.time.now)
