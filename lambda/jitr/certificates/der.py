"""Strict DER, read in place: positions into the caller's bytes, nothing copied, nothing kept.

Only what X.509 needs: definite, minimal lengths, tag numbers below 31, values inside their container (ITU-T X.690
section 10). Whatever is encoded in any other way is refused, so that no second reading of the same bytes exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
ENUMERATED = 0x0A
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
SET = 0x31

_LONG_TAG = 0x1F
_LONG_LENGTH = 0x80
_LONGEST_LENGTH = 4  # octets of a length: 4 GiB, far above what is ever read
_FIRST_YEAR_OF_UTC_TIME = 50  # RFC 5280 section 4.1.2.5.1: 50-99 are 19xx, 00-49 are 20xx
_MOST_ARCS = 20  # shown of an object identifier that anybody may have made up
_ARCS = re.compile(rb"(?:(?!\x80)[\x80-\xff]*[\x00-\x7f])+")
_NO_SECONDS = re.compile(rb"[0-9]{10}Z")
_TIMES = {UTC_TIME: re.compile(rb"[0-9]{12}Z"), GENERALIZED_TIME: re.compile(rb"[0-9]{14}Z")}


class DerError(ValueError):
    """Bytes that are not the DER that was expected; the message names the place, never the content."""


class Tlv(NamedTuple):
    """One element: its tag and where it starts, where its content starts, where it ends."""

    tag: int
    start: int
    body: int
    end: int


def read(data: bytes, at: int, limit: int) -> Tlv:
    """Return the element that starts at `at` and ends no later than `limit`; raises DerError."""
    if at + 2 > limit:
        raise DerError(f"an element is cut off at byte {at}")
    tag, length, body = data[at], data[at + 1], at + 2
    if tag & _LONG_TAG == _LONG_TAG:
        raise DerError(f"a tag in long form at byte {at}")
    if length >= _LONG_LENGTH:
        octets = length - _LONG_LENGTH
        if not 1 <= octets <= _LONGEST_LENGTH or body + octets > limit:
            raise DerError(f"an indefinite, cut off or absurd length at byte {at}")
        length = int.from_bytes(data[body : body + octets], "big")
        if length < _LONG_LENGTH or length >> (8 * (octets - 1)) == 0:
            raise DerError(f"a length that is longer than it needs to be at byte {at}")
        body += octets
    if body + length > limit:
        raise DerError(f"an element at byte {at} is longer than what holds it")
    return Tlv(tag, at, body, body + length)


def expect(data: bytes, at: int, limit: int, tag: int) -> Tlv:
    """Return the element at `at`, which must have this tag; raises DerError."""
    found = read(data, at, limit)
    if found.tag != tag:
        raise DerError(f"tag {found.tag:#04x} instead of {tag:#04x} at byte {at}")
    return found


def only(data: bytes, at: int, limit: int, tag: int) -> Tlv:
    """Return the element of this tag that fills `at` to `limit` exactly; raises DerError."""
    found = expect(data, at, limit, tag)
    if found.end != limit:
        raise DerError(f"bytes after the element at byte {at}")
    return found


def elements(data: bytes, at: int, limit: int) -> Iterator[Tlv]:
    """Yield the elements that fill `at` to `limit`; raises DerError."""
    while at < limit:
        found = read(data, at, limit)
        yield found
        at = found.end


def two(data: bytes, outer: Tlv) -> tuple[Tlv, Tlv]:
    """Return the two elements that fill another one; raises DerError."""
    found = list(elements(data, outer.body, outer.end))
    if len(found) != 2:  # noqa: PLR2004 - two are asked for
        raise DerError(f"{len(found)} elements instead of two at byte {outer.start}")
    return found[0], found[1]


def whole(data: bytes, element: Tlv) -> bytes:
    """Return an element's bytes, tag and length included."""
    return data[element.start : element.end]


def content(data: bytes, element: Tlv) -> bytes:
    """Return an element's content."""
    return data[element.body : element.end]


def integer(data: bytes, element: Tlv) -> int:
    """Return an INTEGER's or ENUMERATED's value, which may be negative; raises DerError unless encoded minimally."""
    octets = content(data, element)
    if not octets or (len(octets) > 1 and (octets[0], octets[1] >> 7) in ((0x00, 0), (0xFF, 1))):
        raise DerError(f"an integer that is empty or longer than it needs to be at byte {element.start}")
    return int.from_bytes(octets, "big", signed=True)


