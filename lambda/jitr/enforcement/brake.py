"""The brake (I7): how many devices one CRL, job or command may switch off for good at once."""

from __future__ import annotations

from dataclasses import dataclass

# What may be newly listed at most, of however small a fleet; beyond, a share of the CA's devices.
SMALLEST_BRAKE = 100
BRAKE_PERCENT = 1


@dataclass(frozen=True)
class Brake:
    """A deployment's brake, by the fleet file: `devices` (None: 100), and `percent` of the CA's ACTIVE devices."""

    devices: int | None = None
    percent: int = BRAKE_PERCENT

    def limit(self, active: int) -> int:
        """Return how many certificates may become REVOKED at once, for a CA with so many ACTIVE ones."""
        smallest = SMALLEST_BRAKE if self.devices is None else self.devices
        return max(smallest, active * self.percent // 100)


def brake_limit(devices: int) -> int:
    """Return the limit of a brake as it is without keys in the fleet file."""
    return Brake().limit(devices)
