"""How AWS delivers: Lambda's asynchronous invocation with its retries and on-failure record, and what follows later.

Each attempt is a cold container unless the caller hands a warm one in: a crash ends a container, an error need not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.aws.aws_faults import Killed
from tests.faults.machine.cloud import Cloud

# AWS Lambda, "Error handling for asynchronous invocation": two retries, after one minute and after two more.
RETRY_MINUTES = (1, 2)

Invoke = Callable[[Any, str], Any]


def _nothing() -> None:
    return


@dataclass
class Asynchronous:
    """Delivers events to a function; `between` runs once, after the first attempt that failed.

    `letters` are the on-failure records, `answers` what the function returned, `errors` what it raised.
    """

    aws: Cloud
    cold: Callable[[], Invoke]
    between: Callable[[], None] = _nothing
    keep_warm: bool = False
    letters: list[str] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    requests: int = 0

    def deliver(self, event: Any) -> bool:
        """Deliver an event until it is done; False, and a letter more, when all attempts failed."""
        self.requests += 1
        request_id, invoke = f"request-{self.requests}", self.cold()
        error = ""
        for attempt in range(len(RETRY_MINUTES) + 1):
            if attempt:
                self.aws.account.clock.advance(minutes=RETRY_MINUTES[attempt - 1])
                invoke = invoke if self.keep_warm else self.cold()
            try:
                self.answers.append(invoke(event, request_id))
            except Killed as killed:
                self.aws.faults.buried()
                error = str(killed)
                kind, invoke = "Runtime.ExitError", self.cold()
            except Exception as failure:  # noqa: BLE001 - whatever a function raises is Lambda's to deal with
                error, kind = str(failure), type(failure).__name__
            else:
                return True
            self.errors.append(error)
            between, self.between = self.between, _nothing
            between()
        self.letters.append(_record(event, kind, error))
        return False


def _record(event: Any, kind: str, error: str) -> str:
    """AWS Lambda, "Capturing records of Lambda asynchronous invocations"."""
    return json.dumps(
        {
            "version": "1.0",
            "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3},
            "requestPayload": event,
            "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
            "responsePayload": {"errorType": kind, "errorMessage": error},
        }
    )
