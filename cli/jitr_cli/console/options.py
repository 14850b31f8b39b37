"""Options, and kinds of values, that several groups of commands share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from jitr.certificates import fingerprint
from jitr.messages.event import is_certificate_id
from jitr_cli.console.call import Call, Reference
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import MAXIMUM_CERTIFICATE_BYTES, existing_file, parse_certificate, read_file
from jitr_cli.console.output import say
from jitr_fleet.issuing.revocation_lists import parse_reason, parse_serial

# As the fleet file has them, and as `jitr ca list` shows adopted CAs.
_CA_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# Fewer digits than these are more likely a slip than a CA.
_BEGINNING = re.compile(r"[0-9a-f]{4,63}")


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


class CaCertificateId(click.ParamType[Any]):
    """A CA: its id in AWS IoT, openssl's fingerprint, a file with its certificate, the id's beginning, or its name."""

    name = "ca"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str | CaReference:
        """Return the id in lower case, as AWS IoT writes it, or a reference where only AWS can tell it."""
        id_ = re.sub(r"^.*fingerprint=|:", "", value.strip(), flags=re.IGNORECASE)
        if is_certificate_id(id_.lower()):
            return id_.lower()
        if (file := Path(value)).is_file():
            try:
                return fingerprint(parse_certificate(read_file(file, maximum=MAXIMUM_CERTIFICATE_BYTES)))
            except ValueError:
                self.fail(f"{value} holds no readable certificate", param, ctx)
        if not _CA_NAME.fullmatch(value):
            self.fail(
                f"{value!r} is neither a CA certificate id, nor the beginning or name of one, nor a file", param, ctx
            )
        return CaReference(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Complete names and ids of the CAs in the fleet file here; AWS is not asked while somebody types."""
        from jitr_cli.console.fleet import cas_here  # noqa: PLC0415 - only who completes pays for it

        found = cas_here()
        names = [CompletionItem(name, help=identifier or "") for name, identifier in found]
        ids = [CompletionItem(identifier, help=name) for name, identifier in found if identifier]
        # Ids only for who has begun to type one: a list of both would be twice as long.
        return [each for each in (*names, *(ids if incomplete else ())) if each.value.startswith(incomplete)]


@dataclass(frozen=True)
class CaReference(Reference):
    """A CA by its name in a deployment's fleet file, or by the first digits of its id."""

    text: str

    def resolve(self, call: Call) -> str:
        """Return the CA's id; asks AWS IoT for its CAs, and the deployments here for what their fleet files name."""
        unknown: list[str] = []
        found = sorted({*self._begin(call), *self._named(call, unknown)})
        if len(found) == 1:
            say(f"CA {self.text} is {found[0]}")
            return found[0]
        if found:
            raise CommandFailed(f"{self.text!r} may be any of these CAs: {', '.join(found)}")
        asked = f"; unknown is what these deployments name: {', '.join(unknown)}" if unknown else ""
        raise CommandFailed(
            f"no CA here is called {self.text!r} in a fleet file, and no registered one's id begins like that; "
            f"`jitr ca list` shows both{asked}"
        )

    def _begin(self, call: Call) -> Iterator[str]:
        start = self.text.lower().removeprefix("adopted-")
        if _BEGINNING.fullmatch(start):
            for page in call.aws.client("iot").get_paginator("list_ca_certificates").paginate():
                yield from (
                    each["certificateId"] for each in page["certificates"] if each["certificateId"].startswith(start)
                )

    def _named(self, call: Call, unknown: list[str]) -> Iterator[str]:
        """Yield the ids that deployments have under this name; those that cannot be read are noted, and no answer."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only where AWS is asked

        from jitr_cli.console.deployed_configuration import deployed_configuration  # noqa: PLC0415 - rarely needed

        for stack in [call.stack] if call.deployment is not None else call.aws.deployments():
            try:
                cas = deployed_configuration(call.aws, stack).cas
            except (CommandFailed, ClientError, BotoCoreError):
                unknown.append(stack.deployment)
                continue
            yield from (each.ca_certificate_id for each in cas if each.name == self.text)


class RevocationReason(click.ParamType[str]):
    """A reason as RFC 5280 names it, in any case."""

    name = "reason"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the reason as RFC 5280 spells it, or end the command as a usage error."""
        try:
            return parse_reason(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


CA_HELP = "its id, the beginning of it, openssl's fingerprint, its file, or its name in the fleet file"
ca_option = click.option("--ca-certificate-id", required=True, type=CaCertificateId(), help=f"the CA: {CA_HELP}")


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
    help="holds the passphrase of the CA's key (also /dev/fd/N); without it an encrypted key's is asked for",
)
rate_option = click.option(
    "--rate",
    type=click.FloatRange(0.1, 100),
    help="AWS IoT calls a second; without it the deployment's share for bulk work",
)
