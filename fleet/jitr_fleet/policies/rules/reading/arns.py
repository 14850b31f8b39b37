"""Resources of AWS IoT policies as their parts: `arn:partition:iot:region:account:type/name`, or `*`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jitr_fleet.policies.language.variables import ATTRIBUTES, VARIABLES, variables_in
from jitr_fleet.policies.rules.reading.written import Text, WrittenStatement

# What is filled in later: AWS's variables, and the template's own values.
_FILLED_IN = re.compile(r"\$\{[^{}]*\}|\$\([*?$]\)|@\{[^{}]*\}")
# Variables have colons of their own, which divide nothing.
_TOKEN = re.compile(r"\$\{[^{}]*\}|@\{[^{}]*\}|:|[^:$@]+|[$@]")
_FIELDS = 6
_WILDCARD = re.compile(r"[*?]")
_FILTER_WILDCARD = re.compile(r"[*?+#]")
_MQTT_WILDCARD = re.compile(r"[+#]")
_FILLED_IN_OR_WILDCARD = re.compile(_FILLED_IN.pattern + r"|[*?+#]")
# A name of the device's, characters that names may hold, and a wildcard.
_LONGER_NAME = re.compile(r"(?P<variable>\$\{[^{}*?$]+\}|@\{device\.[^{}]*\})(?P<more>[a-zA-Z0-9:_-]*)[*?]")
# Values that hold digits only, so that no longer one begins with this one and another sign.
_NUMBERS = frozenset(
    {"${iot:CertificateId}", "${iot:Certificate.SerialNumber}", "@{device.serial}", "@{device.certificate_id}"}
)
_DEVICE_VALUE = "@{device."
# Stands for what is filled in; no template holds this character (Unicode, private use).
FILLED_IN = "\ue000"


@dataclass(frozen=True)
class Arn:
    """One resource; `type` and `name` are what stands before and after the first slash of its last part."""

    pointer: str
    text: str
    service: str
    partition: str
    region: str
    account: str
    type: str
    name: str

    @property
    def opaque_name(self) -> str:
        """The name with one character for each variable and value, so that only the author's wildcards are left."""
        return _FILLED_IN.sub(FILLED_IN, self.name)

    @property
    def reaches_longer_names(self) -> bool:
        """Whether a wildcard follows a name so that it matches the names of other devices too, as in `name-*`."""
        found = _LONGER_NAME.search(self.name)
        if found is None:
            return False
        digits_only = found["variable"] in _NUMBERS
        return not (digits_only and found["more"].strip("0123456789abcdef"))

    @property
    def prefix(self) -> str:
        """What the name certainly begins with: its text up to the first wildcard, MQTT's too in a topic filter."""
        wildcard = _FILTER_WILDCARD if self.type == "topicfilter" else _WILDCARD
        found = wildcard.search(self.opaque_name)
        return self.opaque_name if found is None else self.opaque_name[: found.start()]

    @property
    def has_wildcard(self) -> bool:
        """Whether the name holds a `*` or `?`."""
        return _WILDCARD.search(self.opaque_name) is not None

    @property
    def has_mqtt_wildcard(self) -> bool:
        """Whether the name holds a `+` or `#`, which mean nothing to a policy."""
        return _MQTT_WILDCARD.search(self.opaque_name) is not None

    def before(self, wildcards: str = "*?") -> str:
        """Return the name as written up to its first wildcard, variables included."""
        for found in _FILLED_IN_OR_WILDCARD.finditer(self.name):
            if found.group() in wildcards:
                return self.name[: found.start()]
        return self.name


def read_arn(resource: Text) -> Arn | None:
    """Return the parts of a resource, `*` as an ARN of wildcards, or None for what is no ARN."""
    if resource.text == "*":
        return Arn(resource.pointer, "*", "*", "*", "*", "*", "*", "*")
    fields = _fields(resource.text)
    if len(fields) != _FIELDS or fields[0] != "arn" or not (fields[1] and fields[2] and fields[5]):
        return None
    type_, _, name = fields[5].partition("/")
    return Arn(
        pointer=resource.pointer,
        text=resource.text,
        partition=fields[1],
        service=fields[2],
        region=fields[3],
        account=fields[4],
        type=type_,
        name=name,
    )


def iot_arns(statement: WrittenStatement) -> Iterator[Arn]:
    """Yield the resources of a statement that are ARNs of AWS IoT, `*` too."""
    for resource in statement.resources:
        if (arn := read_arn(resource)) is not None and arn.service in ("iot", "*"):
            yield arn


def names_device(text: str) -> bool:
    """Return whether a text holds a variable or value of the device's own, or an attribute that it shares with some."""
    return names_one_device(text) or any(use.base == ATTRIBUTES for use in variables_in(text))


def names_one_device(text: str) -> bool:
    """Return whether a text holds a variable or value that no other device has."""
    known = (VARIABLES.get(use.base) for use in variables_in(text))
    return _DEVICE_VALUE in text or any(variable is None or not variable.shared for variable in known)


def _fields(text: str) -> list[str]:
    """Return what stands between the first five colons that are not in a variable, and the rest."""
    fields: list[str] = []
    start = 0
    for token in _TOKEN.finditer(text):
        if token.group() == ":" and len(fields) < _FIELDS - 1:
            fields.append(text[start : token.start()])
            start = token.end()
    return [*fields, text[start:]]
