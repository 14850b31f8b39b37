"""What a CA has revoked, as people keep it: the `index.txt` of `openssl ca`, or a list of serial numbers.

Whatever cannot be read ends the reading with the number of its line: a line that is passed over could be a certificate
that stays good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from jitr.revocation.entries import HOLD
from jitr_fleet.issuing.crls import REASON_CODES, Revocation

_FIELDS = 6  # status, expiry, revocation, serial number, file, subject
_FIRST_YEAR_OF_UTC_TIME = 50  # RFC 5280 section 4.1.2.5.1
_TIME = re.compile(rb"(?:[0-9]{2})?[0-9]{12}Z")
_UTC_TIME_LENGTH = 13
_INDEX_SERIAL = re.compile(rb"-?[0-9A-Fa-f]+")
# 20 octets, RFC 5280 section 4.1.2.2. Longer is something else: a certificate id of AWS IoT has 64 digits.
_SERIAL = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{1,40})")
_REASONS = {name.lower(): name for name in REASON_CODES}
# Pseudo reasons that `openssl ca` writes (ca(1), -crl_hold, -crl_compromise, -crl_CA_compromise).
_KEY_TIMES = {"keytime": "keyCompromise", "cakeytime": "cACompromise"}
_HOLDS = ("holdinstruction", "caholdinstruction")


# Serial numbers of one digit look the same in both notations.
_TELLING_DIGITS = 2
_LOOKS_DECIMAL = (
    "no serial number of the list has a hex letter: is it decimal, as keytool and cfssl print them? It is read as hex, "
    "and decimal numbers read as hex revoke nobody"
)


class ListMistake(ValueError):  # noqa: N818 - named for what it tells
    """A list that cannot be used as it stands; the message names the line and what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class RevocationList:
    """What is revoked, by serial number, and when those certificates expire that the list knows as not revoked."""

    revoked: dict[int, Revocation]
    expires: dict[int, datetime]
    warnings: tuple[str, ...] = ()


def read_openssl_index(data: bytes) -> RevocationList:
    """Read an `index.txt`: lines of status V, R or E, tab-separated; raises ListMistake.

    Revocations are `<time>[,<reason>[,<argument>]]` with a UTCTime or GeneralizedTime. All R lines are revoked, also
    those that have expired. Not checked: subjects and file names. openssl, apps/lib/apps.c, unpack_revinfo.
    """
    found = RevocationList(revoked={}, expires={})
    for number, line in _lines(data):
        try:
            _add_index_line(found, line)
        except ValueError as error:
            raise ListMistake(f"line {number}: {error}") from error
    return found


def read_serial_list(data: bytes) -> RevocationList:
    """Read serial numbers in hex, one a line, each with an optional reason and ISO 8601 date; raises ListMistake.

    Spaces or commas separate, `#` begins a comment. When certificates expire such a list does not say. A list that
    looks as if it were decimal is warned of: read as hex it revokes nobody, and says so to nobody.
    """
    found: dict[int, Revocation] = {}
    hex_seen, longest = False, 0
    for number, line in _lines(data):
        try:
            written = _add_listed(found, line)
        except ValueError as error:
            raise ListMistake(f"line {number}: {error}") from error
        hex_seen = hex_seen or not written.isdecimal()
        longest = max(longest, len(written))
    decimal = found and not hex_seen and longest >= _TELLING_DIGITS
    return RevocationList(revoked=found, expires={}, warnings=(_LOOKS_DECIMAL,) if decimal else ())


def parse_serial(text: str) -> int:
    """Return the serial number that hex digits stand for, with or without `0x` and colons; raises ValueError."""
    match = _SERIAL.fullmatch(text.replace(":", ""))
    if match is None:
        raise ValueError(f"{text[:80]!r} is no serial number: 1 to 40 hex digits (a certificate id is none)")
    return int(match[1], 16)


