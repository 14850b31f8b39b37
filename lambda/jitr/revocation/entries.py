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

from jitr.certificates import der
from jitr.certificates import extensions as ext
from jitr.errors import Reason
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
# What removeFromCRL says in a complete CRL, and what an unreadable reason says, nobody knows: neither is final.
_TAKEN_BACK = frozenset({HOLD, REASON_NAMES[8]})

# Entry extensions that change nothing about whether a listed certificate is listed.
_HARMLESS = frozenset({ext.REASON_CODE, ext.INVALIDITY_DATE})
_NOT_POSITIVE = (
    "it lists serial numbers of zero or below, which certificates rarely have; some CA software makes them of serial "
    "numbers in hex"
)
_NO_EXTENSIONS = "it has entries with an empty list of extensions, which RFC 5280 wants left out"
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
    """One listed certificate; `reason` is RFC 5280's name, `unknown (n)`, or None where none is given or readable.

    `unreadable` says that there is a reason code that cannot be read.
    """

    serial: int
    reason: str | None
    revoked_at: datetime | None
    unreadable: bool = False

    @property
    def is_hold(self) -> bool:
        """Whether the listing may be taken back, so that nothing final follows from it.

        That is certificateHold, removeFromCRL (which has no meaning in a complete CRL) and a reason that is there and
        cannot be read.
        """
        return self.unreadable or self.reason in _TAKEN_BACK


@dataclass(frozen=True, kw_only=True)
class EntryIndex:
    """The checked entries between `start` and `end` of `data`, with some of the boundaries between them.

    `warnings` say what is unusual about entries, a sentence for each kind.
    """

    data: bytes
    start: int = 0
    end: int = 0
    warnings: tuple[str, ...] = ()
    _boundaries: list[int] = field(default_factory=list, repr=False)

    def find(self, serial: int) -> Entry | None:
        """Return the entry of a serial number, or None; of several, one that is final.

        Costs one search of the bytes. The serial is compared as the integer it is, sign included.
        """
        needle = der.encoded_integer(serial)
        found: Entry | None = None
        at = self.data.find(needle, self.start, self.end)
        while at >= 0:
            if (boundary := self._boundary_before(at)) is not None:
                entry = read_entry(self.data, boundary, self.end)
                if not entry.is_hold:
                    return entry
                found = found or entry
            at = self.data.find(needle, at + 1, self.end)
        return found

    def listed(self) -> Iterator[tuple[bytes, bool]]:
        """Yield every entry's serial number, as the content of its DER INTEGER, and whether it `is_hold` (Entry)."""
        data, at = self.data, self.start
        while at < self.end:
            outer = der.read(data, at, self.end)
            serial = der.read(data, outer.body, outer.end)
            # The date has a length of one octet; what follows it is the same for most entries.
            tail = data[serial.end + 2 + data[serial.end + 1] : outer.end]
            yield data[serial.body : serial.end], bool(tail) and _reason_of(tail)[1]
            at = outer.end

    def entries(self) -> Iterator[Entry]:
        """Yield every entry whole, in the order of the CRL."""
        at = self.start
        while at < self.end:
            yield read_entry(self.data, at, self.end)
            at = self._next(at)

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


def index_entries(data: bytes, start: int, end: int) -> EntryIndex:
    """Check every entry between two positions and return them ready for look-ups.

    Raises DerError for anything that is no DER entry, and CrlRefused for an entry extension that is critical and
    unknown (`unknown_critical`) or names another certificate issuer (`indirect`), RFC 5280 section 5.3. An empty list
    of extensions is accepted and warned of, and so are serial numbers of zero and below. Not checked: that dates exist
    in the calendar.
    """
    boundaries, forms, odd, at = [start], dict[bytes, None](), dict[str, None](), start
    while at < end:
        run = _pattern(tuple(forms)).match(data, at, end) if forms else None
        if run:
            at = run.end()
        else:
            at, form = _checked(data, at, end, odd)
            if form is not None and len(forms) < _FORMS:
                forms[form] = None
        if at - boundaries[-1] >= _CHECKPOINT:
            boundaries.append(at)
    return EntryIndex(data=data, start=start, end=end, warnings=tuple(odd), _boundaries=boundaries)


