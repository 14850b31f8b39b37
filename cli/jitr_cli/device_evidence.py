"""What the function left behind about one device: dead letters, and the last lines of its log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from jitr.aws_failures import error_code
from jitr_cli.aws import Aws
from jitr_cli.certificate_files import zulu
from jitr_cli.dead_letter_queue import DeadLetterQueue, Held
from jitr_fleet.stack_outputs import StackOutputs

# As long as dead letters are kept.
_LOG_AGE = timedelta(days=14)
_LOG_PAGES = 20
_LINES = 10
_LETTERS = 500
_FIELDS = ("outcome", "reason", "step", "message")


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
        letters, looked_at = _dead_letters(DeadLetterQueue(aws.client("sqs"), stack.dead_letter_queue), certificate_id)
        if looked_at == _LETTERS:
            missing.append(f"dead letters beyond the first {_LETTERS}")
    except (ClientError, BotoCoreError) as error:
        missing.append(f"dead letters: {_told(error)}")
    try:
        lines = list(_log_lines(aws, _log_group(aws, stack), certificate_id))
    except (ClientError, BotoCoreError) as error:
        missing.append(f"the function's log: {_told(error)}")
    return Evidence(
        dead_letters=letters, log=sorted(lines, key=lambda line: str(line["at"]))[-_LINES:], missing=missing
    )


def _dead_letters(queue: DeadLetterQueue, certificate_id: str) -> tuple[list[dict[str, Any]], int]:
    """Return the letters about a certificate, and how many were looked at; all of them stay in the queue."""
    held: list[Held] = []
    try:
        held.extend(queue.receive(at_most=_LETTERS))
    finally:
        for each in held:
            queue.put_back(each)
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


def _log_group(aws: Aws, stack: StackOutputs) -> str:
    """Return where the function logs; who may not ask assumes AWS Lambda's own name for it."""
    try:
        configuration = aws.client("lambda").get_function_configuration(FunctionName=stack.function)
    except ClientError:
        configuration = {}
    group: str = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{stack.function}"
    return group


def _log_lines(aws: Aws, group: str, certificate_id: str) -> Iterator[dict[str, Any]]:
    """Yield the function's lines about a certificate, the newest first where the service can do that."""
    pages = (
        aws.client("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=group,
            # A phrase, and not a JSON pattern: the same in AWS and in the emulator.
            filterPattern=f'"{certificate_id}"',
            startTime=int((datetime.now(UTC) - _LOG_AGE).timestamp() * 1000),
            startFromHead=False,
        )
    )
    found = 0
    for number, page in enumerate(pages, 1):
        for event in page["events"]:
            if (line := _decided(event["message"], certificate_id)) is not None:
                found += 1
                at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                yield {"at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), **line}
        if number == _LOG_PAGES or found >= _LINES:
            return


def _decided(message: str, certificate_id: str) -> dict[str, Any] | None:
    """Return what a line says about how an event of the certificate ended, None for any other line."""
    try:
        line = json.loads(message)
    except ValueError:
        return None
    if not isinstance(line, dict) or line.get("certificate_id") != certificate_id or "outcome" not in line:
        return None
    return {name: line.get(name) for name in _FIELDS}


def _told(error: ClientError | BotoCoreError) -> str:
    return error_code(error) if isinstance(error, ClientError) else type(error).__name__
