"""What keeps a CA's new devices out: the strictest of fleet file, operators and AWS IoT wins.

One rule for the activation function, `jitr ca list`, `jitr device explain` and `jitr doctor`; pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jitr.certificates import Certificate
from jitr.settings import CaStatus


class Obstacle(StrEnum):
    """One reason each; the values are reason codes where the activation function has one."""

    RETIRED = "ca_retired"
    INACTIVE_BY_FLEET_FILE = "ca_inactive_by_fleet_file"
    ON_HOLD = "ca_on_hold"
    INACTIVE = "ca_inactive"
    OUTSIDE_VALIDITY = "ca_expired"
    AUTO_REGISTRATION_OFF = "auto_registration_off"
    # Its devices do get in: AWS IoT activates them itself, past every check.
    PROVISIONING_TEMPLATE = "provisioning_template"


@dataclass(frozen=True, kw_only=True)
class CaFacts:
    """What is known of a CA; None is what nobody looked up, and no obstacle."""

    wanted: CaStatus | None = None
    on_hold: bool | None = None
    active: bool | None = None
    certificate: Certificate | None = None
    auto_registration: bool | None = None
    provisions_itself: bool | None = None


def obstacles(facts: CaFacts, *, at: datetime) -> tuple[Obstacle, ...]:
    """Return what keeps new devices out at a time, what people decided here first, then what AWS IoT says."""
    return tuple(_found(facts, at))


def _found(facts: CaFacts, at: datetime) -> Iterator[Obstacle]:
    if facts.wanted is CaStatus.RETIRED:
        yield Obstacle.RETIRED
    if facts.wanted is CaStatus.INACTIVE:
        yield Obstacle.INACTIVE_BY_FLEET_FILE
    if facts.on_hold:
        yield Obstacle.ON_HOLD
    if facts.active is False:
        yield Obstacle.INACTIVE
    if facts.auto_registration is False:
        yield Obstacle.AUTO_REGISTRATION_OFF
    if facts.provisions_itself:
        yield Obstacle.PROVISIONING_TEMPLATE
    if facts.certificate is not None and not _is_valid(facts.certificate, at):
        yield Obstacle.OUTSIDE_VALIDITY


def _is_valid(certificate: Certificate, at: datetime) -> bool:
    """Return whether a time lies inside a CA's validity; not where that cannot be read."""
    begins, ends = certificate.begins, certificate.ends
    return begins is not None and ends is not None and begins <= at <= ends
