"""Where a certificate says that its CRL is: the URIs of its distribution points (RFC 5280 section 4.2.1.13)."""

from __future__ import annotations

from collections.abc import Iterator

from jitr.certificates import extensions as ext
from jitr.certificates.certificate import AnyCertificate, Certificate
from jitr.certificates.der import SEQUENCE, DerError, Tlv, content, elements, only, read

_POINT, _FULL_NAME, _URI = 0xA0, 0xA0, 0x86


def distribution_points(certificate: AnyCertificate) -> tuple[str, ...]:
    """Return the URIs of the certificate's CRL distribution points; one that cannot be read does not hide the others.

    Empty where the extension is not there or cannot be read at all. Not checked: that anybody may fetch from there.
    """
    try:
        extension = Certificate.of(certificate).extensions.get(ext.CRL_DISTRIBUTION_POINTS)
        if extension is None:
            return ()
        value = extension.value
        outer = only(value, 0, len(value), SEQUENCE)
        points = list(elements(value, outer.body, outer.end))
    except DerError:
        return ()
    return tuple(uri for point in points for uri in _uris(value, point))


def _uris(value: bytes, point: Tlv) -> Iterator[str]:
    try:
        named = [each for each in elements(value, point.body, point.end) if each.tag == _POINT]
        choices = [read(value, each.body, each.end) for each in named]
        names = [name for each in choices if each.tag == _FULL_NAME for name in elements(value, each.body, each.end)]
        yield from [content(value, name).decode("ascii") for name in names if name.tag == _URI]
    except (DerError, UnicodeDecodeError):
        return
