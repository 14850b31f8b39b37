"""The variables that AWS IoT policies may use, as data, and where a text uses them.

Source: AWS IoT Core developer guide, "Basic AWS IoT Core policy variables", "Thing policy variables", "X.509
Certificate AWS IoT Core policy variables", "Using X.509 certificate policy variables"; for iot:CertificateId its policy
examples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from jitr_fleet.policies.language.actions import SourcePage

Kind = Literal["connection", "thing", "certificate"]

ATTRIBUTES: Final = "iot:Connection.Thing.Attributes"
AVAILABLE_KEYS: Final = "iot:Certificate.AvailableKeys"
# `$(*)`, `$(?)` and `$($)` stand for the character itself, which would otherwise be a wildcard or begin a variable; so
# AWS IoT writes them (developer guide, iot-policy-variables). IAM, which that page refers to, writes `${*}`.
LITERALS: Final = frozenset("*?$")
# The parts of a name in the order of AWS's page, each with the attribute type that X.520 gives it.
NAME_FIELDS: Final[Mapping[str, str]] = {
    "DistinguishedNameQualifier": "2.5.4.46",
    "Country": "2.5.4.6",
    "Organization": "2.5.4.10",
    "OrganizationalUnit": "2.5.4.11",
    "State": "2.5.4.8",
    "CommonName": "2.5.4.3",
    "SerialNumber": "2.5.4.5",
    "Title": "2.5.4.12",
    "Surname": "2.5.4.4",
    "GivenName": "2.5.4.42",
    "Initials": "2.5.4.43",
    "Pseudonym": "2.5.4.65",
    "GenerationQualifier": "2.5.4.44",
}
ALTERNATIVE_NAME_FIELDS: Final = ("RFC822Name", "DNSName", "DirectoryName", "UniformResourceIdentifier", "IPAddress")
_USE = re.compile(r"\$\{([^{}]*)\}|\$\(([*?$])\)")
_ATTRIBUTE = re.compile(re.escape(ATTRIBUTES) + r"\[([^\[\]]*)\]")
_SUFFIX = re.compile(r"(.+)\.(List|[0-9]+)", re.DOTALL)


@dataclass(frozen=True)
class Variable:
    """One variable; only multi-valued ones have the forms `.N` (the value after N others) and `.List` (all)."""

    name: str
    about: str
    multi_valued: bool
    kind: Kind
    option: str
    case_key: str
    source: SourcePage
    # Whether AWS's documents show it for many devices alike: then it names no single device.
    shared: bool = False


@dataclass(frozen=True)
class VariableUse:
    """One variable as it is written somewhere: its base name, and which of its values are meant.

    `index` is None for the bare name, which means the first value. `attribute` is the name in square brackets.
    Not checked: whether the variable exists.
    """

    name: str
    base: str
    index: int | None = None
    is_list: bool = False
    attribute: str | None = None

    @classmethod
    def parse(cls, name: str) -> VariableUse:
        """Return what a variable's name means, without `${` and `}`; condition keys are written the same way."""
        if (attribute := _ATTRIBUTE.fullmatch(name)) is not None:
            return cls(name, ATTRIBUTES, attribute=attribute.group(1))
        if name in VARIABLES or (suffixed := _SUFFIX.fullmatch(name)) is None:
            return cls(name, name)
        base, suffix = suffixed.groups()
        if suffix == "List":
            return cls(name, base, is_list=True)
        # More digits than any list has items; int() of very long texts is slow, and refused.
        return cls(name, base, index=int(suffix[:_MOST_DIGITS]))

    @property
    def variable(self) -> Variable | None:
        """The variable, or None where there is none of this name, or it has no such form."""
        found = VARIABLES.get(self.base)
        if found is None or (self.base == ATTRIBUTES and not self.attribute):
            return None
        return None if (self.is_list or self.index is not None) and not found.multi_valued else found


def variables_in(text: str) -> list[VariableUse]:
    """Return every `${…}` of a text, in its order; the characters that are written `$(*)` or `${*}` are none."""
    return [VariableUse.parse(name) for name, _ in _USE.findall(text) if name and name not in LITERALS]


