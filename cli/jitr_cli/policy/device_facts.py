"""The options that tell a command about a device: client id, Thing, certificate, where it connects from."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import existing_file
from jitr_cli.console.options import gathered
from jitr_fleet.policies.evaluation.certificate import CertificateFileError, facts_from_file
from jitr_fleet.policies.evaluation.facts import CertificateFacts, DeviceFacts, ThingFacts
from jitr_fleet.policies.evaluation.request import CONNECT
from jitr_fleet.policies.language.actions import Protocol
from jitr_fleet.policies.language.keys import CURRENT_TIME, EPOCH_TIME, REQUEST_KEYS


def with_client_id(facts: DeviceFacts, action: str, resource: str | None) -> DeviceFacts:
    """Return the facts with a client id where they say none: the one that is asked for, else the Thing's name."""
    if facts.client_id is not None:
        return facts
    name = resource or ""
    kind, _, asked = (name.split(":", 5)[-1] if name.startswith("arn:") else name).partition("/")
    if action.lower() == CONNECT.lower() and kind == "client":
        return replace(facts, client_id=asked)
    return replace(facts, client_id=facts.thing.name) if facts.thing is not None else facts


def _facts(**options: Any) -> DeviceFacts:  # noqa: ANN401 - whatever click hands over
    return DeviceFacts(
        client_id=options["client_id"],
        source_ip=_address(options["source_ip"]),
        domain_name=options["domain_name"],
        protocol=Protocol(options["protocol"]),
        thing=_thing(options),
        certificate=_certificate(options["certificate"]),
        now=_moment(options["at"]),
        said=_said(options),
    )


def _thing(options: Mapping[str, Any]) -> ThingFacts | None:
    attributes = dict(_attribute(each) for each in options["attributes"])
    if attributes and options["no_attributes"]:
        raise CommandFailed("--thing-attribute and --no-thing-attributes contradict one another")
    if options["thing_name"] is None:
        if options["thing_type"] or attributes or options["no_attributes"]:
            raise CommandFailed("--thing-type and --thing-attribute say something about a Thing: give --thing-name too")
        return None
    return ThingFacts(
        name=options["thing_name"],
        type_name=options["thing_type"],
        attributes=attributes if attributes or options["no_attributes"] else None,
        attached=options["attached"],
        exclusive=options["exclusive"],
    )


def _said(options: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return what was said of the request's keys; an empty text says that there is none."""
    said: dict[str, tuple[str, ...]] = {}
    for key in REQUEST_KEYS.values():
        value = options.get(key.case_key)
        if key.case_key == "at" or value is None or value == ():
            continue
        listed = tuple(each for each in (value if key.multi_valued else [value]) if each)
        if key.values and (unknown := [each for each in listed if each not in key.values]):
            raise CommandFailed(f"{key.option} {unknown[0]!r}: there are {', '.join(key.values)}")
        said[key.name] = listed
    return said


def _address(text: str | None) -> str | None:
    try:
        if text is not None:
            ipaddress.ip_address(text)
    except ValueError as error:
        raise CommandFailed(f"--source-ip: {error}") from error
    return text


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandFailed(f"--at {text!r}: write a moment such as 2026-01-31T12:00:00Z") from error
    if moment.tzinfo is None:
        raise CommandFailed(f"--at {text!r} has no time zone: write Z behind it for UTC")
    return moment


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


# What a request says besides who the device is.
_REQUEST_OPTIONS = (
    click.option(
        "--at",
        metavar="ISO8601",
        help="when it asks, with a time zone; now unless given [aws:CurrentTime, aws:EpochTime]",
    ),
    *(
        click.option(
            key.option,
            key.case_key,
            multiple=key.multi_valued,
            metavar="VALUE",
            help=f"{key.about}{'; repeatable' * key.multi_valued}{'; empty: none' * key.may_lack} [{key.name}]",
        )
        for key in REQUEST_KEYS.values()
        if key.name not in (CURRENT_TIME, EPOCH_TIME)
    ),
)
# A client id is among the facts only if one was given.
device_options = gathered(
    "facts",
    _facts,
    click.option("--client-id", metavar="ID", help="client id it connects with; the Thing's name unless given"),
    click.option(
        "--thing-name", metavar="NAME", help="its Thing, with its certificate attached to it; it has none unless given"
    ),
    click.option("--thing-type", metavar="NAME", help="the Thing's type; empty: it has none"),
    click.option(
        "--thing-attribute",
        "attributes",
        multiple=True,
        metavar="NAME=VALUE",
        help="an attribute of it; repeatable, and it has no others",
    ),
    click.option("--no-thing-attributes", "no_attributes", is_flag=True, help="the Thing has no attributes"),
    click.option("--attached/--not-attached", default=True, help="whether the certificate is attached to the Thing"),
    click.option(
        "--exclusive/--not-exclusive",
        default=True,
        help="attached as EXCLUSIVE_THING, as activation does; else the client id has to be the Thing's name",
    ),
    click.option("--certificate", type=existing_file(), help="its certificate, PEM or DER"),
    click.option("--source-ip", metavar="ADDRESS", help="address it connects from"),
    click.option("--domain-name", metavar="NAME", help="domain name it connects to"),
    click.option(
        "--protocol",
        type=click.Choice([each.value for each in Protocol]),
        default=Protocol.MQTT.value,
        show_default=True,
        help="how it talks to AWS IoT",
    ),
    *_REQUEST_OPTIONS,
)
