"""Whether a CA's CRL source can work in its deployment: HTTP from allowed hosts only, S3 not from our own copies."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from jitr.crls.fetched import COPIES_PREFIX
from jitr_fleet.files.tables import did_you_mean

_OWN_PORTS = {"http": 80, "https": 443}


class CrlSourceError(ValueError):
    """A CRL source that no function would read: what was `found`, and what is `allowed`."""

    def __init__(self, found: str, allowed: str) -> None:
        super().__init__(f"{found}; {allowed}")
        self.found = found
        self.allowed = allowed


def verify_crl_source(source: str, *, hosts: Sequence[str], crl_bucket: str) -> None:
    """Raise CrlSourceError if a well-formed source leads where the functions do not go.

    `hosts` are the deployment's crl_hosts, `crl_bucket` the name of its bucket. Not checked: that something is there,
    and where the certificates' own distribution points lead (`cdp`).
    """
    if source.startswith(("http://", "https://")):
        host = fetched_host(source)
        if host not in hosts:
            raise CrlSourceError(f'host "{host}" is not among crl_hosts', did_you_mean(host, hosts))
    if source.startswith(f"s3://{crl_bucket}/{COPIES_PREFIX}"):
        raise CrlSourceError(f'found "{source}"', f"keys below {COPIES_PREFIX} are the enforcement function's own")


def fetched_host(url: str) -> str:
    """Return the host of an HTTP URL as crl_hosts spells it: with the port where that is not the scheme's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return host if parts.port in (None, _OWN_PORTS[parts.scheme]) else f"{host}:{parts.port}"
