"""The parts of one CRL, as they stand in bytes of unknown origin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jitr.certificates import der
from jitr.certificates import extensions as ext
from jitr.certificates.contents import CRL, OTHER_DER, UNREADABLE_DER, of_der
from jitr.certificates.signature import SignedFrame, frame
from jitr.errors import Reason
from jitr.revocation.pem import split_crls
from jitr.revocation.refusal import DEFAULT_OPTIONS, CrlRefused, Options

_EXTENSIONS = 0xA0


@dataclass(frozen=True, kw_only=True)
class CrlFields:
    """The parts of a CRL as it stands, nothing verified; `entries` are the bounds of the list, None where absent."""

    der: bytes
    framed: SignedFrame
    version: int
    version_written: bool
    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    entries: tuple[int, int] | None
    extensions: dict[bytes, ext.Extension]


def read_crl(data: bytes, options: Options = DEFAULT_OPTIONS) -> CrlFields:
    """Read the one CRL in `data` (DER or PEM) without verifying anything but its form.

    Raises CrlRefused (`too_large`, `malformed`). Entries and the insides of extensions are not looked at.
    """
    check_size(data, options)
    crls = split_crls(data)
    if len(crls) > 1:
        raise CrlRefused(Reason.MALFORMED, f"it holds {len(crls)} CRLs where one is expected")
    return read_piece(crls[0])


def check_size(data: bytes, options: Options) -> None:
    """Raise CrlRefused (`too_large`) for more than the options allow."""
    if len(data) > options.max_size:
        raise CrlRefused(Reason.TOO_LARGE, f"it has {len(data)} bytes; {options.max_size} are allowed")


def read_piece(data: bytes) -> CrlFields:
    """Read the CRL that `data` is, in DER; raises CrlRefused (`malformed`)."""
    try:
        return _fields(data)
    except der.DerError as error:
        if (words := of_der(data)) not in (CRL, OTHER_DER, UNREADABLE_DER):
            raise CrlRefused(Reason.MALFORMED, f"it holds {words}, not a CRL") from error
        raise CrlRefused(Reason.MALFORMED, f"it is no well-formed CRL: {error}") from error


def _fields(data: bytes) -> CrlFields:
    """Read TBSCertList, RFC 5280 section 5.1."""
    framed = frame(data)
    at, end = framed.signed.body, framed.signed.end
    version, number = der.read(data, at, end), 0
    if version.tag == der.INTEGER:
        # Version 1 is what a CRL without a version is; PKI.js writes it out.
        if (number := der.integer(data, version)) not in (0, 1):
            raise der.DerError("a version other than 1 and 2")
        at = version.end
    algorithm = der.expect(data, at, end, der.SEQUENCE)
    if der.whole(data, algorithm) != framed.algorithm:
        raise der.DerError("the signed and the unsigned signature algorithm differ")
    issuer = der.expect(data, algorithm.end, end, der.SEQUENCE)
    this_update = der.read(data, issuer.end, end)
    rest = list(der.elements(data, this_update.end, end))
    next_update = rest.pop(0) if rest and rest[0].tag in (der.UTC_TIME, der.GENERALIZED_TIME) else None
    entries = rest.pop(0) if rest and rest[0].tag == der.SEQUENCE else None
    extensions = rest.pop(0) if rest and rest[0].tag == _EXTENSIONS else None
    if rest:
        raise der.DerError(f"an element that does not belong there at byte {rest[0].start}")
    return CrlFields(
        der=data,
        framed=framed,
        version=number + 1,
        version_written=version.tag == der.INTEGER,
        issuer=der.whole(data, issuer),
        this_update=der.time(data, this_update),
        next_update=der.time(data, next_update) if next_update else None,
        entries=(entries.body, entries.end) if entries else None,
        extensions=_extensions(data, extensions) if extensions else {},
    )


def _extensions(data: bytes, tagged: der.Tlv) -> dict[bytes, ext.Extension]:
    listed = der.only(data, tagged.body, tagged.end, der.SEQUENCE)
    return dict(ext.read_extensions(data, listed))
