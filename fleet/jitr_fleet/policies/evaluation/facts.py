"""What AWS IoT knows about a device when it evaluates a policy, and the value that each policy variable gets from it.

Source: AWS IoT Core developer guide, "Thing policy variables", "Using X.509 certificate policy variables", "Associating
an exclusive thing with a connection". Where AWS says nothing, docs/policy-evaluation.md says what is assumed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from jitr_fleet.policies.language.actions import Protocol, action_named
from jitr_fleet.policies.language.keys import (
    CONNECT_ATTRIBUTES,
    CURRENT_TIME,
    EPOCH_TIME,
    LAST_WILL,
    LAST_WILL_TOPIC,
    REQUEST_KEYS,
)
from jitr_fleet.policies.language.variables import (
    ATTRIBUTES,
    AVAILABLE_KEYS,
    VARIABLES,
    VariableUse,
)

MOST_VALUES: Final = 5
LONGEST_VALUE: Final = 1024
CERTIFICATE_PREFIX: Final = "iot:Certificate."
_NEVER_FILLED_IN: Final = "*$+?#"
_ESCAPED: Final = re.compile(r'([,"\\+=<>;])')


# The four tables of names in a certificate.
NAME_SIDES: Final = ("Subject", "Issuer", "Subject.AlternativeName", "Issuer.AlternativeName")
_NOTHING_SAID: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class ThingFacts:
    """A Thing of the registry; `attached` says whether the device's certificate is attached to it.

    `type_name` is None where nobody said it, and empty for a Thing without a type; `attributes` is None where nobody
    said them. `exclusive`: attached as EXCLUSIVE_THING, as activation does. AWS IoT then finds the Thing by the
    certificate, otherwise by a client id that is the Thing's name.
    """

    name: str
    type_name: str | None = None
    attributes: Mapping[str, str] | None = None
    attached: bool = True
    exclusive: bool = True


@dataclass(frozen=True, kw_only=True)
class CertificateFacts:
    """A device certificate; `names` holds the values of `Subject.CommonName`, `Issuer.AlternativeName.DNSName`, ….

    The values are as they are in the certificate, in its order; `serial_number` is the number itself. `said` names the
    tables of NAME_SIDES that are complete: what is missing in one of them the certificate does not have.
    """

    certificate_id: str | None = None
    serial_number: int | None = None
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    said: frozenset[str] = frozenset()

    def says(self, base: str) -> bool:
        """Return whether the values of a name, without `iot:Certificate.`, are known, also where there are none."""
        return base in self.names or base.rpartition(".")[0] in self.said


@dataclass(frozen=True)
class Lookup:
    """What is known of one variable or key: its values, or none and the reason.

    `unknown` where the question leaves its value open; then `problem` names what would say it.
    """

    values: tuple[str, ...] = ()
    problem: str = ""
    unknown: bool = False


@dataclass(frozen=True, kw_only=True)
class DeviceFacts:
    """One device as it talks to AWS IoT, and what it asks for; what is None is not known, which is not "absent".

    `now` is when it asks, with its time zone. `said` holds the values of the other keys of the request by their names;
    none of them where the request has no such value. `thing` is None for a device without a Thing. `names_thing`: the
    request names the Thing, and no connection does. `resolves_unattached` is the lenient one of two readings of AWS's
    documentation: a Thing to which the certificate is not attached fills its variables all the same.
    """

    client_id: str | None = None
    source_ip: str | None = None
    domain_name: str | None = None
    protocol: Protocol = Protocol.MQTT
    thing: ThingFacts | None = None
    certificate: CertificateFacts = field(default_factory=CertificateFacts)
    now: datetime | None = None
    said: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING_SAID)
    names_thing: bool = False
    resolves_unattached: bool = False

    def for_action(self, action: str) -> DeviceFacts:
        """Return the facts as they are for this action: by its protocol, and without keys that it does not have."""
        known = action_named(action)
        said = {key.name: () for key in REQUEST_KEYS.values() if not key.belongs_to(action)}
        attributes = self.said.get(CONNECT_ATTRIBUTES)
        if attributes is not None and LAST_WILL not in attributes:
            said[LAST_WILL_TOPIC] = ()
        facts = replace(self, said=MappingProxyType({**self.said, **said}))
        if known is None:
            return facts
        protocol = self.protocol if self.protocol in known.protocols else known.protocols[0]
        return replace(facts, protocol=protocol, names_thing=known.names_thing)

    def readings(self) -> tuple[DeviceFacts, ...]:
        """Return the facts once, or twice where AWS's pages contradict one another: strictly and leniently read."""
        contested = self.thing is not None and not self.thing.attached and self.protocol is Protocol.MQTT
        return (self, replace(self, resolves_unattached=True)) if contested else (self,)

    def condition_values(self, use: VariableUse) -> Lookup:
        """Return the values that a condition on this key sees: one, or for several-valued keys any number."""
        if use.name in REQUEST_KEYS:
            return self._of_request(use.name)
        variable = use.variable
        if variable is None:
            return Lookup(problem="AWS IoT knows no such variable")
        if variable.kind == "connection":
            return self._of_connection(use.base)
        if variable.kind == "thing":
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

    def _of_request(self, name: str) -> Lookup:
        key = REQUEST_KEYS[name]
        if name in (CURRENT_TIME, EPOCH_TIME) and self.now is not None:
            now = self.now.astimezone(UTC)
            return Lookup((f"{now:%Y-%m-%dT%H:%M:%SZ}" if name == CURRENT_TIME else f"{now.timestamp():.0f}",))
        values = self.said.get(name)
        if values is None:
            return _unknown(key.option, key.case_key)
        return Lookup(values, "" if values else "the request has no such value")

    def _of_connection(self, base: str) -> Lookup:
        if base == "iot:ClientId" and self.protocol is Protocol.HTTPS:
            return Lookup(problem="there is no client id over HTTPS")
        values = {"iot:ClientId": self.client_id, "aws:SourceIp": self.source_ip, "iot:DomainName": self.domain_name}
        return _said(values[base], base)

    def _of_thing(self, use: VariableUse) -> Lookup:
        if self.protocol is Protocol.HTTPS and not self.names_thing:
            return Lookup(problem="AWS IoT knows the Thing of a connection over MQTT only")
        if self._needs_client_id():
            return _said(None, "iot:ClientId")
        thing = self._connecting_thing()
        if use.base == "iot:Connection.Thing.IsAttached":
            return Lookup(("true" if thing is not None and thing.attached else "false",))
        if thing is None or not (thing.attached or self.resolves_unattached):
            return Lookup(problem=self._why_no_thing())
        return _of_registry(thing, use)

    def _connecting_thing(self) -> ThingFacts | None:
        """Return the Thing that AWS IoT takes the connection for, attached or not."""
        if self.thing is None:
            return None
        if self.names_thing:
            return self.thing
        found_by_certificate = self.thing.attached and self.thing.exclusive
        return self.thing if found_by_certificate or self.thing.name == self.client_id else None

    def _needs_client_id(self) -> bool:
        """Return whether only the client id, which the question leaves open, would tell which Thing is meant."""
        thing = self.thing
        by_certificate = thing is not None and thing.attached and thing.exclusive
        return thing is not None and self.client_id is None and not by_certificate and not self.names_thing

    def _why_no_thing(self) -> str:
        if self.thing is None:
            return "the device has no Thing"
        if not self.thing.attached:
            return "the certificate is not attached to the Thing"
        return f"the client id {self.client_id!r} is not the name of the Thing, and the attachment is not exclusive"

    def _of_certificate(self, use: VariableUse) -> Lookup:
        values, is_known = self._certificate_values(use.base)
        values = values[:MOST_VALUES]
        if not is_known:
            return _said(None, use.base)
        if not values:
            return Lookup(problem="the certificate has no such value")
        if use.is_list or use.base == AVAILABLE_KEYS:
            return Lookup(values)
        index = use.index or 0
        if index >= len(values):
            return Lookup(problem=f"there is no value .{index}; the certificate has {len(values)}, counted from 0")
        return Lookup((values[index],))

    def _certificate_values(self, base: str) -> tuple[tuple[str, ...], bool]:
        """Return the values of a certificate's variable, and whether they are known."""
        facts = self.certificate
        if base == "iot:CertificateId":
            return ((), False) if facts.certificate_id is None else ((facts.certificate_id,), True)
        serial = facts.serial_number
        if base == "iot:Certificate.SerialNumber":
            return ((), False) if serial is None else ((str(serial),), True)
        if base == AVAILABLE_KEYS:
            named = [f"{CERTIFICATE_PREFIX}{name}" for name, values in facts.names.items() if values]
            found = (*named, *(() if serial is None else ("iot:Certificate.SerialNumber",)))
            return found, serial is not None and facts.said >= set(NAME_SIDES)
        name = base.removeprefix(CERTIFICATE_PREFIX)
        # AWS IoT prefixes special characters with a backslash, in what it fills in and in what conditions compare.
        return tuple(_ESCAPED.sub(r"\\\1", value) for value in facts.names.get(name, ())), facts.says(name)


def _of_registry(thing: ThingFacts, use: VariableUse) -> Lookup:
    """Return what the registry has of a Thing: its name, its type, or one of its attributes."""
    if use.base == "iot:Connection.Thing.ThingName":
        return Lookup((thing.name,))
    if use.base == ATTRIBUTES:
        if thing.attributes is None:
            return _said(None, ATTRIBUTES)
        return _one(thing.attributes.get(use.attribute or ""), f"the Thing has no attribute {use.attribute}")
    return _said(None, use.base) if thing.type_name is None else _one(thing.type_name or None, "the Thing has no type")


def _one(value: str | None, problem: str) -> Lookup:
    return Lookup(problem=problem) if value is None else Lookup((value,))


def _said(value: str | None, base: str) -> Lookup:
    """Return a variable's value, or that the question leaves it open and what would say it."""
    variable = VARIABLES[base]
    return _unknown(variable.option, variable.case_key) if value is None else Lookup((value,))


def _unknown(option: str, case_key: str) -> Lookup:
    return Lookup(problem=f"nobody said it; give {option}, in cases {case_key}", unknown=True)
