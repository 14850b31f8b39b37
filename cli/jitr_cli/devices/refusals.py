"""How a command about one certificate ends: done, or refused for a reason that has a section in the docs."""

from __future__ import annotations

from jitr.errors import Outcome, Reason, Rejected, Undecided, Waiting
from jitr_cli.console.call import Call
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.output import say
from jitr_fleet.deployments.runbook import reason_section

# Failures of AWS or of permissions, as opposed to what is not known about a device.
AWS_FAILURES = frozenset({Reason.THROTTLED, Reason.ACCESS_DENIED, Reason.AWS_REFUSED, Reason.AWS_UNAVAILABLE})


class Refusal(Exception):  # noqa: N818 - named for what it is
    """A definite no that no reason code of an activation says; `reason` has a section in docs/devices.md."""

    outcome = Outcome.REJECTED

    def __init__(self, reason: str, message: str, *, step: int) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.step: int | None = step


Failure = Refusal | Rejected | Waiting | Undecided


def refused(call: Call, failure: Failure, certificate_id: str) -> ExitCode:
    """Say why something was not done, and return the exit code: 1 a definite no, 2 unknown; AWS's failures pass on."""
    if isinstance(failure, Undecided) and failure.reason in AWS_FAILURES:
        raise failure
    where = "" if failure.step is None else f" at step {failure.step}"
    section = f"docs/devices.md#{failure.reason}" if isinstance(failure, Refusal) else reason_section(failure.reason)
    say(f"not done{where}: {failure.message} ({section})")
    data = answer(certificate_id, outcome=failure.outcome, reason=failure.reason, step=failure.step)
    return call.finish(data, ExitCode.UNDETERMINED if failure.outcome is Outcome.UNDECIDED else ExitCode.NO)


def answer(
    certificate_id: str,
    *,
    outcome: str,
    reason: str | None = None,
    step: int | None = None,
    replaced: str | None = None,
    thing: str | None = None,
) -> dict[str, object]:
    """Return how a command about one certificate ended, as data; `replaced` is the certificate that lost its Thing."""
    return {
        "certificate_id": certificate_id,
        "outcome": str(outcome),
        "reason": None if reason is None else str(reason),
        "step": step,
        "replaced": replaced,
        "thing": thing,
    }
