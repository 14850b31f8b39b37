"""Finding the CRLs in a file: DER, every PEM block of CRLs, or base64 without armour; none of them lost."""

from __future__ import annotations

import binascii
from collections.abc import Iterator

from jitr.certificates.contents import CRL, OTHER_DER, UNREADABLE_DER, base64_without_armour, held, of_der
from jitr.errors import Reason
from jitr.revocation.refusal import CrlRefused

# RFC 7468 section 7 asks for the first; NSS and @peculiar/x509 write the second.
_LABELS = (b"X509 CRL", b"CRL")
_UNREADABLE = b"-"  # stands for a block that is cut off or no base64; no DER begins with it
_OTHER_LABEL = "its PEM says BEGIN CRL where RFC 7468 wants BEGIN X509 CRL"
_NO_ARMOUR = "it is base64 without the lines that make it PEM"


def split_crls(data: bytes) -> tuple[bytes, ...]:
    """Return the CRLs of a file as DER: the file itself if it is DER, else every PEM block of CRLs, or bare base64.

    For a block that is cut off or no base64 something is returned that is no CRL, so that its verification says so.
    Raises CrlRefused (`malformed`), which says what the file holds, where there is none of these.
    """
    return written_crls(data)[0]


def written_crls(data: bytes) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """Return the CRLs of a file as `split_crls` does, and what is unusual about how they are written."""
    if data[:1] == b"\x30":
        if (words := of_der(data)) not in (CRL, UNREADABLE_DER, OTHER_DER):
            raise CrlRefused(Reason.MALFORMED, f"it holds {words}, not a CRL")
        return (data,), ()
    found = {label: tuple(_pem_blocks(data, label)) for label in _LABELS}
    blocks = tuple(block for each in found.values() for block in each)
    if blocks:
        return blocks, (_OTHER_LABEL,) if found[_LABELS[1]] else ()
    if (bare := base64_without_armour(data)) is not None:
        return (bare,), (_NO_ARMOUR,)
    raise CrlRefused(Reason.MALFORMED, f"it holds {held(data)}, not a CRL" if data else "it is empty")


def _pem_blocks(data: bytes, label: bytes) -> Iterator[bytes]:
    first, last = b"-----BEGIN %s-----" % label, b"-----END %s-----" % label
    begin = data.find(first)
    while begin >= 0:
        following = data.find(first, begin + 1)
        body = begin + len(first)
        end = data.find(last, body, following if following >= 0 else len(data))
        try:
            yield binascii.a2b_base64(memoryview(data)[body:end]) if end >= 0 else _UNREADABLE
        except binascii.Error:
            yield _UNREADABLE
        begin = following
