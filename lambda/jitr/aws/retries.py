"""How often a call to AWS is tried, and how long that may take at most; on top of botocore's standard mode.

botocore keeps 500 tokens for each client, takes five for a repetition and gives some back for a success, none for time
that passes: a client that lives long and met a burst repeats nothing any more. Here a client makes one call at a time,
waits twice as long before each attempt as before the last, and counts attempts: all that the tokens are to ensure.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import HTTPClientError

from jitr.aws.failures import is_throttle

if TYPE_CHECKING:
    import boto3

# botocore takes it for throttling; it says how many there may be of something, so that no waiting ends it.
_NOT_THROTTLING: Final = "LimitExceededException"
# The service that answers so: AWS IoT.
_WITH_LIMITS: Final = "iot"
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


def repeat_without_tokens(session: boto3.Session) -> None:
    """Let a session's clients, those made from now on, repeat as often as their configuration says.

    Whatever they went through before: botocore's own handler stays and answers first; where it is out of tokens, one of
    ours decides. The event is botocore's `needs-retry` (botocore/endpoint.py), whose answer is seconds to wait, or
    False for no repetition; handlers of a service come before those of all. Doing this again changes nothing.
    """
    # botocore's stubs know only handlers that answer nothing.
    events: Any = session.events
    events.register_first(f"needs-retry.{_WITH_LIMITS}", _never, unique_id="jitr-never")
    events.register_last("needs-retry", _go_on, unique_id="jitr-go-on")


def _never(*, response: Any, **_: object) -> bool | None:  # noqa: ANN401 - botocore's (http, parsed) or None
    return False if _code(response) == _NOT_THROTTLING else None


def _go_on(*, response: Any, attempts: int, caught_exception: object, request_dict: Any, **_: object) -> float | None:  # noqa: ANN401
    # A client that says no number of its own is botocore's alone.
    total: int = (request_dict["context"]["client_config"].retries or {}).get("total_max_attempts", 0)
    if attempts >= total or not _passing(response, caught_exception):
        return None
    return random.random() * _longest_wait(attempts)  # noqa: S311 - spreads callers, keeps no secret


def _code(response: Any) -> str:  # noqa: ANN401
    return "" if response is None else str((response[1].get("Error") or {}).get("Code", ""))


def _passing(response: Any, caught_exception: object) -> bool:  # noqa: ANN401
    """Return whether another attempt may bring something else: throttled, a failing server, or no answer."""
    if response is None:
        return isinstance(caught_exception, NoConnection | HTTPClientError)
    return is_throttle(_code(response)) or response[0].status_code in _TRANSIENT_STATUS
