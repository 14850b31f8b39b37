"""One CA's trouble beside another CA's good devices: how long these wait while the first one's knock and knock."""

from __future__ import annotations

import json
import time as wall
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from bench.storm.devices import Devices, factory
from bench.storm.scenario import Scenario
from bench.storm.storm import World
from jitr.authorities.records import CaRecords
from jitr_local.device.back_off import BackOff
from jitr_local.pki import CertificateAuthority

_NOBODY = "an operator"


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """What is beside what.

    `crowd` devices of one CA connect within the first second and then with the reference device's waits; the CA is on
    hold from the beginning, up to `resumed_after` seconds (None: for good). `good` devices of another CA connect one
    after the other over `over_seconds`, from `from_second` on.
    """

    crowd: int
    good: int
    over_seconds: float
    from_second: float = 0.0
    resumed_after: float | None = None
    seed: int = 1
    longest_seconds: float = 86400.0


@dataclass(frozen=True, kw_only=True)
class Isolated:
    """The figures: waits of the good devices from first connect to ACTIVE, when the crowd's became ACTIVE, in seconds.

    `described` counts DescribeCertificate, of all devices.
    """

    waits: Sequence[float]
    crowd_active_at: Sequence[float]
    described: int
    throttled: int
    dead_letters: int
    computed_seconds: float

    def wait(self, percent: float) -> float:
        """Return the time that so many percent of the good devices stayed below; all have to be ACTIVE."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")


def run_isolated(scenario: Isolation) -> Isolated:
    """Let it happen, and return the figures."""
    began = wall.perf_counter()
    world = _IsolationWorld(Scenario(devices=scenario.crowd, seed=scenario.seed))
    return world.beside_each_other(scenario, began)


class _IsolationWorld(World):
    """Two CAs of one deployment."""

    @cached_property
    def cas(self) -> tuple[CertificateAuthority, ...]:
        return factory(self.scenario.devices, "crowd")[0], factory(self.scenario.devices, "good")[0]

    def beside_each_other(self, scenario: Isolation, began: float) -> Isolated:
        with self.in_place():
            queue, _, dead = self.behind_a_queue()
            crowd_ca = self.cas[0].ca_certificate_id
            records = CaRecords(self.aws.table)  # type: ignore[arg-type]
            records.hold(crowd_ca, by=_NOBODY, at=self.clock())
            if scenario.resumed_after is not None:
                self.time.after(scenario.resumed_after, lambda: _resume(records, crowd_ca, self.clock()))
            crowd, good = (
                Devices(
                    self.aws,
                    ca,
                    factory(self.scenario.devices, name)[1][:count],
                    self.random,
                    lambda event: queue.send(json.dumps(event)),
                    lambda: self.clock().timestamp(),
                    back_off=BackOff(),
                )
                for ca, name, count in zip(self.cas, ("crowd", "good"), (scenario.crowd, scenario.good), strict=True)
            )
            crowd.begin(over_seconds=1.0)
            self.time.after(scenario.from_second, lambda: good.begin(over_seconds=scenario.over_seconds))
            resumed = scenario.resumed_after is not None
            self.time.run(until=scenario.longest_seconds, done=lambda: good.settled and (crowd.settled or not resumed))
        active = self.aws.activated_at
        return Isolated(
            waits=[
                active.get(each.certificate_id, float("inf")) - good.first_at[each.certificate_id]
                for each in good.devices
            ],
            crowd_active_at=[active[each.certificate_id] for each in crowd.devices if each.certificate_id in active],
            described=self.aws.answered.get("DescribeCertificate", 0),
            throttled=self.aws.quotas.throttled.total(),
            dead_letters=len(dead),
            computed_seconds=wall.perf_counter() - began,
        )


def _resume(records: CaRecords, ca_certificate_id: str, at: datetime) -> None:
    records.resume(ca_certificate_id, by=_NOBODY, at=at)
