"""The entries of a CRL: checked once from first to last byte, then looked up in place.

A million entries must not become a million objects. Most entries of a CRL look alike: the same lengths, the same
extensions, only serial and date differ. The first entry of a kind is read element by element; its form then becomes
part of a regular expression that matches whole entries of exactly that form, length for length, and runs over the
following ones at memory speed. What it does not match is read element by element again. So every byte is accounted
for by the same rules, and the positions that are remembered on the way are proven boundaries between entries.

A look-up then searches the bytes of the serial number's DER INTEGER. As DER has one encoding for each value and every
entry was checked to be DER, bytes that are absent mean a serial that is absent; a hit counts only where an entry
begins.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from jitr.errors import Reason
from jitr.revocation import der
from jitr.revocation import extensions as ext
from jitr.revocation.refusal import CrlRefused

REASON_NAMES = {
    0: "unspecified",
    1: "keyCompromise",
    2: "cACompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
    6: "certificateHold",
    8: "removeFromCRL",
    9: "privilegeWithdrawn",
    10: "aACompromise",
}
HOLD = REASON_NAMES[6]
# A reasonCode extension that says certificateHold, in the one encoding that the check of the entries lets through.
_HOLD = bytes.fromhex("0603551d1504030a0106")

# Entry extensions that change nothing about whether a listed certificate is listed.
_HARMLESS = frozenset({ext.REASON_CODE, ext.INVALIDITY_DATE})
_FORMS = 48  # forms that are learned of one CRL; entries of further forms are read one by one
_RUN = 4096  # entries matched at once
_CHECKPOINT = 64 * 1024  # bytes between remembered boundaries, at least
_SHORT = 0x80  # lengths below this take one octet

# Repetitions of a fixed count are possessive ({n}+): nothing to go back to, a fifth faster.
_REASON_FORM = rb"\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01."
_INVALIDITY_FORM = rb"\x30\x18\x06\x03\x55\x1d\x18\x04\x11\x18\x0f[0-9]{14}+Z"
_FORM_OF_EXTENSION = {
    ext.REASON_CODE: (re.compile(rb"(?s:\x0a\x01.)"), _REASON_FORM),
    ext.INVALIDITY_DATE: (re.compile(rb"\x18\x0f[0-9]{14}Z"), _INVALIDITY_FORM),
}
_FORM_OF_TIME = {der.UTC_TIME: rb"\x17\x0d[0-9]{12}+Z", der.GENERALIZED_TIME: rb"\x18\x0f[0-9]{14}+Z"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One listed certificate; `reason` is RFC 5280's name, `unknown (n)`, or None where none is given or readable."""

    serial: int
    reason: str | None
    revoked_at: datetime | None

    @property
    def is_hold(self) -> bool:
        """Whether the certificate is on hold only."""
        return self.reason == HOLD


@dataclass(frozen=True, kw_only=True)
class EntryIndex:
    """The checked entries between `start` and `end` of `data`, with some of the boundaries between them."""

    data: bytes
    start: int = 0
    end: int = 0
    _boundaries: list[int] = field(default_factory=list, repr=False)

    def find(self, serial: int) -> Entry | None:
        """Return the entry of a serial number, or None; of several, one that is more than a hold.

        Costs one search of the bytes. The serial is compared as the integer it is, sign included.
        """
        needle = der.encoded_integer(serial)
        found: Entry | None = None
        at = self.data.find(needle, self.start, self.end)
        while at >= 0:
            if (boundary := self._boundary_before(at)) is not None:
                entry = _entry(self.data, boundary, self.end)
                if not entry.is_hold:
                    return entry
                found = found or entry
            at = self.data.find(needle, at + 1, self.end)
        return found

    def listed(self) -> Iterator[tuple[bytes, bool]]:
        """Yield every entry's serial number, as the content of its DER INTEGER, and whether it is on hold only."""
        data, at = self.data, self.start
        while at < self.end:
            outer = der.read(data, at, self.end)
            serial = der.read(data, outer.body, outer.end)
            yield data[serial.body : serial.end], data.find(_HOLD, serial.end, outer.end) >= 0
            at = outer.end

    def count(self) -> int:
        """Return the number of entries; walks over all of them."""
        at, counted = self.start, 0
        while at < self.end:
            at = self._next(at)
            counted += 1
        return counted

    def _next(self, at: int) -> int:
        length = self.data[at + 1]
        return at + 2 + length if length < _SHORT else der.read(self.data, at, self.end).end

    def _boundary_before(self, serial_at: int) -> int | None:
        """Return where the entry begins whose serial number is at `serial_at`, or None if none has it there."""
        at = self._boundaries[bisect_right(self._boundaries, serial_at) - 1]
        while (following := self._next(at)) <= serial_at:
            at = following
        return at if der.read(self.data, at, self.end).body == serial_at else None


