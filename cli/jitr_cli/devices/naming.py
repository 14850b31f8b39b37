"""Which certificate a command is about: a file that holds it, its id or the beginning of that, or the device's name.

Only the file and the whole id say it by themselves; all else is asked of AWS, and may be nothing or not one device.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import click

from jitr.certificates import Certificate, Unreadable
from jitr.messages.event import is_certificate_id
from jitr_cli.console.call import Call, Reference
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import MAXIMUM_CERTIFICATE_BYTES, parse_device, read_file, unreadable_certificate

# What AWS IoT takes for a Thing's name (API reference, CreateThing); common names and serial numbers fit into it too.
_CALLED = re.compile(r"[A-Za-z0-9:_-][A-Za-z0-9:_. -]{0,127}")
DEVICE_HELP = "its file or id, the beginning of the id, its Thing, common name or serial number"


@dataclass(frozen=True, kw_only=True)
class Named:
    """The certificate that a command is about: by its id alone, or by a file that holds it.

    `line` is the line of a list that names it.
    """

    certificate_id: str
    certificate: Certificate | Unreadable | None
    line: int | None = None


@dataclass(frozen=True)
class DeviceReference(Reference):
    """A device as people call it, until AWS was asked."""

    text: str

    def resolve(self, call: Call) -> Named:
        """Return the one certificate that is meant; raises CommandFailed where that is none, or several."""
        from jitr_cli.devices.search import find  # noqa: PLC0415 - imports botocore, which a file or id need not

        return Named(certificate_id=find(call, self.text), certificate=None)


class CertificateName(click.ParamType[Named | DeviceReference]):
    """A certificate file (PEM or DER, also with its chain), a certificate id, or what else a device is known by."""

    name = "certificate"

    def convert(
        self, value: str | Named | DeviceReference, param: click.Parameter | None, ctx: click.Context | None
    ) -> Named | DeviceReference:
        """Return which certificate is meant, or end the command as a usage error."""
        if not isinstance(value, str):
            return value
        if is_certificate_id(value.lower()):
            return Named(certificate_id=value.lower(), certificate=None)
        path = Path(value)
        if not path.is_file():
            # What looks like a path and is none is a slip, and nobody's Thing.
            if "/" in value or not _CALLED.fullmatch(value):
                self.fail(f"{value!r} is no file, and nothing that a device can be called: {DEVICE_HELP}", param, ctx)
            return DeviceReference(value)
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


certificate_argument = click.argument("certificate", type=CertificateName(), metavar="DEVICE")
