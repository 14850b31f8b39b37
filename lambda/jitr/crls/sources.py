"""Where CRLs come from: objects in S3 and URLs on allowed hosts, read conditionally and never larger than we parse.

A source is a text of the fleet file: `s3://bucket/key`, `http://…`, `https://…`, `cdp` (the certificate's own
distribution points) or `none`. `locations` turns it into the addresses to fetch, `fetch` fetches one of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from jitr.aws.failures import error_code
from jitr.crls.fetched import MAXIMUM_BYTES, Fetched
from jitr.crls.http_fetch import HttpFetcher
from jitr.errors import Reason, Undecided

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NONE = "none"
CDP = "cdp"
S3_SCHEME = "s3://"
HTTP_SCHEMES = ("http://", "https://")
# HTTP servers of CAs are not asked for each device; S3 is, as that costs some milliseconds and nobody else's capacity.
HTTP_REFRESH = timedelta(seconds=60)
# A certificate names one or two distribution points; more than a few are somebody's game.
_MAXIMUM_POINTS = 4
_PORTS = {"http": 80, "https": 443}
_ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "404"})
_FORBIDDEN = frozenset({"AccessDenied", "403", "AllAccessDisabled"})
_UNCHANGED = frozenset({"304", "NotModified"})
_S3_HOST = re.compile(r"(?:(?P<bucket>[a-z0-9.-]+)\.)?s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?")


class NotThereForUs(Undecided):
    """S3's 403 for an object of another bucket: missing or forbidden, and soon again asked it is the same."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.ACCESS_DENIED, message)


@dataclass(frozen=True, kw_only=True)
class S3Location:
    """One object in S3."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, source: str) -> S3Location:
        """Read `s3://bucket/key`; raises ValueError for anything else."""
        parts = urlsplit(source)
        key = source.removeprefix(f"{S3_SCHEME}{parts.netloc}/")
        if parts.scheme != "s3" or not parts.netloc or not key or key == source:
            raise ValueError(f"{source!r} is not s3://bucket/key")
        return cls(bucket=parts.netloc, key=key)

    @classmethod
    def of_url(cls, url: str) -> S3Location | None:
        """Return the object that a public S3 URL names (virtual-hosted or path style), None for any other URL."""
        try:
            parts = urlsplit(url)
        except ValueError:
            # What a certificate says may be no URL at all: http://[crl-host]/x
            return None
        match = _S3_HOST.fullmatch(parts.hostname or "")
        path = unquote(parts.path).removeprefix("/")
        if match is None or parts.query or not path:
            return None
        bucket, key = (match["bucket"], path) if match["bucket"] else tuple(path.partition("/")[::2])
        return cls(bucket=bucket, key=key) if bucket and key else None

    def __str__(self) -> str:
        """Return `s3://bucket/key`."""
        return f"{S3_SCHEME}{self.bucket}/{self.key}"


def named_locations(
    distribution_points: Sequence[str], own_bucket: str, hosts: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the addresses that a certificate names, own S3 objects by their S3 name; empty where none is http(s).

    At most four: those that can be fetched (own objects and URLs on `hosts`) come before all others, wherever they
    stand. Schemes are compared in any case and returned in lower case (RFC 3986 section 3.1).
    """
    found = dict.fromkeys(
        _location(f"{scheme.lower()}://{rest}", own_bucket)
        for scheme, separator, rest in (point.partition("://") for point in distribution_points)
        if separator and f"{scheme.lower()}://" in HTTP_SCHEMES
    )
    usable = [each for each in found if each.startswith(S3_SCHEME) or _host(each) in hosts]
    return tuple(dict.fromkeys([*usable, *found]))[:_MAXIMUM_POINTS]


def _location(url: str, own_bucket: str) -> str:
    location = S3Location.of_url(url)
    return str(location) if location is not None and location.bucket == own_bucket else url


def _host(url: str) -> str | None:
    """Return a URL's host as the allowed hosts name it: with a port where that is not the scheme's own."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts.hostname if port in (None, _PORTS[parts.scheme]) else f"{parts.hostname}:{port}"


@dataclass(frozen=True, kw_only=True)
class CrlSources:
    """Fetches CRLs; `own_bucket` must belong to `account`, not to one that took over its name."""

    s3: S3Client
    http: HttpFetcher
    own_bucket: str
    account: str

    def locations(self, source: str, distribution_points: Sequence[str]) -> tuple[str, ...]:
        """Return the addresses behind a source; for `cdp` those of the certificate, own S3 objects by their S3 name.

        Raises Undecided (`no_crl`) for `cdp` where the certificate names no distribution point that can be fetched.
        """
        if source != CDP:
            return (source,)
        found = named_locations(distribution_points, self.own_bucket, self.http.hosts)
        if not found:
            raise Undecided(Reason.NO_CRL, "the certificate names no CRL distribution point with an http(s) URL")
        return found

    def fetch(self, location: str, *, etag: str | None) -> Fetched | None:
        """Return the CRL at one address, or None when it is still the one that `etag` names.

        Raises Undecided: `no_crl` (nothing there), `too_large`, `fetch_failed` (denied, not allowed, broken off).
        """
        if location.startswith(HTTP_SCHEMES):
            return self.http.fetch(location, etag=etag)
        return self._fetch_object(S3Location.parse(location), etag)

    def _fetch_object(self, location: S3Location, etag: str | None) -> Fetched | None:
        """Read one object. Without permission to list a bucket S3 answers 403 for a missing key; both are undecided.

        In another account's bucket that stays so until somebody there acts: NotThereForUs.
        """
        request: dict[str, Any] = {"Bucket": location.bucket, "Key": location.key}
        if etag is not None:
            request["IfNoneMatch"] = etag
        if location.bucket == self.own_bucket:
            request["ExpectedBucketOwner"] = self.account
        try:
            answer = self.s3.get_object(**request)
            if answer["ContentLength"] > MAXIMUM_BYTES:
                answer["Body"].close()
                size = answer["ContentLength"]
                raise Undecided(Reason.TOO_LARGE, f"the CRL has {size} bytes; {MAXIMUM_BYTES} are allowed")
            # The cap holds whatever the header said.
            data = answer["Body"].read(MAXIMUM_BYTES + 1)
        except ClientError as error:
            if error_code(error) in _UNCHANGED:
                return None
            raise self._refusal(location, error_code(error)) from error
        except BotoCoreError as error:
            raise Undecided(Reason.FETCH_FAILED, f"reading {location} broke off: {type(error).__name__}") from error
        if len(data) > MAXIMUM_BYTES:
            raise Undecided(Reason.TOO_LARGE, f"the CRL has more than {MAXIMUM_BYTES} bytes")
        return Fetched(data=data, etag=answer["ETag"])

    def _refusal(self, location: S3Location, code: str) -> Undecided:
        """Return what S3's refusal to hand out an object means."""
        if code in _FORBIDDEN and location.bucket != self.own_bucket:
            return NotThereForUs(f"{location} is not there, or reading it is not allowed: {code}")
        if code in _FORBIDDEN:
            return Undecided(Reason.ACCESS_DENIED, f"reading {location} is not allowed: {code}")
        if code in _ABSENT:
            return Undecided(Reason.NO_CRL, f"there is no CRL at {location}")
        return Undecided(Reason.FETCH_FAILED, f"reading {location} failed: {code}")
