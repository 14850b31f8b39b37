"""How often a call to AWS is tried, and how long that may take at most; on top of botocore's standard mode.

botocore keeps 500 tokens for each client, takes five for a repetition and gives some back for a success, none for time
that passes: a client that lives long and met a burst repeats nothing any more. Here a client makes one call at a time,
waits twice as long before each attempt as before the last, and counts attempts: all that the tokens are to ensure.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import HTTPClientError

from jitr.aws.failures import is_throttle

# botocore takes it for throttling; it says how many there may be of something, so that no waiting ends it.
_NOT_THROTTLING: Final = "LimitExceededException"
_TRANSIENT_STATUS: Final = frozenset({429, 500, 502, 503, 504})
# botocore's standard mode waits up to so many seconds (1, 2, 4 …) before it repeats what was throttled.
_LONGEST_WAIT_SECONDS: Final = 20.0


def retrying(total: int, *, connect_seconds: float, read_seconds: float) -> Config:
    """Return a configuration of `total` attempts, the first one among them, whatever AWS_MAX_ATTEMPTS says.

    Spelled out, so that a newer botocore changes nothing. botocore's `max_attempts` would count the repetitions only.
    """
    return Config(
        retries={"mode": "standard", "total_max_attempts": total},
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
    )


def longest_call_seconds(config: Config) -> float:
    """Return how long all attempts of one call take at most: each meets its time limits, each wait is the longest.

    Not counted: an answer that drips, and the `x-amz-retry-after` that AWS may send (five seconds more each).
    """
    options: Any = config
    total: int = options.retries["total_max_attempts"]
    waits = sum(_longest_wait(attempt) for attempt in range(1, total))
    return float(total * (options.connect_timeout + options.read_timeout) + waits)


def _longest_wait(attempt: int) -> float:
    return min(2.0 ** (attempt - 1), _LONGEST_WAIT_SECONDS)


@dataclass(frozen=True)
class _Repetition:
    """botocore's event `needs-retry` (botocore/endpoint.py): the answer is seconds to wait, False for no repetition."""

    total: int

    def never(self, *, response: Any, **_: object) -> bool | None:  # noqa: ANN401 - botocore's (http, parsed) or None
        return False if _code(response) == _NOT_THROTTLING else None

    def go_on(self, *, response: Any, attempts: int, caught_exception: object, **_: object) -> float | None:  # noqa: ANN401
        if attempts >= self.total or not _passing(response, caught_exception):
            return None
        return random.random() * _longest_wait(attempts)  # noqa: S311 - spreads callers, keeps no secret


def retry_without_tokens(client: Any) -> Any:  # noqa: ANN401 - a boto3 client, whichever
    """Let a client repeat as often as its configuration says, whatever it went through before; returns the client.

    botocore's own handler stays and answers first; where it is out of tokens, this one decides.
    """
    repetition = _Repetition(client.meta.config.retries["total_max_attempts"])
    event = f"needs-retry.{client.meta.service_model.service_id.hyphenize()}"
    client.meta.events.register_first(event, repetition.never)
    client.meta.events.register_last(event, repetition.go_on)
    return client


def _code(response: Any) -> str:  # noqa: ANN401
    return "" if response is None else str((response[1].get("Error") or {}).get("Code", ""))


def _passing(response: Any, caught_exception: object) -> bool:  # noqa: ANN401
    """Return whether another attempt may bring something else: throttled, a failing server, or no answer."""
    if response is None:
        return isinstance(caught_exception, NoConnection | HTTPClientError)
    return is_throttle(_code(response)) or response[0].status_code in _TRANSIENT_STATUS
