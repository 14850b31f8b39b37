"""Entries of a CRL: no serial hides, none appears that is not there, whatever the encoding and the neighbours."""

from __future__ import annotations

import contextlib
import warnings
from datetime import UTC, datetime

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from jitr.certificates.der import DerError
from jitr.errors import Reason
from jitr.revocation import CrlRefused, RevocationStatus, VerifiedCrl, decide, verify_crl
from jitr.revocation.entries import index_entries
from jitr_local import pki
from tests.worlds import raw_der

CA = pki.CertificateAuthority.create()
AT = pki.now()
WHEN = raw_der.utc_time(AT)
UNKNOWN_CRITICAL = raw_der.extension("unknown", b"x", critical=True)
EDGE_SERIALS = [
    0,
    1,
    127,
    128,
    255,
    256,
    -1,
    -128,
    -129,
    1 << 63,
    (1 << 127) + 1,
    (1 << 159) - 1,
    1 << 159,
    -(1 << 130),
]


def verified(listed: bytes | None) -> VerifiedCrl:
    """Return a CRL with these entries."""
    return verify_crl(raw_der.crl(CA, listed), CA.certificate, at=AT)


def certificate(serial: int) -> x509.Certificate:
    """Return a certificate with any serial number; the library warns of some."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return x509.load_der_x509_certificate(raw_der.certificate(CA, serial))


@pytest.mark.parametrize("serial", EDGE_SERIALS)
def test_serial_numbers_are_compared_as_integers(serial: int) -> None:
    """Sign, leading zero octets and length all count (PKITS 4.4.14 to 4.4.18)."""
    device = certificate(serial)
    neighbours = {serial + 1, serial - 1, -serial, serial ^ 0x80, serial + (1 << 64), abs(serial) & 0xFF} - {serial}
    listing = raw_der.crl(CA, raw_der.entries([*neighbours, serial]))
    silent = raw_der.crl(CA, raw_der.entries(neighbours))
    assert decide(device, CA.certificate, [listing], at=AT).status is RevocationStatus.REVOKED
    assert decide(device, CA.certificate, [silent], at=AT).status is RevocationStatus.GOOD


@pytest.mark.parametrize("code", [*range(7), *range(8, 11)])
def test_a_listed_certificate_is_revoked_whatever_the_reason(code: int) -> None:
    """Also removeFromCRL, which means nothing in a complete CRL; only a hold is told apart."""
    names = {flag.value for flag in x509.ReasonFlags} | {"cACompromise", "aACompromise"}
    device = certificate(77)
    answer = decide(device, CA.certificate, [raw_der.crl(CA, raw_der.entry(77, raw_der.reason(code)))], at=AT)
    assert answer.status is RevocationStatus.REVOKED
    assert answer.revocation_reason in names
    assert answer.is_hold is (code in (6, 8))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (raw_der.integer(7, tag=0x0A), "unknown (7)"),
        (raw_der.integer(99, tag=0x0A), "unknown (99)"),
        (raw_der.integer(-1, tag=0x0A), "unknown (-1)"),
        (raw_der.integer(1), None),
        (b"", None),
        (b"\x0a\x01", None),
    ],
)
def test_a_reason_that_makes_no_sense_still_revokes(written: bytes, shown: str | None) -> None:
    """Unknown codes and unreadable ones."""
    listed = raw_der.entry(77, raw_der.extension("reasonCode", written))
    answer = decide(certificate(77), CA.certificate, [raw_der.crl(CA, listed)], at=AT)
    assert (answer.status, answer.revocation_reason) == (RevocationStatus.REVOKED, shown)


def test_a_revocation_date_in_the_future_still_revokes() -> None:
    """Listed is listed; the same for a date that no calendar has."""
    future = raw_der.entry(77, revoked_at=raw_der.generalized_time(datetime(2090, 1, 1, tzinfo=UTC)))
    nonsense = raw_der.entry(77, revoked_at=b"\x17\x0d261399999999Z")
    answers = [decide(certificate(77), CA.certificate, [raw_der.crl(CA, each)], at=AT) for each in (future, nonsense)]
    assert [answer.status for answer in answers] == [RevocationStatus.REVOKED] * 2
    assert [answer.revoked_at for answer in answers] == [datetime(2090, 1, 1, tzinfo=UTC), None]


def test_a_serial_listed_as_held_and_as_revoked_is_revoked() -> None:
    """In either order, the entry that cannot be lifted counts."""
    held, revoked = raw_der.entry(77, raw_der.reason(6)), raw_der.entry(77, raw_der.reason(1))
    for listed in (held + revoked, revoked + held):
        found = verified(listed).find(77)
        assert found is not None
        assert found.reason == "keyCompromise"


def test_a_serial_inside_another_entry_is_not_listed() -> None:
    """A whole entry hidden in a serial number or in an extension is not an entry."""
    decoy = raw_der.entry(77)
    in_serial = raw_der.sequence(raw_der.tlv(0x02, b"\x01" + decoy), WHEN)
    in_extension = raw_der.entry(5, raw_der.extension("unknown", raw_der.sequence(decoy, raw_der.entry(77))))
    crl = verified(in_serial + in_extension + raw_der.entry(6))
    assert crl.find(77) is None
    assert crl.find(6) is not None
    assert crl.profile.entries.count() == 3


def test_a_serial_is_found_behind_its_own_decoys() -> None:
    """The search goes on after a hit that is no entry."""
    decoys = b"".join(raw_der.entry(n, raw_der.extension("unknown", raw_der.entry(77))) for n in range(100, 110))
    found = verified(decoys + raw_der.entry(77, raw_der.reason(1))).find(77)
    assert found is not None
    assert found.reason == "keyCompromise"


def test_large_lists_of_mixed_forms_are_searched_exactly() -> None:
    """Across many checkpoints: first, last and every other serial is found, none in between."""
    reason, date = raw_der.reason(1), raw_der.extension("invalidityDate", raw_der.generalized_time(AT))
    tails = [(), (reason,), (date,), (reason, date), (date, reason), (raw_der.extension("unknown", b"x"),)]
    listed = b"".join(
        raw_der.entry(2 * n, *tails[n % len(tails)], revoked_at=raw_der.generalized_time(AT) if n % 7 == 0 else WHEN)
        for n in range(20_000)
    )
    crl = verified(listed)
    assert crl.profile.entries.count() == 20_000
    assert all(crl.find(serial) for serial in (0, 2, 9_998, 20_000, 39_996, 39_998))
    assert not any(crl.find(serial) for serial in (-2, 1, 9_999, 20_001, 39_999, 40_000))


@pytest.mark.parametrize("position", [0, 1, 5_000, 9_999])
def test_an_unknown_critical_extension_is_found_in_any_entry(position: int) -> None:
    """Among thousands that look alike."""
    entries = [raw_der.entry(n + 1, revoked_at=WHEN) for n in range(10_000)]
    entries[position] = raw_der.entry(position + 1, UNKNOWN_CRITICAL, revoked_at=WHEN)
    with pytest.raises(CrlRefused) as refused:
        verified(b"".join(entries))
    assert refused.value.reason is Reason.UNKNOWN_CRITICAL


SERIAL_5, PLAIN = raw_der.integer(5), raw_der.entry(5)
HIDING = [
    ("a serial with a needless zero", raw_der.sequence(b"\x02\x02\x00\x05", WHEN)),
    ("a negative serial with needless ones", raw_der.sequence(b"\x02\x02\xff\x85", WHEN)),
    ("a serial with a long length", raw_der.sequence(b"\x02\x81\x01\x05", WHEN)),
    ("an empty serial", raw_der.sequence(b"\x02\x00", WHEN)),
    ("a serial with a long tag", raw_der.sequence(b"\x1f\x02\x01\x05", WHEN)),
    ("a constructed serial", raw_der.sequence(b"\x22\x03\x02\x01\x05", WHEN)),
    ("an entry with a long length", b"\x30\x81\x12" + SERIAL_5 + WHEN),
    ("an entry of indefinite length", b"\x30\x80" + SERIAL_5 + WHEN + b"\x00\x00"),
    ("an entry that is a set", raw_der.tlv(0x31, SERIAL_5, WHEN)),
    ("an entry longer than the list", b"\x30\x7f" + SERIAL_5 + WHEN),
    ("an entry with something after it", raw_der.sequence(SERIAL_5, WHEN, b"\x05\x00")),
    ("an entry without a date", raw_der.sequence(SERIAL_5)),
    ("a date without seconds", raw_der.sequence(SERIAL_5, b"\x17\x0b2611200000Z")),
    ("a date with a fraction", raw_der.sequence(SERIAL_5, b"\x18\x1120261120000000.5Z")),
    ("a date that is text", raw_der.sequence(SERIAL_5, b"\x17\x0dabcdefghijklZ")),
    ("an extension twice", raw_der.entry(5, raw_der.reason(1), raw_der.reason(1))),
    ("critical written as 01", raw_der.entry(5, UNKNOWN_CRITICAL.replace(b"\x01\x01\xff", b"\x01\x01\x01"))),
    ("critical FALSE written out", raw_der.entry(5, UNKNOWN_CRITICAL.replace(b"\x01\x01\xff", b"\x01\x01\x00"))),
    ("an extension without a value", raw_der.entry(5, raw_der.sequence(b"\x06\x03\x2a\x03\x04"))),
    ("an extension with a broken name", raw_der.entry(5, raw_der.sequence(b"\x06\x03\x55\x1d\x95\x04\x00"))),
    ("an extension with a padded name", raw_der.entry(5, raw_der.sequence(b"\x06\x03\x55\x80\x15\x04\x00"))),
    ("a null where an entry should be", b"\x05\x00"),
    ("half an entry", PLAIN[:-1]),
]


@pytest.mark.parametrize("before", [b"", PLAIN * 3], ids=["first", "after others"])
@pytest.mark.parametrize(("case", "written"), HIDING, ids=[case for case, _ in HIDING])
def test_an_entry_that_is_no_der_spoils_the_crl(case: str, written: bytes, before: bytes) -> None:
    """A signature does not make an encoding right; another reading could hide the serial."""
    with pytest.raises(CrlRefused) as refused:
        verified(before + written)
    assert refused.value.reason is Reason.MALFORMED


def library_reading(listed: bytes) -> list[int] | None:
    """Return the serials that cryptography's strict parser finds, None where it refuses."""
    try:
        return [entry.serial_number for entry in x509.load_der_x509_crl(raw_der.crl(CA, listed))]
    except ValueError:
        return None


