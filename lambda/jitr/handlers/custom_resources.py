"""What functions behind custom resources have in common: CloudFormation is answered on every path, in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from jitr.errors import ActivationError, Reason, Undecided
from jitr.messages.custom_resource import ResourceRequest, answer_without_function

# What the last AWS call and the answer may take: before there is less left, the function gives up and says so.
RESERVED_SECONDS = 120.0

F = TypeVar("F")
NO_MORE: Mapping[type[Exception], str] = MappingProxyType({})


def begun(build: Callable[[], F], event: object) -> F | None:
    """Return the function; None where it cannot begin and has answered for it. Raises what keeps it from beginning.

    `{}` is an operator's invocation, which needs no answer to CloudFormation.
    """
    try:
        return build()
    except Exception as error:
        if event != {} and answer_without_function(ResourceRequest.parse(event), told(error)):
            return None
        raise


def told(error: Exception, own: Mapping[type[Exception], str] = NO_MORE) -> str:
    """Return what CloudFormation shows of a failure: our own words, of anything else only its kind.

    `own` are further exceptions in our own words, and what stands before these.
    """
    if isinstance(error, ActivationError):
        return f"{error.message} ({error.reason}: see docs/runbook.md)"
    if type(error) in own:
        return f"{own[type(error)]}{error}"
    return f"unexpected {type(error).__name__}: see the function's log"


def paced_in_time(pace: Callable[[], None], seconds_left: Callable[[], float], *, too_late: str) -> Callable[[], None]:
    """Return a pace that raises Undecided, with `too_late` as its message, while there is still time to answer."""

    def paced() -> None:
        if seconds_left() < RESERVED_SECONDS:
            raise Undecided(Reason.AWS_UNAVAILABLE, too_late)
        pace()

    return paced
