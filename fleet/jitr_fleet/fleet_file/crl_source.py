"""Whether a CA's CRL source can work in its deployment: HTTP from allowed hosts only, S3 not from our own copies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from jitr.crls.fetched import COPIES_PREFIX
from jitr_fleet.deployments.names import DEPLOYMENT_NAME
from jitr_fleet.files.tables import did_you_mean
from jitr_fleet.fleet_file.ca_keys import OWN_KEY

# Account and Region in the name that `crl_bucket_name` makes; account first, then all that is left.
_BUCKET = re.compile(rf"jitr-(?:{DEPLOYMENT_NAME})-crl-([0-9]{{12}})-([a-z0-9-]+)")
_OWN_PORTS = {"http": 80, "https": 443}


class CrlSourceError(ValueError):
    """A CRL source that no function would read: what was `found`, and what is `allowed`."""

    def __init__(self, found: str, allowed: str) -> None:
        super().__init__(f"{found}; {allowed}")
        self.found = found
        self.allowed = allowed


def whole_source(source: str, *, crl_bucket: str) -> str:
    """Return a source as the functions take it: a key alone is one of the deployment's own bucket."""
    return f"s3://{crl_bucket}/{source}" if re.fullmatch(OWN_KEY, source) else source


def verify_crl_source(source: str, *, hosts: Sequence[str], crl_bucket: str) -> None:
    """Raise CrlSourceError if a well-formed source leads where the functions do not go.

    `hosts` are the deployment's crl_hosts, `crl_bucket` the name of its bucket. Not checked: that something is there,
    and where the certificates' own distribution points lead (`cdp`).
    """
    if source.startswith(("http://", "https://")):
        host = fetched_host(source)
        if host not in hosts:
            raise CrlSourceError(f'host "{host}" is not among crl_hosts', did_you_mean(host, hosts))
    if source.startswith("s3://"):
        _verify_bucket(source, crl_bucket)
    if source.startswith(f"s3://{crl_bucket}/{COPIES_PREFIX}"):
        raise CrlSourceError(f'found "{source}"', f"keys below {COPIES_PREFIX} are the enforcement function's own")


def _verify_bucket(source: str, own: str) -> None:
    """Raise CrlSourceError for another account's or Region's bucket of ours, which the functions may not read.

    A deployment beside this one, in the same account and Region, may share its CRLs.
    """
    bucket, _, key = source.removeprefix("s3://").partition("/")
    place, own_place = _BUCKET.fullmatch(bucket), _BUCKET.fullmatch(own)
    if place is not None and own_place is not None and place.groups() != own_place.groups():
        account, region = place.groups()
        raise CrlSourceError(
            f'found "{source}", a bucket of jitr in account {account} and Region {region}',
            f'"{key}" alone stands for this deployment\'s own bucket, {own}',
        )


def fetched_host(url: str) -> str:
    """Return the host of an HTTP URL as crl_hosts spells it: with the port where that is not the scheme's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return host if parts.port in (None, _OWN_PORTS[parts.scheme]) else f"{host}:{parts.port}"