@lru_cache(maxsize=64)
def _pattern(forms: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Return what matches a run of entries, each of one of these forms; every form has one fixed length."""
    return re.compile(b"(?s:%s){1,%d}" % (b"|".join(forms), _RUN))


def _checked(data: bytes, at: int, limit: int, odd: dict[str, None]) -> tuple[int, bytes | None]:
    """Check one entry element by element, and note what is odd about its kind.

    Returns where it ends and its form, None for a form not worth learning.
    """
    outer = der.expect(data, at, limit, der.SEQUENCE)
    serial = der.expect(data, outer.body, outer.end, der.INTEGER)
    if der.integer(data, serial) <= 0:
        odd[_NOT_POSITIVE] = None
    when = der.read(data, serial.end, outer.end)
    if not der.has_time_form(data, when):
        raise der.DerError(f"no time in the profile's form at byte {when.start}")
    extensions: dict[bytes, ext.Extension] = {}
    if when.end != outer.end:
        listed = der.only(data, when.end, outer.end, der.SEQUENCE)
        if listed.body == listed.end:
            odd[_NO_EXTENSIONS] = None
        else:
            extensions = dict(ext.read_extensions(data, listed))
            _check_extensions(extensions)
    return outer.end, _form(data, outer, serial, when, extensions)


def _check_extensions(extensions: dict[bytes, ext.Extension]) -> None:
    if ext.CERTIFICATE_ISSUER in extensions:
        raise CrlRefused(Reason.INDIRECT, "it has an entry for a certificate of another issuer")
    if unknown := ext.critical_beside(extensions, _HARMLESS):
        raise CrlRefused(Reason.UNKNOWN_CRITICAL, f"it has an entry with an unknown critical extension ({unknown})")


def _form(
    data: bytes, outer: der.Tlv, serial: der.Tlv, when: der.Tlv, extensions: dict[bytes, ext.Extension]
) -> bytes | None:
    """Return the expression for entries that differ from this one in serial, date and reason code only."""
    if outer.end - outer.body >= _SHORT:
        return None
    size, first = serial.end - serial.body, data[serial.body]
    if size == 1 and first == 0:
        number = b"\x00"
    elif size == 1:
        # Negative ones are a form of their own: its first entry has to be seen, to be warned of.
        number = rb"[\x80-\xff]" if first & 0x80 else rb"[\x01-\x7f]"
    elif first == 0:
        number = rb"\x00[\x80-\xff].{%d}+" % (size - 2)
    elif first == 0xFF:  # noqa: PLR2004 - negative with a first octet that says nothing: read one by one
        return None
    else:
        number = (rb"[\x80-\xfe].{%d}+" if first & 0x80 else rb"[\x01-\x7f].{%d}+") % (size - 1)
    tail = b""
    for name, extension in extensions.items():
        inner, form = _FORM_OF_EXTENSION.get(name, (None, b""))
        if extension.critical or inner is None or not inner.fullmatch(extension.value):
            return None
        tail += form
    head = re.escape(data[outer.start : outer.body] + data[serial.start : serial.body])
    listed = re.escape(data[when.end : der.read(data, when.end, outer.end).body]) if when.end != outer.end else b""
    return head + number + _FORM_OF_TIME[when.tag] + listed + tail


def read_entry(data: bytes, at: int, limit: int) -> Entry:
    """Read one entry that was checked before."""
    outer = der.read(data, at, limit)
    serial = der.read(data, outer.body, outer.end)
    when = der.read(data, serial.end, outer.end)
    try:
        revoked_at = der.time(data, when)
    except der.DerError:
        revoked_at = None
    reason, unreadable = _read_reason(data[when.end : outer.end])
    return Entry(serial=der.integer(data, serial), reason=reason, revoked_at=revoked_at, unreadable=unreadable)


@lru_cache(maxsize=4096)
def _reason_of(tail: bytes) -> tuple[str | None, bool]:
    """Return the reason in what follows an entry's date, and whether such an entry `is_hold`."""
    reason, unreadable = _read_reason(tail)
    return reason, unreadable or reason in _TAKEN_BACK


def _read_reason(tail: bytes) -> tuple[str | None, bool]:
    """Return the name of the reason code in what follows an entry's date, and whether there is one but unreadable."""
    if not tail:
        return None, False
    listed = der.only(tail, 0, len(tail), der.SEQUENCE)
    if listed.body == listed.end:
        return None, False
    written = ext.read_extensions(tail, listed).get(ext.REASON_CODE)
    if written is None:
        return None, False
    try:
        code = der.integer(written.value, der.only(written.value, 0, len(written.value), der.ENUMERATED))
    except der.DerError:
        return None, True
    return REASON_NAMES.get(code, f"unknown ({code})"), False