def encoded(tag: int, body: bytes) -> bytes:
    """Return the element of a tag and a content."""
    size, length = len(body), bytes((len(body) & 0x7F,))
    if size >= _LONG_LENGTH:
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes((_LONG_LENGTH | len(octets),)) + octets
    return bytes((tag,)) + length + body


def encoded_integer(value: int) -> bytes:
    """Return the INTEGER element of a value of any size."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return encoded(INTEGER, value.to_bytes(size, "big", signed=True))


def object_identifier(data: bytes, element: Tlv) -> bytes:
    """Return an OBJECT IDENTIFIER's content; raises DerError unless each of its arcs is complete and minimal."""
    octets = content(data, element)
    if not _ARCS.fullmatch(octets):
        raise DerError(f"an object identifier that is empty, cut off or longer than it needs to be at {element.start}")
    return octets


def dotted(identifier: bytes) -> str:
    """Return the content of an OBJECT IDENTIFIER as people write it, cut where it is absurdly long."""
    arcs, value = [], 0
    for octet in identifier:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    if arcs:
        first = min(arcs[0] // 40, 2)
        arcs[:1] = [first, arcs[0] - 40 * first]
    return ".".join(map(str, arcs[:_MOST_ARCS])) + ("…" if len(arcs) > _MOST_ARCS else "")


def boolean(data: bytes, element: Tlv) -> bool:
    """Return a BOOLEAN's value; raises DerError unless it is exactly 00 or FF."""
    octets = content(data, element)
    if octets not in (b"\x00", b"\xff"):
        raise DerError(f"a boolean that is neither 00 nor FF at byte {element.start}")
    return octets == b"\xff"


def named_bits(data: bytes, element: Tlv) -> tuple[int, ...]:
    """Return the numbers of the bits that a BIT STRING sets; `element` may be tagged implicitly. Raises DerError."""
    octets = content(data, element)
    if not octets or octets[0] > 7 or (octets[0] and len(octets) == 1):  # noqa: PLR2004 - bits of an octet
        raise DerError(f"a bit string without its count of unused bits at byte {element.start}")
    return tuple(8 * index + bit for index, octet in enumerate(octets[1:]) for bit in range(8) if octet & (0x80 >> bit))


def bit_string_octets(data: bytes, element: Tlv) -> bytes:
    """Return a BIT STRING's octets; raises DerError unless all of their bits are used."""
    if element.body == element.end or data[element.body] != 0:
        raise DerError(f"a bit string that does not end with an octet at byte {element.start}")
    return data[element.body + 1 : element.end]


def has_time_form(data: bytes, element: Tlv) -> bool:
    """Return whether an element is a UTCTime or GeneralizedTime with seconds, `Z` and no fraction."""
    form = _TIMES.get(element.tag)
    return form is not None and form.fullmatch(data, element.body, element.end) is not None


def lacks_seconds(data: bytes, element: Tlv) -> bool:
    """Return whether an element is a UTCTime without seconds, which RFC 5280 rules out and some makers write."""
    return element.tag == UTC_TIME and _NO_SECONDS.fullmatch(data, element.body, element.end) is not None


def time(data: bytes, element: Tlv, *, seconds_needed: bool = True) -> datetime:
    """Return a UTCTime or GeneralizedTime, in UTC; raises DerError unless it has seconds, `Z` and no fraction.

    Without `seconds_needed` a UTCTime without seconds is accepted, and means the full minute. RFC 5280 section 4.1.2.5.
    Not checked: that dates before 2050 are UTCTime, as some issuers write them otherwise.
    """
    short = not seconds_needed and lacks_seconds(data, element)
    if not short and not has_time_form(data, element):
        raise DerError(f"no time in the profile's form at byte {element.start}")
    text = content(data, element)[:-1].decode("ascii") + ("00" if short else "")
    if element.tag == UTC_TIME:
        text = ("19" if int(text[:2]) >= _FIRST_YEAR_OF_UTC_TIME else "20") + text
    numbers = (int(text[:4]), *(int(text[at : at + 2]) for at in range(4, 14, 2)))
    try:
        return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type, misc]
    except ValueError as error:
        raise DerError(f"a date that does not exist at byte {element.start}") from error