def split_at_variables(text: str) -> list[str | VariableUse]:
    """Return a text as what stands for itself and the variables between; those named by LITERALS are characters."""
    parts: list[str | VariableUse] = []
    end = 0
    for found in _USE.finditer(text):
        parts += [text[end : found.start()], VariableUse.parse(found[1] if found[2] is None else found[2])]
        end = found.end()
    return [part for part in [*parts, text[end:]] if part != ""]


_MOST_DIGITS = 6
_GUIDE: Final = "IoT developer guide"
_BASIC: Final = SourcePage(page=f"{_GUIDE}, basic-policy-variables")
_THING: Final = SourcePage(page=f"{_GUIDE}, thing-policy-variables")
_CERTIFICATE: Final = SourcePage(page=f"{_GUIDE}, cert-policy-variables")
# Fields that certificates of one maker share; an issuer's are one CA's, and shared by all of its devices.
_SHARED_FIELDS: Final = frozenset(
    {"Country", "Organization", "OrganizationalUnit", "State", "Title", "GenerationQualifier"}
)


def _connection(name: str, about: str, option: str, case_key: str, *, shared: bool) -> Variable:
    return Variable(
        name, about, multi_valued=False, kind="connection", option=option, case_key=case_key, source=_BASIC,
        shared=shared,
    )  # fmt: skip


def _of_thing(name: str, about: str, option: str, case_key: str, *, shared: bool = True) -> Variable:
    return Variable(
        name, about, multi_valued=False, kind="thing", option=option, case_key=case_key, source=_THING, shared=shared
    )


def _of_certificate(
    name: str,
    about: str,
    case_key: str,
    *,
    multi_valued: bool = True,
    shared: bool = False,
    source: SourcePage = _CERTIFICATE,
) -> Variable:
    return Variable(
        name, about, multi_valued=multi_valued, kind="certificate", option="--certificate", case_key=case_key,
        source=source, shared=shared,
    )  # fmt: skip


def _names(side: str, owner: str) -> list[Variable]:
    key, is_issuer = side.lower(), side == "Issuer"
    fields = [
        _of_certificate(
            f"iot:Certificate.{side}.{part}",
            f"{part} of {owner}",
            f"certificate.{key}",
            shared=is_issuer or part in _SHARED_FIELDS,
        )
        for part in NAME_FIELDS
    ]
    return fields + [
        _of_certificate(
            f"iot:Certificate.{side}.AlternativeName.{part}",
            f"{part} among the alternative names of {owner}",
            f"certificate.{key}_alternative_name",
            shared=is_issuer,
        )
        for part in ALTERNATIVE_NAME_FIELDS
    ]


_ALL: Final = (
    _connection("iot:ClientId", "client id of the MQTT connection", "--client-id", "client_id", shared=False),
    _connection("aws:SourceIp", "IP address that the device connects from", "--source-ip", "source_ip", shared=True),
    _connection("iot:DomainName", "domain name that it connects to", "--domain-name", "domain_name", shared=True),
    _of_thing(
        "iot:Connection.Thing.ThingName", "name of the device's Thing", "--thing-name", "thing.name", shared=False
    ),
    _of_thing("iot:Connection.Thing.ThingTypeName", "type of the device's Thing, if any", "--thing-type", "thing.type"),
    _of_thing(
        "iot:Connection.Thing.IsAttached",
        "true where the certificate is attached to the Thing that connects, else false",
        "--attached",
        "thing.attached",
    ),
    _of_thing(
        ATTRIBUTES, "one attribute of the device's Thing: Attributes[name]", "--thing-attribute", "thing.attributes"
    ),
    _of_certificate(
        "iot:CertificateId",
        "id of the certificate: SHA-256 in hex",
        "certificate.id",
        multi_valued=False,
        source=SourcePage(page=f"{_GUIDE}, certificate-policy-examples"),
    ),
    _of_certificate(
        "iot:Certificate.SerialNumber",
        "serial number of the certificate, in decimal",
        "certificate.serial_number",
        multi_valued=False,
    ),
    _of_certificate(
        AVAILABLE_KEYS, "names of the certificate's variables that have a value", "certificate.file", shared=True
    ),
    *_names("Subject", "the certificate's subject"),
    *_names("Issuer", "the certificate's issuer"),
)
VARIABLES: Final[Mapping[str, Variable]] = MappingProxyType({variable.name: variable for variable in _ALL})
