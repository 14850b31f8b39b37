"""What every way of fetching a CRL returns, how much it may bring, and from where it never comes."""

from __future__ import annotations

from dataclasses import dataclass

MAXIMUM_BYTES = 64 * 1024 * 1024
# Where the CRL bucket keeps our own copies of enforced CRLs, from which no CRL is fetched.
COPIES_PREFIX = "enforced/"


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """The bytes behind a source, and the entity tag that names this content (empty where the source has none)."""

    data: bytes
    etag: str
