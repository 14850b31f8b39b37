"""Reads the devices of a file of cases: who they are, which Thing and which certificate they have."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jitr_fleet.files.mistakes import Mistakes
from jitr_fleet.files.tables import note_unknown_keys, read_table
from jitr_fleet.policies.cases.keys import (
    CERTIFICATE_KEYS,
    DEVICE_KEYS,
    DEVICE_NAME,
    DEVICE_NAME_SHAPE,
    NAME_TABLES,
    REQUEST_KEYS_OF_DEVICES,
    THING_KEYS,
)
from jitr_fleet.policies.evaluation.certificate import CertificateFileError, facts_from_file
from jitr_fleet.policies.evaluation.facts import CertificateFacts, DeviceFacts, ThingFacts
from jitr_fleet.policies.language.actions import Protocol
from jitr_fleet.policies.language.keys import RequestKey


def read_device(name: str, table: object, file: Path, mistakes: Mistakes) -> DeviceFacts:
    """Return a device's facts; mistakes are noted, and what they concern is missing.

    Without a client id the device connects with its Thing's name. Files are relative to `file`.
    """
    path = f"devices.{name}"
    if not re.fullmatch(DEVICE_NAME, name):
        mistakes.add(path, f'the name "{name}"', f"expected: {DEVICE_NAME_SHAPE}")
    values = read_table(table, DEVICE_KEYS, path=path, mistakes=mistakes, subtables=("thing", "certificate"))
    if not isinstance(table, Mapping):
        return DeviceFacts()
    address = values.get("source_ip")
    if address is not None and not _is_address(address):
        mistakes.add(f"{path}.source_ip", f'found "{address}"', "expected: an IP address")
    thing = _thing(table["thing"], f"{path}.thing", mistakes) if "thing" in table else None
    certificate = CertificateFacts()
    if "certificate" in table:
        certificate = _certificate(table["certificate"], f"{path}.certificate", file, mistakes)
    client_id = values.get("client_id")
    return DeviceFacts(
        client_id=thing.name if client_id is None and thing is not None else client_id,
        source_ip=address,
        domain_name=values.get("domain_name"),
        protocol=Protocol(values.get("protocol", Protocol.MQTT)),
        thing=thing,
        certificate=certificate,
        said=said_in(values, REQUEST_KEYS_OF_DEVICES),
    )


def said_in(values: Mapping[str, Any], keys: Mapping[str, RequestKey]) -> dict[str, tuple[str, ...]]:
    """Return what a table says of the request's condition keys, by their names; empty means that there is none."""
    said: dict[str, tuple[str, ...]] = {}
    for name, key in keys.items():
        if (value := values.get(name)) is not None:
            listed = value if isinstance(value, list) else [value]
            said[key.name] = tuple(each for each in listed if each)
    return said


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _thing(table: object, path: str, mistakes: Mistakes) -> ThingFacts | None:
    values = read_table(table, THING_KEYS, path=path, mistakes=mistakes, subtables=("attributes",))
    if "name" not in values or not isinstance(table, Mapping):
        return None
    attributes = table.get("attributes")
    is_table = isinstance(attributes, Mapping) and all(isinstance(value, str) for value in attributes.values())
    if "attributes" in table and not is_table:
        mistakes.add(f"{path}.attributes", "found no table of texts", 'expected: { name = "value" }')
        return None
    return ThingFacts(
        name=values["name"],
        type_name=values.get("type"),
        attributes=attributes,
        attached=values.get("attached", True),
        exclusive=values.get("exclusive", True),
    )


def _certificate(table: object, path: str, file: Path, mistakes: Mistakes) -> CertificateFacts:
    values = read_table(table, CERTIFICATE_KEYS, path=path, mistakes=mistakes, subtables=tuple(NAME_TABLES))
    if not isinstance(table, Mapping):
        return CertificateFacts()
    if values.get("file") is not None:
        if len(table) > 1:
            mistakes.add(f"{path}.file", "other keys beside it", "the file says everything; leave them out")
        try:
            return facts_from_file(file.parent / values["file"])
        except CertificateFileError as error:
            mistakes.add(f"{path}.file", str(error), "expected: a certificate in PEM or DER")
            return CertificateFacts()
    names: dict[str, tuple[str, ...]] = {}
    for key, (prefix, known) in NAME_TABLES.items():
        if key in table:
            names |= _names(table[key], prefix, known, f"{path}.{key}", mistakes)
    serial = values.get("serial_number")
    return CertificateFacts(
        certificate_id=values.get("id"),
        serial_number=None if serial is None else int(serial, 16),
        names=names,
        said=frozenset(prefix for key, (prefix, _) in NAME_TABLES.items() if key in table),
    )


def _names(
    table: object, prefix: str, known: tuple[str, ...], path: str, mistakes: Mistakes
) -> dict[str, tuple[str, ...]]:
    """Return the values of a name, or of alternative names; each is one text or a list of texts."""
    if not isinstance(table, Mapping):
        mistakes.add(path, "found no table", f'expected: {{ {known[0]} = "text" }}')
        return {}
    note_unknown_keys(table, known, path=path, mistakes=mistakes)
    names: dict[str, tuple[str, ...]] = {}
    for name, value in table.items():
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(isinstance(each, str) for each in listed):
            mistakes.add(f"{path}.{name}", "found no text", "expected: a text in quotes, or a list of texts")
        names[f"{prefix}.{name}"] = tuple(map(str, listed))
    return names
