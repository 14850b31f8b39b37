"""What AWS IoT knows about a device when it evaluates a policy, and the value that each policy variable gets from it.

Source: AWS IoT Core developer guide, "Thing policy variables", "Using X.509 certificate policy variables", "Associating
an exclusive thing with a connection". Where AWS says nothing, docs/policy-evaluation.md says what is assumed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from jitr_fleet.policies.language.variables import (
    ATTRIBUTES,
    AVAILABLE_KEYS,
    CURRENT_TIME,
    EPOCH_TIME,
    REQUEST_KEYS,
    VariableUse,
)

MOST_VALUES: Final = 5
LONGEST_VALUE: Final = 1024
CERTIFICATE_PREFIX: Final = "iot:Certificate."
_NEVER_FILLED_IN: Final = "*$+?#"
_ESCAPED: Final = re.compile(r'([,"\\+=<>;])')


class Protocol(StrEnum):
    """How the device talks to AWS IoT; by HTTPS there is neither a client id nor a Thing."""

    MQTT = "mqtt"
    HTTPS = "https"


@dataclass(frozen=True, kw_only=True)
class ThingFacts:
    """A Thing of the registry; `attached` says whether the device's certificate is attached to it.

    `exclusive`: attached as EXCLUSIVE_THING, as activation does. AWS IoT then finds the Thing by the certificate,
    otherwise by a client id that is the Thing's name.
    """

    name: str
    type_name: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    attached: bool = True
    exclusive: bool = True


@dataclass(frozen=True, kw_only=True)
class CertificateFacts:
    """A device certificate; `names` holds the values of `Subject.CommonName`, `Issuer.AlternativeName.DNSName`, ….

    The values are as they are in the certificate, in its order; `serial_number` is the number itself.
    """

    certificate_id: str | None = None
    serial_number: int | None = None
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Lookup:
    """What is known of one variable: its values, or none and the reason."""

    values: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class DeviceFacts:
    """One device as it talks to AWS IoT; what is None is not known, and no variable is filled with it.

    `now` is when it asks, with its time zone; None is the present, whenever that is looked at.
    """

    client_id: str | None = None
    source_ip: str | None = None
    domain_name: str | None = None
    protocol: Protocol = Protocol.MQTT
    thing: ThingFacts | None = None
    certificate: CertificateFacts = field(default_factory=CertificateFacts)
    now: datetime | None = None

    def condition_values(self, use: VariableUse) -> Lookup:
        """Return the values that a condition on this key sees: one, or for `.List` and AvailableKeys any number."""
        if use.name in REQUEST_KEYS:
            return self._of_request(use.name)
        variable = use.variable
        if variable is None:
            return Lookup(problem="AWS IoT knows no such variable")
        if variable.source == "connection":
            return self._of_connection(use.base)
        if variable.source == "thing":
            return self._of_thing(use)
        return self._of_certificate(use)

    def filled_in(self, use: VariableUse) -> Lookup:
        """Return the one text that AWS IoT puts in the place of `${…}`, or why it leaves the variable as it stands."""
        if use.is_list:
            return Lookup(problem="a list is for conditions with ForAnyValue or ForAllValues; it fills no place")
        if use.name in REQUEST_KEYS:
            return Lookup(problem="a key for conditions only; it fills no place")
        found = self.condition_values(use)
        if not found.values or not use.base.startswith(CERTIFICATE_PREFIX):
            return found
        value = found.values[0]
        if any(character in value for character in _NEVER_FILLED_IN):
            return Lookup(problem=f"the value {value!r} holds one of {' '.join(_NEVER_FILLED_IN)}")
        if len(value) > LONGEST_VALUE:
            return Lookup(problem=f"the value has {len(value)} characters; AWS IoT fills in {LONGEST_VALUE} at most")
        return Lookup((value,))

    def device_values(self) -> dict[str, str]:
        """Return the values that `@{device.…}` has for this device; what is not known, or not one, is missing.

        Not checked: whether they may stand in a policy, which `render_policy` does.
        """
        certificate, names = self.certificate, self.certificate.names.get("Subject.CommonName", ())
        serial = certificate.serial_number
        values = {
            "device.thing_name": None if self.thing is None else self.thing.name,
            "device.common_name": names[0] if len(names) == 1 else None,
            "device.serial": None if serial is None else f"{serial:x}",
            "device.certificate_id": certificate.certificate_id,
        }
        return {name: value for name, value in values.items() if value is not None}

    def _of_request(self, key: str) -> Lookup:
        now = (self.now or datetime.now(UTC)).astimezone(UTC)
        values = {CURRENT_TIME: f"{now:%Y-%m-%dT%H:%M:%SZ}", EPOCH_TIME: f"{now.timestamp():.0f}"}
        return _one(values.get(key), "the facts of the device do not say")

    def _of_connection(self, base: str) -> Lookup:
        if base == "iot:ClientId" and self.protocol is Protocol.HTTPS:
            return Lookup(problem="there is no client id over HTTPS")
        values = {"iot:ClientId": self.client_id, "aws:SourceIp": self.source_ip, "iot:DomainName": self.domain_name}
        return _one(values[base], "the facts of the device do not say")

    def _of_thing(self, use: VariableUse) -> Lookup:
        if self.protocol is Protocol.HTTPS:
            return Lookup(problem="AWS IoT knows the Thing of a connection over MQTT only")
        thing = self._connecting_thing()
        if use.base == "iot:Connection.Thing.IsAttached":
            return Lookup(("true" if thing is not None and thing.attached else "false",))
        if thing is None:
            return Lookup(problem=self._why_no_thing())
        if use.base == ATTRIBUTES:
            return _one(thing.attributes.get(use.attribute or ""), f"the Thing has no attribute {use.attribute}")
        if use.base == "iot:Connection.Thing.ThingName":
            return Lookup((thing.name,))
        return _one(thing.type_name, "the Thing has no type")

    def _connecting_thing(self) -> ThingFacts | None:
        """Return the Thing that AWS IoT takes the connection for, attached or not."""
        if self.thing is None:
            return None
        found_by_certificate = self.thing.attached and self.thing.exclusive
        return self.thing if found_by_certificate or self.thing.name == self.client_id else None

    def _why_no_thing(self) -> str:
        if self.thing is None:
            return "the device has no Thing"
        return f"the client id {self.client_id!r} is not the name of the Thing, and the attachment is not exclusive"

    def _of_certificate(self, use: VariableUse) -> Lookup:
        values = self._certificate_values(use.base)[:MOST_VALUES]
        if not values:
            return Lookup(problem="the certificate has no such value, or the facts do not say")
        if use.is_list or use.base == AVAILABLE_KEYS:
            return Lookup(values)
        index = use.index or 0
        if index >= len(values):
            return Lookup(problem=f"there is no value .{index}; the certificate has {len(values)}, counted from 0")
        return Lookup((values[index],))

    def _certificate_values(self, base: str) -> tuple[str, ...]:
        facts = self.certificate
        if base == "iot:CertificateId":
            return () if facts.certificate_id is None else (facts.certificate_id,)
        if base == "iot:Certificate.SerialNumber":
            return () if facts.serial_number is None else (str(facts.serial_number),)
        if base == AVAILABLE_KEYS:
            named = [f"{CERTIFICATE_PREFIX}{name}" for name, values in facts.names.items() if values]
            return (*named, *(() if facts.serial_number is None else ("iot:Certificate.SerialNumber",)))
        # AWS IoT prefixes special characters with a backslash, in what it fills in and in what conditions compare.
        return tuple(
            _ESCAPED.sub(r"\\\1", value) for value in facts.names.get(base.removeprefix(CERTIFICATE_PREFIX), ())
        )


def _one(value: str | None, problem: str) -> Lookup:
    return Lookup(problem=problem) if value is None else Lookup((value,))
