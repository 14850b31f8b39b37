"""Files as people hand them to commands: certificates and CRLs in PEM or DER, and times as ISO 8601 text."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography import x509

from jitr.certificates import Certificate, Unreadable, certificate_blocks, ends_of_chain, read_certificate
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.signals import terminable

MAXIMUM_CERTIFICATE_BYTES = 1024 * 1024


# X.509 begins in 1950 (RFC 5280 4.1.2.5.1); the end leaves room for adding lifetimes.
_YEARS = (1950, 9000)


class IsoTime(click.ParamType[datetime]):
    """A date or time in ISO 8601; without an offset it is UTC."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the aware datetime that `value` stands for, or end the command as a usage error."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no ISO 8601 time, such as 2026-01-31T12:00:00Z", param, ctx)
        if not _YEARS[0] <= moment.year <= _YEARS[1]:
            self.fail(f"{value!r} is outside the years {_YEARS[0]} to {_YEARS[1]}", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def existing_file() -> click.Path:
    """Return the type of an option that names a file to read."""
    return click.Path(exists=True, dir_okay=False, path_type=Path)


def read_file(path: Path, *, maximum: int) -> bytes:
    """Return a file's bytes, of a larger one the first `maximum` and one more; raises CommandFailed if unreadable."""
    try:
        with path.open("rb") as file:
            return file.read(maximum + 1)
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}") from error


def parse_certificates(data: bytes) -> list[Certificate]:
    """Return the certificates of a file in DER or PEM, at least one; raises ValueError, which says what is wrong."""
    found = []
    for der in certificate_blocks(data):
        certificate = read_certificate(der)
        if isinstance(certificate, Unreadable):
            raise ValueError(certificate.why)  # noqa: TRY004 - what is wrong is the content
        found.append(certificate)
    return found


def unreadable_certificate(data: bytes) -> Unreadable | None:
    """Return the one certificate of a file that cannot be read as a whole; None for any other file.

    Its SHA-256 is its id in AWS IoT, if the file holds what the device has.
    """
    try:
        blocks = certificate_blocks(data)
    except ValueError:
        return None
    found = read_certificate(blocks[0])
    return found if len(blocks) == 1 and isinstance(found, Unreadable) else None


def parse_certificate(data: bytes) -> Certificate:
    """Return the certificate in DER, or the first one in PEM; raises ValueError, which says what is wrong.

    Serial numbers that are zero or negative are accepted: the question is whether they are listed.
    """
    return parse_certificates(data)[0]


def parse_device(data: bytes) -> Certificate:
    """Return a device's certificate from a file that may hold its chain, in any order; raises ValueError.

    It is the one that issued none of the others.
    """
    found = parse_certificates(data)
    devices = ends_of_chain(found)
    if len(devices) != 1:
        raise ValueError(f"it holds {len(found)} certificates, {len(devices)} of which issued none of the others")
    return devices[0]


def zulu(moment: datetime | None) -> str | None:
    """Return a time in ISO 8601 with `Z`, or None."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def expiry_words(certificate: Certificate, *, at: datetime) -> str | None:
    """Return, in words, that a certificate has expired; None where it has not, or its dates cannot be read."""
    try:
        end = certificate.not_valid_after_utc
    except ValueError:
        return None
    return f"the certificate expired at {zulu(end)}, {(at - end).days:,} days ago" if end < at else None


def openssl_serial(serial: int) -> str:
    """Return a serial number as `openssl x509 -serial` prints it: upper-case hex in whole bytes."""
    digits = f"{abs(serial):X}"
    return ("-" if serial < 0 else "") + digits.zfill(len(digits) + len(digits) % 2)


def load_issuer(path: Path) -> Certificate:
    """Return the CA certificate of a file in PEM or DER; raises CommandFailed."""
    try:
        return parse_certificate(read_file(path, maximum=MAXIMUM_CERTIFICATE_BYTES))
    except ValueError as error:
        raise CommandFailed(f"{path} holds no readable certificate: {error}") from error


def load_issuer_to_sign(path: Path) -> x509.Certificate:
    """Return the CA certificate of a file for the library that makes certificates; raises CommandFailed."""
    try:
        return load_issuer(path).for_library()
    except ValueError as error:
        raise CommandFailed(f"{path}: {error}") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all; what was there stays until then. Raises CommandFailed."""
    target = path.resolve()
    with terminable():
        try:
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        except OSError as error:
            raise CommandFailed(f"{path} cannot be written: {error.strerror}") from error
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)  # CRLs are public; the temporary file was not
            Path(name).replace(target)
        except OSError as error:
            raise CommandFailed(f"{path} cannot be written: {error.strerror}") from error
        finally:
            Path(name).unlink(missing_ok=True)
