"""Which client ids a device's policy lets connect, as the synth found out (`Configuration.connects`); pure.

A pattern is a client id in which `*` and `?` are wildcards, `${*}` and `${?}` the characters themselves, and
`@{device.…}` the device's own values. It says at least what the policy allows, never less: conditions and denials only
narrow it, and variables that are not looked at here count as `*`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jitr.policies.document import Wildcard, matches_parts

ANY_CLIENT = "*"
CERTIFICATE_ID = "@{device.certificate_id}"
THING_NAME = "@{device.thing_name}"
COMMON_NAME = "@{device.common_name}"
SERIAL = "@{device.serial}"
_PART = re.compile(r"(@\{device\.[a-z_]+\}|\$\{[*?$]\}|[*?])")


@dataclass(frozen=True, kw_only=True)
class ConnectingDevice:
    """What a pattern may name of a device; what is None is not known and counts as anything."""

    certificate_id: str
    thing_name: str | None = None
    common_name: str | None = None
    serial: int | None = None

    @property
    def values(self) -> Mapping[str, str | None]:
        """Return what each value of a pattern stands for."""
        return {
            CERTIFICATE_ID: self.certificate_id,
            THING_NAME: self.thing_name,
            COMMON_NAME: self.common_name,
            SERIAL: None if self.serial is None else f"{self.serial:x}",
        }


def may_connect(patterns: Iterable[str], client_id: str, device: ConnectingDevice) -> bool:
    """Return whether one of the patterns lets a client id in; True also where too little is known to say no."""
    values = device.values
    return any(matches_parts(_parts(pattern, values), client_id) for pattern in patterns)


def own_client_id(patterns: Iterable[str], certificate_id: str) -> str | None:
    """Return the one client id that a policy lets connect, if it is one that no other certificate gets.

    That is: a single pattern that holds the certificate's id, and nothing else that could differ.
    """
    found = set(patterns)
    pattern = found.pop() if len(found) == 1 else ""
    if CERTIFICATE_ID not in pattern:
        return None
    parts = list(_parts(pattern, {CERTIFICATE_ID: certificate_id}))
    return "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None


def _parts(pattern: str, values: Mapping[str, str | None]) -> list[str | Wildcard]:
    parts: list[str | Wildcard] = []
    for number, part in enumerate(_PART.split(pattern)):
        if number % 2 == 0:
            parts += [part] if part else []
        elif part.startswith("@"):
            value = values.get(part)
            parts.append(Wildcard.ANY if value is None else value)
        else:
            parts.append(part[2] if part.startswith("$") else Wildcard(part))
    return parts
