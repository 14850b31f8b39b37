"""The variables that AWS IoT policies may use, as data, and where a text uses them.

Source: AWS IoT Core developer guide, "Basic AWS IoT Core policy variables", "Thing policy variables", "X.509
Certificate AWS IoT Core policy variables", "Using X.509 certificate policy variables"; for iot:CertificateId its policy
examples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Source = Literal["connection", "thing", "certificate"]

ATTRIBUTES: Final = "iot:Connection.Thing.Attributes"
AVAILABLE_KEYS: Final = "iot:Certificate.AvailableKeys"
# Condition keys that are no variables, and fill no place: of the request and not of the device (developer guide, direct
# messaging and VPC endpoints; service authorization reference; IAM's global keys).
CURRENT_TIME: Final = "aws:CurrentTime"
EPOCH_TIME: Final = "aws:EpochTime"
REQUEST_KEYS: Final = (
    "iot:Topic",
    "iot:JobId",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:VpcSourceIp",
    CURRENT_TIME,
    EPOCH_TIME,
)
# `${*}`, `${?}` and `${$}` stand for the character itself, which would otherwise be a wildcard or begin a variable.
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
_USE = re.compile(r"\$\{([^{}]*)\}")
_ATTRIBUTE = re.compile(re.escape(ATTRIBUTES) + r"\[([^\[\]]*)\]")
_SUFFIX = re.compile(r"(.+)\.(List|[0-9]+)", re.DOTALL)


@dataclass(frozen=True)
class Variable:
    """One variable; only multi-valued ones have the forms `.N` (the value after N others) and `.List` (all)."""

    name: str
    about: str
    multi_valued: bool
    source: Source


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
    """Return every `${…}` of a text, in its order; `${*}`, `${?}` and `${$}` are characters, not variables."""
    return [VariableUse.parse(name) for name in _USE.findall(text) if name not in LITERALS]


def split_at_variables(text: str) -> list[str | VariableUse]:
    """Return a text as what stands for itself and the variables between; those named by LITERALS are characters."""
    parts = (VariableUse.parse(part) if number % 2 else part for number, part in enumerate(_USE.split(text)))
    return [part for part in parts if part != ""]


def _certificate_variables() -> list[Variable]:
    names: list[Variable] = []
    for side, owner in (("Subject", "the certificate's subject"), ("Issuer", "the certificate's issuer")):
        names += [
            Variable(f"iot:Certificate.{side}.{part}", f"{part} of {owner}", multi_valued=True, source="certificate")
            for part in NAME_FIELDS
        ]
        names += [
            Variable(
                f"iot:Certificate.{side}.AlternativeName.{part}",
                f"{part} among the alternative names of {owner}",
                multi_valued=True,
                source="certificate",
            )
            for part in ALTERNATIVE_NAME_FIELDS
        ]
    return names


_MOST_DIGITS = 6
_ALL: Final = (
    Variable("iot:ClientId", "client id of the MQTT connection", multi_valued=False, source="connection"),
    Variable("aws:SourceIp", "IP address that the device connects from", multi_valued=False, source="connection"),
    Variable("iot:DomainName", "domain name that the device connects to", multi_valued=False, source="connection"),
    Variable("iot:Connection.Thing.ThingName", "name of the device's Thing", multi_valued=False, source="thing"),
    Variable(
        "iot:Connection.Thing.ThingTypeName", "type of the device's Thing, if any", multi_valued=False, source="thing"
    ),
    Variable(
        "iot:Connection.Thing.IsAttached",
        "true where the certificate is attached to the Thing that connects, else false",
        multi_valued=False,
        source="thing",
    ),
    Variable(ATTRIBUTES, "one attribute of the device's Thing: Attributes[name]", multi_valued=False, source="thing"),
    Variable("iot:CertificateId", "id of the certificate: SHA-256 in hex", multi_valued=False, source="certificate"),
    Variable(
        "iot:Certificate.SerialNumber",
        "serial number of the certificate, in decimal",
        multi_valued=False,
        source="certificate",
    ),
    Variable(
        AVAILABLE_KEYS,
        "names of the certificate's variables that have a value",
        multi_valued=True,
        source="certificate",
    ),
    *_certificate_variables(),
)
VARIABLES: Final[Mapping[str, Variable]] = {variable.name: variable for variable in _ALL}
