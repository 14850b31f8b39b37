"""Finding the CRLs in a file: DER as it is, or every PEM block of CRLs, none of them lost."""

from __future__ import annotations

import binascii
from collections.abc import Iterator

from jitr.errors import Reason
from jitr.revocation.refusal import CrlRefused

_PEM_BEGIN = b"-----BEGIN X509 CRL-----"
_PEM_END = b"-----END X509 CRL-----"
_UNREADABLE = b"-"  # stands for a block that is cut off or no base64; no DER begins with it


def split_crls(data: bytes) -> tuple[bytes, ...]:
    """Return the CRLs of a file as DER: the file itself if it is DER, else every PEM block of CRLs in it.

    For a block that is cut off or no base64 something is returned that is no CRL, so that whoever verifies it says so.
    Raises CrlRefused (`malformed`) where there is neither DER nor such a block.
    """
    if data[:1] == b"\x30":
        return (data,)
    blocks = tuple(_pem_blocks(data))
    if not blocks:
        raise CrlRefused(Reason.MALFORMED, "it is empty" if not data else "it is neither a DER nor a PEM CRL")
    return blocks


def _pem_blocks(data: bytes) -> Iterator[bytes]:
    begin = data.find(_PEM_BEGIN)
    while begin >= 0:
        following = data.find(_PEM_BEGIN, begin + 1)
        body = begin + len(_PEM_BEGIN)
        end = data.find(_PEM_END, body, following if following >= 0 else len(data))
        try:
            yield binascii.a2b_base64(memoryview(data)[body:end]) if end >= 0 else _UNREADABLE
        except binascii.Error:
            yield _UNREADABLE
        begin = following
