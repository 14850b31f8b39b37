"""One device's lines in one function's log, also of invocations that ended without a word about it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from jitr_cli.console.aws import Aws

# As long as dead letters are kept.
_AGE = timedelta(days=14)
_PAGES = 20
_LINES = 20
_REQUESTS = 3
_BEGAN = "began"
_FIELDS = ("outcome", "reason", "step", "message")


@dataclass(frozen=True)
class DeviceLog:
    """The log of one function, by the function's name."""

    aws: Aws
    function: str

    def about(self, certificate_id: str) -> list[dict[str, Any]]:
        """Return what the log says about a certificate, the newest lines; raises what AWS's client raises.

        An event that was begun and of which nothing more was written was cut short: then Lambda's own report on the
        invocation says how (AWS Lambda developer guide, "JSON log format", platform.report).
        """
        group = self._group()
        lines = list(islice(self._written(group, certificate_id), _LINES))
        found = [_told(at, self.function, line) for at, line in lines if line["outcome"] != _BEGAN]
        for request_id in _cut_short([line for _, line in lines])[:_REQUESTS]:
            found += self._crashes(group, request_id)
        return found

    def _written(self, group: str, certificate_id: str) -> Iterator[tuple[int, dict[str, Any]]]:
        for at, line in self._search(group, certificate_id):
            if line.get("certificate_id") == certificate_id and "outcome" in line:
                yield at, line

    def _crashes(self, group: str, request_id: str) -> Iterator[dict[str, Any]]:
        """Yield Lambda's reports that an invocation did not end as it should."""
        for at, line in self._search(group, request_id):
            record = line.get("record")
            if line.get("type") == "platform.report" and isinstance(record, dict) and record.get("status") != "success":
                message = f"the function ended without an answer: {record.get('status')}"
                yield _told(at, self.function, {"outcome": "crashed", "message": message})

    def _search(self, group: str, phrase: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield time and content of lines with a phrase, the newest first where the service can do that."""
        pages = (
            self.aws.client("logs")
            .get_paginator("filter_log_events")
            .paginate(
                logGroupName=group,
                # A phrase, and not a JSON pattern: the same in AWS and in the emulator.
                filterPattern=f'"{phrase}"',
                startTime=int((datetime.now(UTC) - _AGE).timestamp() * 1000),
                startFromHead=False,
            )
        )
        for page in islice(pages, _PAGES):
            for event in page["events"]:
                if isinstance(line := _parsed(event["message"]), dict):
                    yield event["timestamp"], line

    def _group(self) -> str:
        """Return where the function logs; who may not ask assumes AWS Lambda's own name for it."""
        try:
            configuration = self.aws.client("lambda").get_function_configuration(FunctionName=self.function)
        except ClientError:
            configuration = {}
        group: str = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{self.function}"
        return group


def _cut_short(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Return the requests that began with the device more often than they ended with it.

    Lambda gives a retried event the request id that it had before.
    """
    began = Counter(line.get("request_id") for line in lines if line["outcome"] == _BEGAN)
    ended = Counter(line.get("request_id") for line in lines if line["outcome"] != _BEGAN)
    return [request_id for request_id in began - ended if isinstance(request_id, str)]


def _told(at: int, function: str, line: dict[str, Any]) -> dict[str, Any]:
    time = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"at": time, "function": function, **{name: line.get(name) for name in _FIELDS}}


def _parsed(message: str) -> object:
    try:
        return json.loads(message)
    except ValueError:
        return None
