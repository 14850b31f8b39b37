"""What was found out about one device, step by step, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from jitr.activation.candidate import Candidate
from jitr.activation.examination import RevocationCheck
from jitr.aws.iot import CertificateStatus, RegisteredCertificate
from jitr.errors import ActivationError, Outcome, Reason
from jitr.registry.row import RegistryRow
from jitr_cli.console.advice import device_advice
from jitr_cli.devices.refusals import Refusal

TITLES = {
    1: "its CA is managed by this deployment",
    2: "AWS IoT knows it",
    3: "its CA may bring in devices",
    4: "the certificate itself",
    5: "not on the CA's CRL",
    6: "the registry row",
    7: "Thing and policy",
    8: "ACTIVE",
}

# Steps by what they say: what has to be known before anything else; what is asked only before a device becomes ACTIVE;
# what decides by itself; what tells how it was switched off.
_IDENTITY = (1, 2)

_ONLY_AT_FIRST = (3, 4)

_DECIDING = (4, 5)

_OWN = (6, 8)


class Standing(StrEnum):
    """The answer: `inconsistent` is ACTIVE, but not as it should be."""

    ACTIVE = "active"
    INCONSISTENT = "inconsistent"
    NOT_ACTIVE = "not_active"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, kw_only=True)
class StepFound:
    """How one step went: `outcome` is `passed`, or the family of what stands in the way."""

    step: int
    outcome: str
    reason: str | None = None
    message: str = ""

    @property
    def passed(self) -> bool:
        """Return whether nothing stands in the way here."""
        return self.outcome == "passed"


@dataclass(kw_only=True)
class DeviceFindings:
    """What was looked at so far; parts that could not be had are None."""

    certificate_id: str
    registered: RegisteredCertificate | None = None
    candidate: Candidate | None = None
    check: RevocationCheck | None = None
    row: RegistryRow | None = None
    thing_holder: str | None = None
    thing_is_anothers: bool = False
    things: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    steps: dict[int, StepFound] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    connections: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> CertificateStatus | None:
        """Return the certificate's status in AWS IoT, None where it is not registered."""
        return self.registered.status if self.registered else None

    @property
    def is_active(self) -> bool:
        """Return whether AWS IoT has it ACTIVE."""
        return self.status is CertificateStatus.ACTIVE

    def failures(self) -> Iterator[StepFound]:
        """Yield what stands in the way, in the order of the steps."""
        return (self.steps[number] for number in sorted(self.steps) if not self.steps[number].passed)

    @contextmanager
    def looking_at(self, number: int) -> Iterator[None]:
        """Note how a step went: passed unless something is raised inside."""
        try:
            yield
        except (ActivationError, Refusal) as failure:
            self.steps[number] = StepFound(
                step=number, outcome=failure.outcome.value, reason=str(failure.reason), message=failure.message
            )
        else:
            self.steps.setdefault(number, StepFound(step=number, outcome="passed"))


def conclude(found: DeviceFindings) -> tuple[Standing, StepFound]:
    """Return the verdict, and the step where the device stands.

    What does not explain the status is a note: a CA that is deactivated takes no ACTIVE device out, and is not why one
    is INACTIVE.
    """
    failures = list(found.failures())
    if found.status is CertificateStatus.PENDING_ACTIVATION or not failures:
        explaining = failures
    else:
        explaining = [each for each in failures if _explains(found, each)]
        found.notes += [
            f"step {each.step}: {each.message} ({each.reason})" for each in failures if each not in explaining
        ]
    if not explaining:
        return Standing.ACTIVE, found.steps[8]
    first = explaining[0]
    if first.outcome == Outcome.UNDECIDED:
        return Standing.UNDETERMINED, first
    return (Standing.INCONSISTENT if found.is_active else Standing.NOT_ACTIVE), first


def _explains(found: DeviceFindings, failure: StepFound) -> bool:
    """Return whether a failed step may be why a certificate has the status that it has."""
    if found.is_active:
        return failure.step not in _ONLY_AT_FIRST
    if found.status is CertificateStatus.REVOKED:
        return failure.step in _IDENTITY or failure.reason == Reason.REVOKED
    return failure.step in (*_IDENTITY, *_OWN) or (failure.step in _DECIDING and failure.outcome == Outcome.REJECTED)


def advice_for(found: DeviceFindings, stands: StepFound) -> str | None:
    """Return the same for a device that was looked at, whose Thing another certificate may have by now."""
    if stands.reason == "switched_off" and found.thing_is_anothers:
        holder = found.thing_holder
        other = f"{holder}, which becomes INACTIVE" if holder else "a certificate that is not known"
        return f"`jitr device reinstate --take-thing` brings it back, and its Thing from {other}"
    return device_advice(stands.reason)
