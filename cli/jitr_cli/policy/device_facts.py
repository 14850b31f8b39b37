"""The options that tell a command about a device: client id, Thing, certificate, where it connects from."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import existing_file
from jitr_cli.console.options import gathered
from jitr_fleet.policies.evaluation.certificate import CertificateFileError, facts_from_file
from jitr_fleet.policies.evaluation.facts import CertificateFacts, DeviceFacts, Protocol, ThingFacts
from jitr_fleet.policies.evaluation.request import CONNECT


def with_client_id(facts: DeviceFacts, action: str, resource: str | None) -> DeviceFacts:
    """Return the facts with a client id where they say none: the one that is asked for, else the Thing's name."""
    if facts.client_id is not None:
        return facts
    name = resource or ""
    kind, _, asked = (name.split(":", 5)[-1] if name.startswith("arn:") else name).partition("/")
    if action == CONNECT and kind == "client":
        return replace(facts, client_id=asked)
    return replace(facts, client_id=facts.thing.name) if facts.thing is not None else facts


def _facts(**options: Any) -> DeviceFacts:  # noqa: ANN401 - whatever click hands over
    thing = None
    if options["thing_name"] is not None:
        thing = ThingFacts(
            name=options["thing_name"],
            type_name=options["thing_type"],
            attributes=dict(_attribute(each) for each in options["attributes"]),
            attached=options["attached"],
            exclusive=options["exclusive"],
        )
    elif options["thing_type"] or options["attributes"]:
        raise CommandFailed("--thing-type and --thing-attribute say something about a Thing: give --thing-name too")
    if (address := options["source_ip"]) is not None:
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise CommandFailed(f"--source-ip: {error}") from error
    return DeviceFacts(
        client_id=options["client_id"],
        source_ip=address,
        domain_name=options["domain_name"],
        protocol=Protocol(options["protocol"]),
        thing=thing,
        certificate=_certificate(options["certificate"]),
    )


def _attribute(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise CommandFailed(f"--thing-attribute {text!r}: write NAME=VALUE")
    return name, value


def _certificate(file: Path | None) -> CertificateFacts:
    if file is None:
        return CertificateFacts()
    try:
        return facts_from_file(file)
    except CertificateFileError as error:
        raise CommandFailed(str(error)) from error


# A client id is among the facts only if one was given.
device_options = gathered(
    "facts",
    _facts,
    click.option("--client-id", metavar="ID", help="client id it connects with; the Thing's name unless given"),
    click.option("--thing-name", metavar="NAME", help="its Thing, with its certificate attached to it"),
    click.option("--thing-type", metavar="NAME", help="the Thing's type"),
    click.option(
        "--thing-attribute", "attributes", multiple=True, metavar="NAME=VALUE", help="an attribute of it; repeatable"
    ),
    click.option("--attached/--not-attached", default=True, help="whether the certificate is attached to the Thing"),
    click.option(
        "--exclusive/--not-exclusive",
        default=True,
        help="attached as EXCLUSIVE_THING, as activation does; else the client id has to be the Thing's name",
    ),
    click.option("--certificate", type=existing_file(), metavar="FILE", help="its certificate, PEM or DER"),
    click.option("--source-ip", metavar="ADDRESS", help="address it connects from"),
    click.option("--domain-name", metavar="NAME", help="domain name it connects to"),
    click.option(
        "--protocol",
        type=click.Choice([each.value for each in Protocol]),
        default=Protocol.MQTT.value,
        show_default=True,
        help="how it talks to AWS IoT",
    ),
)