def parse_reason(text: str) -> str:
    """Return a reason as RFC 5280 spells it, whatever its case; raises ValueError."""
    if text.lower() not in _REASONS:
        raise ValueError(f"unknown reason {text[:80]!r}; there are: {', '.join(REASON_CODES)}")
    return _REASONS[text.lower()]


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        text = line.rstrip(b"\r")
        if text.strip() and not text.startswith(b"#"):
            yield number, text


def _add_index_line(found: RevocationList, line: bytes) -> None:
    status, serial, expiry, revocation = _index_line(line)
    if serial in found.revoked or serial in found.expires:
        raise ValueError(f"serial number {serial:X} is there twice")
    if status == b"R":
        found.revoked[serial] = _index_revocation(revocation)
    else:
        found.expires[serial] = _index_time(expiry)


def _index_line(line: bytes) -> tuple[bytes, int, bytes, bytes]:
    """Return status, serial number, expiry and revocation of one line."""
    fields = line.split(b"\t")
    if len(fields) < _FIELDS:
        raise ValueError(f"{len(fields)} fields between tabs; an index.txt has {_FIELDS}")
    status, expiry, revocation, serial = fields[:4]
    if status not in (b"V", b"R", b"E"):
        raise ValueError("a status other than V, R and E")
    if (status == b"R") != bool(revocation):
        raise ValueError("a revocation date belongs to status R, and to no other")
    if not _INDEX_SERIAL.fullmatch(serial):
        raise ValueError("a serial number that is not in hex")
    return status, int(serial, 16), expiry, revocation


@lru_cache(maxsize=65536)
def _index_revocation(text: bytes) -> Revocation:
    when, _, rest = text.partition(b",")
    name, _, argument = rest.decode("ascii").partition(",")
    revoked_at = _index_time(when)
    if not name:
        return Revocation(revoked_at=revoked_at)
    if name.lower() in _KEY_TIMES:
        since = _index_time(argument.encode("ascii"))
        return Revocation(revoked_at=revoked_at, reason=_KEY_TIMES[name.lower()], invalid_since=since)
    # What to do with a held certificate (RFC 2459's holdInstructionCode) is obsolete and left out.
    reason = HOLD if name.lower() in _HOLDS else parse_reason(name)
    return Revocation(revoked_at=revoked_at, reason=reason)


@lru_cache(maxsize=65536)
def _index_time(text: bytes) -> datetime:
    if not _TIME.fullmatch(text):
        raise ValueError("a time that is neither YYMMDDHHMMSSZ nor YYYYMMDDHHMMSSZ")
    digits = text[:-1].decode("ascii")
    if len(text) == _UTC_TIME_LENGTH:
        digits = ("19" if int(digits[:2]) >= _FIRST_YEAR_OF_UTC_TIME else "20") + digits
    year, rest = int(digits[:4]), [int(digits[at : at + 2]) for at in range(4, 14, 2)]
    try:
        return datetime(year, rest[0], rest[1], rest[2], rest[3], rest[4], tzinfo=UTC)
    except ValueError as error:
        raise ValueError("a date that does not exist") from error


def _add_listed(found: dict[int, Revocation], line: bytes) -> str:
    """Add what one line lists, and return its serial number as it is written; 0 for a comment."""
    words = line.decode("utf-8").partition("#")[0].replace(",", " ").split()
    if not words:
        return "0"
    serial, each = parse_serial(words[0]), _listed(tuple(words[1:]))
    if found.setdefault(serial, each) != each:
        raise ValueError(f"serial number {serial:X} is there twice, with another reason or date")
    return words[0]


@lru_cache(maxsize=65536)
def _listed(words: tuple[str, ...]) -> Revocation:
    reason, revoked_at = None, None
    for word in words:
        if word[:1].isdigit() and revoked_at is None:
            moment = datetime.fromisoformat(word)
            revoked_at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        elif reason is None:
            reason = parse_reason(word)
        else:
            raise ValueError("more than a serial number, a reason and a date")
    return Revocation(revoked_at=revoked_at, reason=reason)