entry_bytes = st.builds(
    lambda serial, extensions: raw_der.entry(serial, *extensions, revoked_at=WHEN),
    st.integers(-(1 << 140), 1 << 140) | st.sampled_from(EDGE_SERIALS),
    st.lists(
        st.sampled_from([raw_der.reason(1), raw_der.extension("invalidityDate", raw_der.generalized_time(AT))]),
        max_size=2,
        unique=True,
    ),
)


@given(st.lists(entry_bytes, min_size=1, max_size=6), st.data())
def test_nothing_is_accepted_that_a_strict_parser_refuses(entries: list[bytes], data: st.DataObject) -> None:
    """One changed byte anywhere in the list: either we refuse, or both read exactly the same serials.

    Dates that no calendar has are the one thing that is accepted here and not there: they hide nothing.
    """
    listed = bytearray(b"".join(entries))
    position = data.draw(st.integers(0, len(listed) - 1))
    listed[position] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DerError, CrlRefused):
        ours = index_entries(bytes(listed), 0, len(listed))
        theirs = library_reading(bytes(listed))
        if theirs is None:
            theirs = library_reading(_with_dates_of_the_calendar(bytes(listed)))
        assert theirs is not None
        assert ours.count() == len(theirs)
        assert all(ours.find(serial) for serial in theirs)


