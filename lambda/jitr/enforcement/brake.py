"""The brake (I7): how many devices one CRL, job or command may switch off for good at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jitr.crls.versions import ScopeState

# What may be newly listed at most, of however small a fleet; beyond, a share of the CA's devices.
SMALLEST_BRAKE = 100
BRAKE_PERCENT = 1


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the brake makes of a CRL: whether it holds it, and of how many devices that was decided.

    `decided` where it was decided before, when `affected` is not counted. `affected` counts to one beyond `limit`.
    """

    braked: bool
    limit: int
    affected: int = 0
    decided: bool = False


@dataclass(frozen=True)
class Brake:
    """A deployment's brake, by the fleet file: `devices` (None: 100), and `percent` of the CA's ACTIVE devices."""

    devices: int | None = None
    percent: int = BRAKE_PERCENT

    def limit(self, active: int) -> int:
        """Return how many certificates may become REVOKED at once, for a CA with so many ACTIVE ones."""
        smallest = SMALLEST_BRAKE if self.devices is None else self.devices
        return max(smallest, active * self.percent // 100)

    def judge(
        self, state: ScopeState, crl: str, affected: Callable[[int], int], *, active: int, at: datetime
    ) -> Judgement:
        """Return whether a CRL (its SHA-256) of a scope newly lists too many, for a CA with so many `active` devices.

        `affected` counts the registered devices that it newly lists as revoked and that are not REVOKED yet, up to the
        number that it gets. What the scope's other CRLs of the last 24 hours newly list counts too.
        """
        limit = self.limit(active)
        if state.braked == crl:
            return Judgement(braked=not state.confirmed, limit=limit, decided=True)
        count = affected(limit + 1)
        too_many = count > 0 and count + state.listed_before(crl, at=at) > limit
        return Judgement(braked=too_many, limit=limit, affected=count)
