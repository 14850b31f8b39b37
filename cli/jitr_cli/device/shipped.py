"""How `jitr device allow import` is told in which form a factory delivers, and what it says about what it finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from jitr.certificates import Certificate
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import parse_certificate, read_file
from jitr_cli.console.output import printable, say
from jitr_fleet.issuing.manifests import ManifestMistake, Shipped, read_csv, read_microchip, read_pem
from jitr_fleet.issuing.revocation_lists import ListMistake, read_serial_list

# A million serial numbers of 20 octets with room for comments; a manifest's entry takes two kilobytes and more.
_MAXIMUM_BYTES = 64 * 1024 * 1024
_LARGEST_MANIFEST = 512 * 1024 * 1024


class Form(StrEnum):
    """In which form serial numbers come."""

    SERIALS = "serials"
    PEM = "pem"
    CSV = "csv"
    MICROCHIP = "microchip"


@dataclass(frozen=True, kw_only=True)
class Shipment:
    """What a person says about a factory's file: `column` and `decimal` of a CSV, `signer` of a manifest."""

    form: Form = Form.SERIALS
    column: str | None = None
    decimal: bool = False
    signer: Path | None = None

    def read(self, path: Path) -> Shipped:
        """Read a file (or a folder of PEM) and say what looks wrong in it; raises CommandFailed naming the place."""
        self._verify_options()
        try:
            found = self._shipped(path)
        except (ManifestMistake, ListMistake) as mistake:
            raise CommandFailed(f"{path}: {mistake}") from mistake
        if not found.serials:
            raise CommandFailed(f"{path} names no serial number")
        if found.looks_decimal:
            say(f"warning: column {self.column} has no digit above 9. Read as hex; if it is decimal: --decimal")
        if found.shared_name is not None:
            say(
                f'warning: several certificates have the common name "{printable(found.shared_name)}": with '
                'thing_name = "cn" only the first gets in; say thing_name = "serial" for this CA'
            )
        return found

    def _verify_options(self) -> None:
        if (self.column is not None) != (self.form is Form.CSV):
            raise CommandFailed("--column names the column of --format csv, which needs it")
        if self.decimal and self.form is not Form.CSV:
            raise CommandFailed("--decimal is for --format csv")
        if (self.signer is not None) != (self.form is Form.MICROCHIP):
            raise CommandFailed("--signer is the certificate that --format microchip is verified with, which needs it")

    def _shipped(self, path: Path) -> Shipped:
        if path.is_dir() and self.form is not Form.PEM:
            raise CommandFailed(f"{path} is a folder; --format pem reads one")
        match self.form:
            case Form.PEM:
                return read_pem(_pem_files(path))
            case Form.CSV:
                return read_csv(_whole(path, _MAXIMUM_BYTES), self.column or "", decimal=self.decimal)
            case Form.MICROCHIP:
                return read_microchip(_whole(path, _LARGEST_MANIFEST), _signer(self.signer or path))
        return Shipped(serials=tuple(sorted(read_serial_list(_whole(path, _MAXIMUM_BYTES)).revoked)))


def _pem_files(path: Path) -> Iterator[tuple[str, bytes]]:
    files = [path]
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix in (".pem", ".crt", ".cer"))
    for file in files:
        yield file.name, _whole(file, _MAXIMUM_BYTES)


def _whole(path: Path, maximum: int) -> bytes:
    content = read_file(path, maximum=maximum)
    if len(content) > maximum:
        raise CommandFailed(f"{path} has more than {maximum} bytes")
    return content


def _signer(path: Path) -> Certificate:
    try:
        return parse_certificate(_whole(path, _MAXIMUM_BYTES))
    except ValueError as error:
        raise CommandFailed(f"{path}: no certificate in it: {error}") from error
