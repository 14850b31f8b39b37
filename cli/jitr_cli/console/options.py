"""Options and their types that several groups of commands share."""

from __future__ import annotations

import re

import click

from jitr_fleet.issuing.revocation_lists import parse_serial


class SerialNumber(click.ParamType[int]):
    """A serial number in hex, as openssl prints it: colons and `0x` are accepted."""

    name = "hex"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or end the command as a usage error."""
        if isinstance(value, int):
            return value
        try:
            return parse_serial(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class CaCertificateId(click.ParamType[str]):
    """A CA certificate id: 64 hex digits, lower case or not."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id in lower case, as AWS IoT writes it."""
        if not re.fullmatch(r"[0-9a-fA-F]{64}", value):
            self.fail("a CA certificate id has 64 hex digits; `aws iot list-ca-certificates` shows them", param, ctx)
        return value.lower()


ca_option = click.option("--ca-certificate-id", required=True, type=CaCertificateId(), help="64 hex digits")
