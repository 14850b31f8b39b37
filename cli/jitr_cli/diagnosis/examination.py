"""Runs checks one after the other; a check that cannot look is an unknown finding, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from jitr.aws.failures import error_code
from jitr.errors import Undecided
from jitr_cli.console.failures import CommandFailed
from jitr_cli.diagnosis.finding import Check, Finding, unknown
from jitr_cli.diagnosis.watched_aws import WatchedAws
from jitr_fleet.deployments.stack_outputs import OutputMissing

_FAILURES = (ClientError, BotoCoreError, Undecided, CommandFailed, OutputMissing)


class Watched(Protocol):
    """What checks look at."""

    aws: WatchedAws


Seen = TypeVar("Seen", bound=Watched)


def examine(
    seen: Seen, checks: Iterable[Check[Seen]], progressed: Callable[[int], None]
) -> Iterator[tuple[Check[Seen], Finding]]:
    """Yield what each check finds; whatever is no failure of AWS is a mistake of ours and comes through."""
    for check in checks:
        seen.aws.denied.clear()
        try:
            for finding in check.look(seen):
                yield check, finding
        except _FAILURES as failure:
            yield check, cannot_tell(failure, seen.aws.denied)
        progressed(1)


def cannot_tell(failure: Exception, denied: Iterable[str]) -> Finding:
    """Return what is said of a check that could not look; `denied` are the IAM actions that AWS refused meanwhile."""
    actions = list(dict.fromkeys(denied))
    if actions:
        listed = ", ".join(actions)
        return unknown(f"your credentials may not look: {listed} was refused", fix=f"allow {listed}, or ask who may")
    if isinstance(failure, ClientError):
        words = f"{failure.operation_name} failed: {error_code(failure)}"
        return unknown(words, fix="look again later; if it stays so, this endpoint may not know the call")
    if isinstance(failure, OutputMissing):
        return unknown(str(failure), fix="cdk deploy, with this version of jitr; docs/upgrading.md")
    words = failure.message if isinstance(failure, Undecided) else str(failure)
    return unknown(words, fix="look again later; if it stays so, look at the part itself in the AWS console")