def index_entries(data: bytes, start: int, end: int, *, with_extensions: bool) -> EntryIndex:
    """Check every entry between two positions and return them ready for look-ups.

    Raises DerError for anything that is no DER entry, and CrlRefused for an entry extension that is critical and
    unknown (`unknown_critical`) or names another certificate issuer (`indirect`), RFC 5280 section 5.3. Entries with
    extensions are malformed unless `with_extensions` (version 2). Not checked: that dates exist in the calendar.
    """
    boundaries, forms, at = [start], dict[bytes, None](), start
    while at < end:
        run = _pattern(tuple(forms)).match(data, at, end) if forms else None
        if run:
            at = run.end()
        else:
            at, form = _checked(data, at, end, with_extensions=with_extensions)
            if form is not None and len(forms) < _FORMS:
                forms[form] = None
        if at - boundaries[-1] >= _CHECKPOINT:
            boundaries.append(at)
    return EntryIndex(data=data, start=start, end=end, _boundaries=boundaries)


@lru_cache(maxsize=64)
def _pattern(forms: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Return what matches a run of entries, each of one of these forms; every form has one fixed length."""
    return re.compile(b"(?s:%s){1,%d}" % (b"|".join(forms), _RUN))


def _checked(data: bytes, at: int, limit: int, *, with_extensions: bool) -> tuple[int, bytes | None]:
    """Check one entry element by element; return where it ends and its form, None for a form not worth learning."""
    outer = der.expect(data, at, limit, der.SEQUENCE)
    serial = der.expect(data, outer.body, outer.end, der.INTEGER)
    der.integer(data, serial)
    when = der.read(data, serial.end, outer.end)
    if not der.has_time_form(data, when):
        raise der.DerError(f"no time in the profile's form at byte {when.start}")
    extensions: dict[bytes, ext.Extension] = {}
    if when.end != outer.end:
        if not with_extensions:
            raise der.DerError(f"an entry with extensions in a version 1 CRL at byte {at}")
        extensions = dict(ext.read_extensions(data, der.only(data, when.end, outer.end, der.SEQUENCE)))
        _check_extensions(extensions)
    return outer.end, _form(data, outer, serial, when, extensions)


def _check_extensions(extensions: dict[bytes, ext.Extension]) -> None:
    if ext.CERTIFICATE_ISSUER in extensions:
        raise CrlRefused(Reason.INDIRECT, "it has an entry for a certificate of another issuer")
    if any(extension.critical and name not in _HARMLESS for name, extension in extensions.items()):
        raise CrlRefused(Reason.UNKNOWN_CRITICAL, "it has an entry with an unknown critical extension")


def _form(
    data: bytes, outer: der.Tlv, serial: der.Tlv, when: der.Tlv, extensions: dict[bytes, ext.Extension]
) -> bytes | None:
    """Return the expression for entries that differ from this one in serial, date and reason code only."""
    if outer.end - outer.body >= _SHORT:
        return None
    size, first = serial.end - serial.body, data[serial.body]
    if size == 1:
        number = b"."
    elif first == 0:
        number = rb"\x00[\x80-\xff].{%d}+" % (size - 2)
    elif first == 0xFF:  # noqa: PLR2004 - negative: rare enough to be read one by one
        return None
    else:
        number = rb"[^\x00\xff].{%d}+" % (size - 1)
    tail = b""
    for name, extension in extensions.items():
        inner, form = _FORM_OF_EXTENSION.get(name, (None, b""))
        if extension.critical or inner is None or not inner.fullmatch(extension.value):
            return None
        tail += form
    head = re.escape(data[outer.start : outer.body] + data[serial.start : serial.body])
    listed = re.escape(data[when.end : der.read(data, when.end, outer.end).body]) if extensions else b""
    return head + number + _FORM_OF_TIME[when.tag] + listed + tail


def _entry(data: bytes, at: int, limit: int) -> Entry:
    """Read one entry that was checked before."""
    outer = der.read(data, at, limit)
    serial = der.read(data, outer.body, outer.end)
    when = der.read(data, serial.end, outer.end)
    try:
        revoked_at = der.time(data, when)
    except der.DerError:
        revoked_at = None
    reason = None
    if when.end != outer.end:
        extensions = ext.read_extensions(data, der.read(data, when.end, outer.end))
        reason = _reason(extensions[ext.REASON_CODE].value) if ext.REASON_CODE in extensions else None
    return Entry(serial=der.integer(data, serial), reason=reason, revoked_at=revoked_at)


def _reason(value: bytes) -> str | None:
    """Return the name of a reason code; whatever it is, the entry stays listed."""
    try:
        code = der.integer(value, der.only(value, 0, len(value), der.ENUMERATED))
    except der.DerError:
        return None
    return REASON_NAMES.get(code, f"unknown ({code})")
