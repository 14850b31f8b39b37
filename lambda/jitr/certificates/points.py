"""Where a certificate says that its CRL is: the URIs of its distribution points (RFC 5280 section 4.2.1.13)."""

from __future__ import annotations

from collections.abc import Iterator

from jitr.certificates import extensions as ext
from jitr.certificates.certificate import AnyCertificate, Certificate
from jitr.certificates.der import SEQUENCE, DerError, Tlv, content, elements, only, read

_POINT, _FULL_NAME, _URI = 0xA0, 0xA0, 0x86


def distribution_points(certificate: AnyCertificate) -> tuple[str, ...]:
    """Return the URIs of the certificate's CRL distribution points; one that cannot be read does not hide the others.

    Empty where the extension is not there or cannot be read at all; `unreadable_point` tells these apart. Not checked:
    that anybody may fetch from there.
    """
    return _looked_at(certificate)[0]


def unreadable_point(certificate: AnyCertificate) -> str | None:
    """Return why a distribution point of the certificate cannot be read; None where all can be, or there is none."""
    error = _looked_at(certificate)[1]
    return None if error is None else str(error)


def _looked_at(certificate: AnyCertificate) -> tuple[tuple[str, ...], DerError | None]:
    """Return the URIs that can be read, and what was wrong first."""
    found: list[str] = []
    wrong: list[DerError] = []
    try:
        extension = Certificate.of(certificate).extension(ext.CRL_DISTRIBUTION_POINTS)
        if extension is not None:
            value = extension.value
            outer = only(value, 0, len(value), SEQUENCE)
            for point in elements(value, outer.body, outer.end):
                try:
                    found += _uris(value, point)
                except DerError as error:
                    wrong.append(error)
    except DerError as error:
        wrong.append(error)
    return tuple(found), DerError(f"a distribution point: {wrong[0]}") if wrong else None


def _uris(value: bytes, point: Tlv) -> Iterator[str]:
    if point.tag != SEQUENCE:
        raise DerError(f"of another kind at byte {point.start}")
    for each in elements(value, point.body, point.end):
        if each.tag != _POINT:
            continue
        choice = read(value, each.body, each.end)
        if choice.tag != _FULL_NAME:
            continue
        for name in elements(value, choice.body, choice.end):
            if name.tag == _URI:
                try:
                    yield content(value, name).decode("ascii")
                except UnicodeDecodeError as error:
                    raise DerError(f"a URI that is no ASCII at byte {name.start}") from error
