"""Failed AWS calls as data: every ClientError and connection failure becomes Undecided with a reason code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from jitr.errors import Reason, Undecided

_THROTTLES = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "ProvisionedThroughputExceededException",
        "RequestThrottled",
        "SlowDown",
    }
)
_DENIALS = frozenset(
    {"AccessDeniedException", "AccessDenied", "UnauthorizedException", "ForbiddenException", "403", "ExpiredToken"}
)
_SERVER_ERRORS = 500


def error_code(error: ClientError) -> str:
    """Return the error code that AWS answered with."""
    code: str = error.response.get("Error", {}).get("Code", "")
    return code


def is_throttle(code: str) -> bool:
    """Return whether an error code means that there were too many requests."""
    return code in _THROTTLES


@contextmanager
def aws_call(operation: str) -> Iterator[None]:
    """Turn a failure of the calls inside into Undecided; what a caller expects, it catches inside this block."""
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        raise Undecided(_reason(error, code), f"{operation} failed: {code}") from error
    except BotoCoreError as error:
        raise Undecided(Reason.AWS_UNAVAILABLE, f"{operation} got no answer: {type(error).__name__}") from error


def _reason(error: ClientError, code: str) -> Reason:
    if is_throttle(code):
        return Reason.THROTTLED
    if code in _DENIALS:
        return Reason.ACCESS_DENIED
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return Reason.AWS_UNAVAILABLE if status >= _SERVER_ERRORS else Reason.AWS_REFUSED
