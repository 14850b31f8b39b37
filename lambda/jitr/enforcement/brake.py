"""The brake (I7): how many devices one CRL, job or command may switch off for good at once."""

from __future__ import annotations

# What one CRL may newly list at most, of however small a fleet; beyond, a share of the CA's devices.
SMALLEST_BRAKE = 100
BRAKE_SHARE = 0.01


def brake_limit(devices: int) -> int:
    """Return how many certificates may become REVOKED at once, for a CA with so many registered devices."""
    return max(SMALLEST_BRAKE, int(devices * BRAKE_SHARE))
