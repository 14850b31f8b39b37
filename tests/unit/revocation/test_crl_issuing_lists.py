"""Reading what a CA has revoked: openssl's index and lists of serials, no line of which is passed over."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jitr_fleet.issuing.crls import Revocation
from jitr_fleet.issuing.revocation_lists import (
    ListMistake,
    parse_serial,
    read_openssl_index,
    read_serial_list,
)

EXPIRY = "270101000000Z"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def line(status: str = "R", revocation: str = "260102030405Z", serial: str = "1A", expiry: str = EXPIRY) -> bytes:
    """Return one line of an index."""
    return f"{status}\t{expiry}\t{revocation}\t{serial}\tunknown\t/O=Example/CN=d\n".encode()


@pytest.mark.parametrize(
    ("revocation", "expected"),
    [
        ("260102030405Z", Revocation(revoked_at=WHEN)),
        ("20260102030405Z", Revocation(revoked_at=WHEN)),
        ("260102030405Z,keyCompromise", Revocation(revoked_at=WHEN, reason="keyCompromise")),
        ("260102030405Z,CACompromise", Revocation(revoked_at=WHEN, reason="cACompromise")),
        ("260102030405Z,SUPERSEDED", Revocation(revoked_at=WHEN, reason="superseded")),
        ("260102030405Z,unspecified", Revocation(revoked_at=WHEN, reason="unspecified")),
        ("260102030405Z,certificateHold", Revocation(revoked_at=WHEN, reason="certificateHold")),
        ("260102030405Z,holdInstruction,1.2.840.10040.2.2", Revocation(revoked_at=WHEN, reason="certificateHold")),
        ("260102030405Z,CAholdInstruction", Revocation(revoked_at=WHEN, reason="certificateHold")),
        (
            "20260102030405Z,keyTime,20251231000000Z",
            Revocation(revoked_at=WHEN, reason="keyCompromise", invalid_since=datetime(2025, 12, 31, tzinfo=UTC)),
        ),
        (
            "260102030405Z,CAkeyTime,20251231000000Z",
            Revocation(revoked_at=WHEN, reason="cACompromise", invalid_since=datetime(2025, 12, 31, tzinfo=UTC)),
        ),
        ("500101000000Z", Revocation(revoked_at=datetime(1950, 1, 1, tzinfo=UTC))),
        ("491231235959Z", Revocation(revoked_at=datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC))),
    ],
)
def test_a_revoked_line_says_when_and_why(revocation: str, expected: Revocation) -> None:
    """In every form that `openssl ca` writes."""
    assert read_openssl_index(line(revocation=revocation)).revoked == {0x1A: expected}


def test_valid_and_expired_lines_say_when_the_certificate_ends() -> None:
    """Nothing else is known of them; revoked ones stay revoked after they have expired."""
    data = line("V", "", "01") + line("E", "", "02", "200101000000Z") + line("R", serial="03", expiry="200101000000Z")
    found = read_openssl_index(data)
    assert found.expires == {1: datetime(2027, 1, 1, tzinfo=UTC), 2: datetime(2020, 1, 1, tzinfo=UTC)}
    assert list(found.revoked) == [3]


def test_subjects_may_hold_anything() -> None:
    """Tabs, bytes of no encoding, what other alphabets take for line ends."""
    subject = b"/CN=a\\\tb\x85\xff\x0b\xe2\x80\xa8\r\n"
    found = read_openssl_index(b"# kept by hand\n\n" + line(serial="05").replace(b"/O=Example/CN=d\n", subject))
    assert list(found.revoked) == [5]


@pytest.mark.parametrize(
    "bad",
    [
        line("X"),
        line("S"),
        line("r"),
        line("R", ""),
        line("V", "260102030405Z"),
        line("E", "260102030405Z"),
        line(serial=""),
        line(serial="0x1A"),
        line(serial="1G"),
        line(revocation="260230000000Z"),
        line(revocation="2601020304Z"),
        line(revocation="260102030405+0100"),
        line(revocation="260102030405Z,because"),
        line(revocation="260102030405Z,removeFromCRL"),
        line(revocation="260102030405Z,keyTime"),
        line(revocation="260102030405Z,\xff"),
        line("V", "", expiry="soon"),
        b"R\t270101000000Z\t260102030405Z\t1A\n",
        b"1A\n",
        line(serial="02"),
        b"\x00\x01\x02",
    ],
)
def test_a_line_that_cannot_be_read_ends_the_reading(bad: bytes) -> None:
    """With its number; also a serial number that is there twice."""
    with pytest.raises(ListMistake, match=r"^line 2: "):
        read_openssl_index(line(serial="02") + bad)


def test_a_list_of_serials_takes_reasons_and_dates_in_any_order() -> None:
    """Spaces, commas, colons, `0x`, comments, and ends of line of any system."""
    data = (
        b"\xef\xbb\xbf# revoked in March\r\n"
        b"1a\n"
        b"0x1B  keycompromise\n"
        b"1c:0d, superseded, 2026-01-02T03:04:05Z  # by hand\n"
        b"1d 2026-01-02T04:04:05+01:00 certificateHold\n"
        b"1e 2026-01-02\n"
        b"1a\n"
    )
    assert read_serial_list(data).revoked == {
        0x1A: Revocation(),
        0x1B: Revocation(reason="keyCompromise"),
        0x1C0D: Revocation(reason="superseded", revoked_at=WHEN),
        0x1D: Revocation(reason="certificateHold", revoked_at=WHEN),
        0x1E: Revocation(revoked_at=datetime(2026, 1, 2, tzinfo=UTC)),
    }
    assert read_serial_list(data).expires == {}


@pytest.mark.parametrize(
    "bad",
    [
        b"xyz",
        b"-1",
        b"1a because",
        b"1a removeFromCRL",
        b"1a keyCompromise superseded",
        b"1a 2026-13-01",
        b"1a 2026-01-02 2026-01-03",
        b"1 2",
        b"\xff",
        b"a" * 41,
        b"0x",
        b"02 keyCompromise",
    ],
)
def test_a_serial_that_cannot_be_read_ends_the_reading(bad: bytes) -> None:
    """With the number of its line; also the same serial with another reason."""
    with pytest.raises(ListMistake, match=r"^line 2: "):
        read_serial_list(b"02\n" + bad + b"\n")


@pytest.mark.parametrize("text", ["", "0x", "g", "1 2", "a" * 64, "+1", "1_0", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_what_is_no_serial_number_is_refused(text: str) -> None:
    """A certificate id of AWS IoT above all: it has 64 hex digits, too."""
    with pytest.raises(ValueError, match="no serial number"):
        parse_serial(text)
