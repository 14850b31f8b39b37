"""What keeps a CA's devices out right now: the strictest of AWS IoT, fleet file and operators wins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from jitr.authorities import obstacles as rules
from jitr.authorities.obstacles import CaFacts, Obstacle
from jitr.certificates import Certificate, Unreadable
from jitr_cli.authorities.management import DeployedCas
from jitr_cli.authorities.registry import DescribedCa
from jitr_cli.console.files import zulu

_IN_AWS = {
    Obstacle.INACTIVE: "it is INACTIVE in AWS IoT: jitr ca activate",
    Obstacle.AUTO_REGISTRATION_OFF: "auto-registration is off: unknown devices are not registered: "
    "jitr ca auto-registration on",
    Obstacle.PROVISIONING_TEMPLATE: "it has a provisioning template (JITP): AWS IoT activates its devices itself, "
    "past every check",
}


def obstacles(known: DescribedCa, deployments: Iterable[DeployedCas], *, at: datetime) -> list[str]:
    """Return a sentence for each reason why no new device of this CA becomes ACTIVE through a deployment here.

    A CA with a provisioning template is among them, although its devices do get in: past every check.
    """
    deployments = list(deployments)
    found = [*obstacles_in_aws(known, at=at), *(each for deployed in deployments for each in _in(deployed, known, at))]
    unknown = any(deployed.configuration is None for deployed in deployments)
    managed = any(deployed.management(known.ca_certificate_id) for deployed in deployments)
    if not managed and not unknown:
        found.append("no deployment here manages it: its devices stay PENDING_ACTIVATION")
    return found


def obstacles_in_aws(known: DescribedCa, *, at: datetime) -> Iterator[str]:
    """Yield a sentence for each reason that AWS IoT and the CA's certificate give."""
    read = known.read
    if isinstance(read, Unreadable):
        yield f"its certificate cannot be read: {read.why}"
    found = None if isinstance(read, Unreadable) else read
    for obstacle in rules.obstacles(replace(known.facts, certificate=found), at=at):
        if found is not None and obstacle is Obstacle.OUTSIDE_VALIDITY:
            yield _of_validity(found, at)
        else:
            yield _IN_AWS[obstacle]


def _of_validity(found: Certificate, at: datetime) -> str:
    if found.begins is None or found.ends is None:
        return "the validity of its certificate cannot be read"
    if at < found.begins:
        return f"its certificate is not valid before {zulu(found.begins)}"
    return f"its certificate expired at {zulu(found.ends)}"


def _in(deployed: DeployedCas, known: DescribedCa, at: datetime) -> Iterator[str]:
    name = deployed.stack.deployment
    record = deployed.records.record(known.ca_certificate_id)
    management = deployed.management_of(known.ca_certificate_id, record)
    facts = CaFacts(
        wanted=None if management is None else management.status, on_hold=record is not None and record.on_hold
    )
    for obstacle in rules.obstacles(facts, at=at):
        if obstacle is Obstacle.ON_HOLD and record is not None:
            yield f"deployment {name} holds it, by {record.held_by}: jitr ca resume"
        elif management is not None:
            yield f"the fleet file of {name} says status = {management.status.value!r}; only a deploy changes that"
