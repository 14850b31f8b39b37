"""What the functions left behind about one device: dead letters, and the last lines of their logs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from jitr.aws.failures import error_code
from jitr_cli.console.aws import Aws
from jitr_cli.console.files import zulu
from jitr_cli.dlq.queue import DeadLetterQueue, QueueName
from jitr_cli.explain.log import DeviceLog
from jitr_fleet.deployments.stack_outputs import OutputMissing, StackOutputs

_LINES = 10
_LETTERS = 500


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Newest last; `missing` says in words what could not be read, and why."""

    dead_letters: list[dict[str, Any]]
    log: list[dict[str, Any]]
    missing: list[str]


def gather(aws: Aws, stack: StackOutputs, certificate_id: str) -> Evidence:
    """Read dead letters and log about a certificate; what cannot be read is said, not raised."""
    missing: list[str] = []
    letters: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    try:
        letters, looked_at = _dead_letters(DeadLetterQueue.of(aws, stack, QueueName.ACTIVATION), certificate_id)
        if looked_at == _LETTERS:
            missing.append(f"dead letters beyond the first {_LETTERS}")
    except (ClientError, BotoCoreError, OutputMissing) as error:
        missing.append(f"dead letters: {_told(error)}")
    for output in ("function", "enforcement_function", "bulk_function"):
        named = f"the {output.replace('_', ' ')}"
        try:
            named = getattr(stack, output)
            lines += DeviceLog(aws, named).about(certificate_id)
        except (ClientError, BotoCoreError, OutputMissing) as error:
            missing.append(f"the log of {named}: {_told(error)}")
    return Evidence(
        dead_letters=letters, log=sorted(lines, key=lambda line: str(line["at"]))[-_LINES:], missing=missing
    )


def _dead_letters(queue: DeadLetterQueue, certificate_id: str) -> tuple[list[dict[str, Any]], int]:
    """Return the letters about a certificate, and how many were looked at; all of them stay in the queue."""
    with queue.holding() as holding:
        held = list(holding.letters(at_most=_LETTERS))
    found = [each for each in held if each.letter.certificate_id == certificate_id]
    found.sort(key=lambda each: each.sent_at_milliseconds)
    return [
        {
            "dead_since": zulu(datetime.fromtimestamp(each.sent_at_milliseconds // 1000, UTC)),
            "reason": each.letter.reason,
            "step": each.letter.step,
            "message": each.letter.message,
        }
        for each in found
    ], len(held)


def _told(error: ClientError | BotoCoreError | OutputMissing) -> str:
    if isinstance(error, OutputMissing):
        return str(error)
    return error_code(error) if isinstance(error, ClientError) else type(error).__name__
