"""Options, and kinds of values, that several groups of commands share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import click

from jitr_cli.console.files import existing_file
from jitr_fleet.issuing.revocation_lists import parse_reason, parse_serial


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


class RevocationReason(click.ParamType[str]):
    """A reason as RFC 5280 names it, in any case."""

    name = "reason"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the reason as RFC 5280 spells it, or end the command as a usage error."""
        try:
            return parse_reason(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


ca_option = click.option("--ca-certificate-id", required=True, type=CaCertificateId(), help="64 hex digits")


def gathered(into: str, make: Callable[..., object], *options: Callable[..., Any]) -> Callable[..., Any]:
    """Return a decorator that adds options to a command, and hands it as `into` what `make` makes of their values."""

    def probe() -> None:
        """Show which parameters the options make."""

    for option in options:
        option(probe)
    names = [parameter.name for parameter in probe.__click_params__]  # type: ignore[attr-defined]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def with_values(*others: object, **given: object) -> object:
            own = {name: given.pop(name) for name in names}
            return function(*others, **{into: make(**own)}, **given)

        for option in reversed(options):
            option(with_values)
        return with_values

    return decorate


passphrase_file_option = click.option(
    "--passphrase-file",
    type=existing_file(),
    metavar="FILE",
    help="holds the passphrase of the CA's key (also /dev/fd/N); without it an encrypted key's is asked for",
)
rate_option = click.option(
    "--rate",
    type=click.FloatRange(0.1, 100),
    help="AWS IoT calls a second; without it the deployment's share for bulk work",
)
