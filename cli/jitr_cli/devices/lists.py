"""Lists of devices in CSV files: names to make certificates for, certificate ids to act on. All mistakes at once."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jitr.messages.event import is_certificate_id
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import openssl_serial, read_file
from jitr_fleet.issuing.devices import verify_common_name, verify_serial
from jitr_fleet.issuing.revocation_lists import parse_serial
from jitr_fleet.issuing.signers import NotIssued

_MAXIMUM_BYTES = 64 * 1024 * 1024
_SHOWN = 10
NAME, SERIAL, CERTIFICATE_ID = "cn", "serial", "certificate_id"


@dataclass(frozen=True, kw_only=True)
class NewDevice:
    """A device to make a certificate for; `serial` None leaves the choice to the CA."""

    common_name: str
    serial: int | None = None


def read_new_devices(path: Path) -> list[NewDevice]:
    """Read devices from a CSV with the column `cn` and, if need be, `serial` (hex); others are ignored.

    Raises CommandFailed with every line that is wrong: an unusable name, a name or serial number that is there twice.
    """
    mistakes: list[str] = []
    names: dict[str, int] = {}
    serials: dict[int, int] = {}
    wanted: list[NewDevice] = []
    for line, row in _rows(path, NAME):
        try:
            each = NewDevice(common_name=row[NAME].strip(), serial=_serial(row.get(SERIAL)))
            verify_common_name(each.common_name)
        except (NotIssued, ValueError) as error:
            mistakes.append(f"line {line}: {error}")
            continue
        # Folders are named after devices, and not every file system tells upper from lower case.
        if (first := names.setdefault(each.common_name.lower(), line)) != line:
            mistakes.append(f"line {line}: {each.common_name} is in line {first} already")
        if each.serial is not None and (first := serials.setdefault(each.serial, line)) != line:
            mistakes.append(f"line {line}: serial number {openssl_serial(each.serial)} is in line {first} already")
        wanted.append(each)
    _raise(path, mistakes)
    if not wanted:
        raise CommandFailed(f"{path} names no device")
    return wanted


def read_certificate_ids(path: Path) -> dict[str, int]:
    """Read certificate ids, and the first line of each, from a CSV with that column or from one id a line.

    Raises CommandFailed with every line that holds no id.
    """
    text = _text(path)
    first = text.lstrip().split("\n", 1)[0].split(",")[0].strip().lower()
    if is_certificate_id(first):
        rows: Iterator[tuple[int, str]] = (
            (n, line.split(",")[0]) for n, line in enumerate(text.splitlines(), 1) if line.strip()
        )
    else:
        rows = ((line, row[CERTIFICATE_ID]) for line, row in _rows(path, CERTIFICATE_ID))
    found: dict[str, int] = {}
    mistakes = []
    for line, value in rows:
        certificate_id = value.strip().lower()
        if is_certificate_id(certificate_id):
            found.setdefault(certificate_id, line)
        else:
            mistakes.append(f"line {line}: no certificate id (64 hex digits)")
    _raise(path, mistakes)
    if not found:
        raise CommandFailed(f"{path} names no certificate")
    return found


def _rows(path: Path, required: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells of each row, by the header's names in lower case."""
    reader = csv.reader(io.StringIO(_text(path)), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        if required not in header:
            raise CommandFailed(f"{path}: the first line has to name the columns, with {required!r} among them")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, dict(zip(header, [*cells, *[""] * len(header)], strict=False))
    except csv.Error as error:
        raise CommandFailed(f"{path}, line {reader.line_num}: no CSV: {error}") from error


def _text(path: Path) -> str:
    data = read_file(path, maximum=_MAXIMUM_BYTES)
    if len(data) > _MAXIMUM_BYTES:
        raise CommandFailed(f"{path} has more than {_MAXIMUM_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{path} is not UTF-8 (byte {error.start})") from error


def _serial(text: str | None) -> int | None:
    if text is None or not text.strip():
        return None
    serial = parse_serial(text.strip())
    verify_serial(serial)
    return serial


def _raise(path: Path, mistakes: list[str]) -> None:
    if mistakes:
        more = [f"and {len(mistakes) - _SHOWN} more"] if len(mistakes) > _SHOWN else []
        raise CommandFailed("\n  ".join([f"{path} is not right; nothing was done", *mistakes[:_SHOWN], *more]))