def _with_dates_of_the_calendar(listed: bytes) -> bytes:
    """Return the entries with every date replaced by one that exists."""
    repaired = b""
    at = 0
    while at < len(listed):
        serial_at = at + (2 if listed[at + 1] < 0x80 else 2 + listed[at + 1] - 0x80)
        when = serial_at + 2 + listed[serial_at + 1]
        end = serial_at + int.from_bytes(listed[at + 1 : serial_at], "big") % 0x8100
        if listed[at + 1] < 0x80:
            end = serial_at + listed[at + 1]
        size = 2 + listed[when + 1]
        existing = raw_der.utc_time(AT) if listed[when] == 0x17 else raw_der.generalized_time(AT)
        repaired += listed[at:when] + existing + listed[when + size : end]
        at = end
    return repaired


@given(st.lists(st.integers(-(1 << 159), 1 << 159), max_size=30), st.integers(-(1 << 159), 1 << 159))
def test_exactly_the_listed_serials_are_found(serials: list[int], other: int) -> None:
    """For any list and any other number."""
    listed = raw_der.entries(serials)
    index = index_entries(listed, 0, len(listed))
    assert all((found := index.find(serial)) and found.serial == serial for serial in serials)
    assert (index.find(other) is not None) is (other in serials)


def test_an_empty_list_of_extensions_is_read_and_warned_of() -> None:
    """@peculiar/x509, Botan and PKI.js write one where there is no reason; a million of them are read at once."""
    bare = raw_der.sequence(raw_der.integer(300), WHEN, raw_der.sequence())
    crl = verified(bare + raw_der.entry(301) + bare.replace(b"\x01\x2c", b"\x01\x2e"))
    found = crl.find(302)
    assert found is not None
    assert (found.reason, found.is_hold) == (None, False)
    assert [serial for serial, _ in crl.profile.entries.listed()] == [b"\x01\x2c", b"\x01\x2d", b"\x01\x2e"]
    assert any("empty list of extensions" in warning for warning in crl.warnings)


