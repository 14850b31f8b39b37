"""Resources of AWS IoT policies as their parts: `arn:partition:iot:region:account:type/name`, or `*`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jitr_fleet.policies.language.variables import variables_in
from jitr_fleet.policies.rules.reading.written import Text

# What is filled in later: AWS's variables, and the template's own values.
_FILLED_IN = re.compile(r"\$\{[^{}]*\}|@\{[^{}]*\}")
# Variables have colons of their own, which divide nothing.
_TOKEN = re.compile(r"\$\{[^{}]*\}|@\{[^{}]*\}|:|[^:$@]+|[$@]")
_FIELDS = 6
_WILDCARD = re.compile(r"[*?]")
_FILTER_WILDCARD = re.compile(r"[*?+#]")
_MQTT_WILDCARD = re.compile(r"[+#]")
_FILLED_IN_OR_WILDCARD = re.compile(_FILLED_IN.pattern + r"|[*?+#]")
# Variables with the same value for many devices; every field of the issuer is one too.
_SHARED = frozenset(
    {
        "aws:SourceIp",
        "iot:DomainName",
        "iot:Connection.Thing.IsAttached",
        "iot:Connection.Thing.ThingTypeName",
        "iot:Certificate.AvailableKeys",
        *(
            f"iot:Certificate.Subject.{each}"
            for each in ("Country", "Organization", "OrganizationalUnit", "State", "Title", "GenerationQualifier")
        ),
    }
)
_ISSUER = "iot:Certificate.Issuer."
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


def names_device(text: str) -> bool:
    """Say whether a text holds a variable or value of the device's own, not one that it shares with others."""
    bases = (use.base for use in variables_in(text))
    return _DEVICE_VALUE in text or any(base not in _SHARED and not base.startswith(_ISSUER) for base in bases)


def _fields(text: str) -> list[str]:
    """Return what stands between the first five colons that are not in a variable, and the rest."""
    fields: list[str] = []
    start = 0
    for token in _TOKEN.finditer(text):
        if token.group() == ":" and len(fields) < _FIELDS - 1:
            fields.append(text[start : token.start()])
            start = token.end()
    return [*fields, text[start:]]
