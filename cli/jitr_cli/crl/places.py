"""A CRL from wherever somebody has it: a file, the standard input, an object in S3, or an address on the web.

Whoever types an address vouches for it: unlike the functions, this looks at any host.
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from jitr.errors import Undecided
from jitr_cli.console.call import Call
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import read_file

STANDARD_INPUT = "-"


def read_crl_bytes(call: Call, place: str, *, maximum: int) -> bytes:
    """Return what is there, of anything longer the first `maximum` bytes and one more.

    Raises CommandFailed: 64 for no such file, 69 where S3 or a host does not give it.
    """
    if place == STANDARD_INPUT:
        return sys.stdin.buffer.read(maximum + 1)
    if place.startswith("s3://"):
        return _from_s3(call, place, maximum)
    if place.startswith(("https://", "http://")):
        return _from_web(place, maximum)
    if not Path(place).is_file():
        raise CommandFailed(f"there is no file {place}; a CRL may also be -, s3://bucket/key, https://… or http://…")
    return read_file(Path(place), maximum=maximum)


def _from_s3(call: Call, place: str, maximum: int) -> bytes:
    from jitr.crls.sources import S3Location  # noqa: PLC0415 - imports boto3's exceptions, which a file need not

    try:
        location = S3Location.parse(place)
    except ValueError as error:
        raise CommandFailed(str(error)) from error
    answer = call.aws.client("s3").get_object(Bucket=location.bucket, Key=location.key)
    data: bytes = answer["Body"].read(maximum + 1)
    return data


def _from_web(place: str, maximum: int) -> bytes:
    from jitr.crls.http_fetch import HttpFetcher  # noqa: PLC0415 - imports urllib3, which a file need not

    try:
        parts = urlsplit(place)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise CommandFailed(f"{place!r} is no address: {error}") from error
    names = frozenset({host, f"{host}:{port}"})
    try:
        fetched = HttpFetcher(hosts=names, allows=lambda _: True, maximum_bytes=maximum).fetch(place, etag=None)
    except Undecided as failure:
        raise CommandFailed(f"{place}: {failure.message}", ExitCode.AWS) from failure
    if fetched is None:
        raise CommandFailed(f"{place} answered that nothing has changed, although nothing was known", ExitCode.AWS)
    return fetched.data