@pytest.mark.parametrize("serial", [0, -1, -(1 << 100), -128])
@pytest.mark.parametrize("before", [0, 3])
def test_serials_of_zero_or_below_are_warned_of(serial: int, before: int) -> None:
    """Cfssl and jsrsasign make them of serial numbers in hex; the certificates that were meant are not listed."""
    plain = raw_der.entries(range((1 << 103) + 1, (1 << 103) + 1 + before))
    warned = verified(plain + raw_der.entries([serial, serial - 5]))
    assert any("zero or below" in warning for warning in warned.warnings)
    assert not any("zero or below" in warning for warning in verified(plain + raw_der.entries([5])).warnings)


CRITICAL_HOLD = raw_der.extension("reasonCode", raw_der.integer(6, tag=0x0A), critical=True)


@pytest.mark.parametrize(
    ("extensions", "taken_back"),
    [
        ((), False),
        ((raw_der.reason(1),), False),
        ((raw_der.reason(6),), True),
        ((CRITICAL_HOLD,), True),
        ((raw_der.extension("invalidityDate", raw_der.generalized_time(AT)), CRITICAL_HOLD), True),
        ((raw_der.reason(8),), True),
        ((raw_der.extension("reasonCode", b"\x0a\x02\x00\x06"),), True),
        ((raw_der.extension("unknown", bytes.fromhex("300a0603551d1504030a0106")),), False),
    ],
    ids=["none", "key", "hold", "critical hold", "date and hold", "removed", "unreadable", "hold inside another"],
)
def test_what_may_be_taken_back_is_decided_by_parsing(extensions: tuple[bytes, ...], taken_back: bool) -> None:
    """Ansible and Salt mark reasonCode as critical; searched for as bytes, such a hold became REVOKED for good."""
    crl = verified(raw_der.entry(77, *extensions))
    found = crl.find(77)
    assert found is not None
    assert found.is_hold is taken_back
    assert list(crl.profile.entries.listed()) == [(b"\x4d", taken_back)]
