"""Files as people hand them to commands: certificates and CRLs in PEM or DER, and times as ISO 8601 text."""

from __future__ import annotations

import os
import tempfile
import warnings
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography import x509

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


def parse_certificate(data: bytes) -> x509.Certificate:
    """Return the certificate in DER, or the first one in PEM; raises ValueError.

    Serial numbers that are zero or negative are accepted: the question is whether they are listed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if data[:1] == b"\x30":
                return x509.load_der_x509_certificate(data)
            return x509.load_pem_x509_certificates(data)[0]
        except Exception as error:
            # Parsers of hostile bytes raise more kinds than they document.
            raise ValueError("no readable certificate") from error


def zulu(moment: datetime | None) -> str | None:
    """Return a time in ISO 8601 with `Z`, or None."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def load_issuer(path: Path) -> x509.Certificate:
    """Return the CA certificate of a file in PEM or DER; raises CommandFailed."""
    try:
        return parse_certificate(read_file(path, maximum=MAXIMUM_CERTIFICATE_BYTES))
    except ValueError as error:
        raise CommandFailed(f"{path} holds no readable certificate") from error


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
