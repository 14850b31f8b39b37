"""Which certificate a command is about: a file that holds it, or its id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from jitr.certificates import Certificate, Unreadable
from jitr.messages.event import is_certificate_id
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import MAXIMUM_CERTIFICATE_BYTES, parse_device, read_file, unreadable_certificate


@dataclass(frozen=True, kw_only=True)
class Named:
    """The certificate that a command is about: by its id alone, or by a file that holds it.

    `line` is the line of a list that names it.
    """

    certificate_id: str
    certificate: Certificate | Unreadable | None
    line: int | None = None


class CertificateName(click.ParamType[Named]):
    """A certificate file (PEM or DER, also with its chain) or a certificate id (64 hex digits)."""

    name = "certificate"

    def convert(self, value: str | Named, param: click.Parameter | None, ctx: click.Context | None) -> Named:
        """Return which certificate is meant, or end the command as a usage error."""
        if isinstance(value, Named):
            return value
        if is_certificate_id(value.lower()):
            return Named(certificate_id=value.lower(), certificate=None)
        path = Path(value)
        if not path.is_file():
            self.fail(f"{value!r} is neither a file nor a certificate id (64 hex digits)", param, ctx)
        data = b""
        try:
            data = read_file(path, maximum=MAXIMUM_CERTIFICATE_BYTES)
            certificate = parse_device(data)
        except (ValueError, CommandFailed) as error:
            unreadable = unreadable_certificate(data)
            if unreadable is None:
                self.fail(f"{value} holds no readable certificate: {error}", param, ctx)
            # AWS IoT may know it all the same: by the hash of what it holds.
            return Named(certificate_id=unreadable.sha256, certificate=unreadable)
        return Named(certificate_id=certificate.fingerprint, certificate=certificate)


certificate_argument = click.argument("certificate", type=CertificateName(), metavar="CERTIFICATE")
