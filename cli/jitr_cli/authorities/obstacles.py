"""What keeps a CA's devices out right now: the strictest of AWS IoT, fleet file and operators wins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from jitr.settings import CaStatus
from jitr_cli.authorities.management import DeployedCas
from jitr_cli.authorities.registry import CaRegistration
from jitr_cli.console.files import zulu


def obstacles(known: CaRegistration, deployments: Iterable[DeployedCas], *, at: datetime) -> list[str]:
    """Return a sentence for each reason why no new device of this CA becomes ACTIVE through a deployment here.

    A CA with a provisioning template is among them, although its devices do get in: past every check.
    """
    deployments = list(deployments)
    found = [*_in_aws(known, at), *(each for deployed in deployments for each in _in(deployed, known))]
    unknown = any(deployed.configuration is None for deployed in deployments)
    managed = any(deployed.management(known.ca_certificate_id) for deployed in deployments)
    if not managed and not unknown:
        found.append("no deployment here manages it: its devices stay PENDING_ACTIVATION")
    return found


def _in_aws(known: CaRegistration, at: datetime) -> Iterator[str]:
    if not known.active:
        yield "it is INACTIVE in AWS IoT: jitr ca activate"
    if not known.auto_registration:
        yield "auto-registration is off: unknown devices are not registered: jitr ca auto-registration on"
    if known.provisions_itself:
        yield "it has a provisioning template (JITP): AWS IoT activates its devices itself, past every check"
    if known.certificate.not_valid_after_utc < at:
        yield f"its certificate expired at {zulu(known.certificate.not_valid_after_utc)}"


def _in(deployed: DeployedCas, known: CaRegistration) -> Iterator[str]:
    name = deployed.stack.deployment
    record = deployed.records.record(known.ca_certificate_id)
    management = deployed.management_of(known.ca_certificate_id, record)
    if management is not None and management.status is not CaStatus.ACTIVE:
        yield f"the fleet file of {name} says status = {management.status.value!r}; only a deploy changes that"
    if record is not None and record.on_hold:
        yield f"deployment {name} holds it, by {record.held_by}: jitr ca resume"
