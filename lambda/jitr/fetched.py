"""What every way of fetching a CRL returns, and how much it may bring."""

from __future__ import annotations

from dataclasses import dataclass

MAXIMUM_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """The bytes behind a source, and the entity tag that names this content (empty where the source has none)."""

    data: bytes
    etag: str
