"""The keys of `policies/<name>.cases.toml`, as data: for reading them, and for the JSON Schema that editors use."""

from __future__ import annotations

from typing import Final

from jitr_fleet.files.key import Key
from jitr_fleet.policies.evaluation.facts import Protocol
from jitr_fleet.policies.language.variables import ALTERNATIVE_NAME_FIELDS, NAME_FIELDS

DEVICE_NAME: Final = r"[A-Za-z0-9_-]{1,64}"
DEVICE_NAME_SHAPE: Final = "1 to 64 letters, digits, - or _"
EXPECTATIONS: Final = ("allowed", "denied", "explicit_deny", "implicit_deny")
_IPV4, _IPV6 = r"[0-9]{1,3}(\.[0-9]{1,3}){3}", r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*"

CASE_KEYS: Final = (
    Key(
        name="why",
        about="one sentence: what must hold, and for whom",
        required=True,
        pattern=r"\S.*",
        shape="one sentence on one line",
    ),
    Key(
        name="device",
        about="which of the devices above asks; one or several",
        kind=list,
        required=True,
        pattern=DEVICE_NAME,
        shape="names of [devices.<name>] tables",
    ),
    Key(
        name="action",
        about="what it asks to do, such as iot:Publish; one or several",
        kind=list,
        required=True,
        pattern=r"[A-Za-z]+:[A-Za-z]+",
        shape="actions such as iot:Publish, without wildcards",
    ),
    Key(
        name="resource",
        about="on what: topic/…, topicfilter/…, client/…, thing/… or an ARN; one or several. "
        "iot:Connect without it means the device's client id",
        kind=list,
        pattern=r".+",
        shape="resources such as topic/devices/a",
    ),
    Key(
        name="expect",
        about="the right answer; denied: by a Deny (explicit_deny) or because nothing allows it (implicit_deny)",
        required=True,
        choices=EXPECTATIONS,
    ),
)
# These may be one text instead of a list.
ONE_OR_MANY: Final = ("device", "action", "resource")

DEVICE_KEYS: Final = (
    Key(name="client_id", about="client id it connects with; the Thing's name where left out"),
    Key(
        name="source_ip",
        about="IP address it connects from",
        pattern=f"{_IPV4}|{_IPV6}",
        shape="an IP address",
    ),
    Key(name="domain_name", about="domain name it connects to"),
    Key(
        name="protocol",
        about="how it talks to AWS IoT; over https there is neither client id nor Thing",
        default=Protocol.MQTT.value,
        choices=tuple(each.value for each in Protocol),
    ),
)
THING_KEYS: Final = (
    Key(
        name="name",
        about="name of the Thing in the registry",
        required=True,
        # AWS IoT's own pattern (API reference, CreateThing).
        pattern=r"[a-zA-Z0-9:_-]{1,128}",
        shape="1 to 128 of A-Z a-z 0-9 : _ -",
    ),
    Key(name="type", about="name of its Thing type"),
    Key(name="attached", about="whether the device's certificate is attached to it", kind=bool, default=True),
    Key(
        name="exclusive",
        about="attached as EXCLUSIVE_THING, as activation does; else AWS IoT finds the Thing by the client id",
        kind=bool,
        default=True,
    ),
)
CERTIFICATE_KEYS: Final = (
    Key(name="file", about="PEM or DER file to take everything from, relative to the cases"),
    Key(name="id", about="certificate id", pattern=r"[0-9a-f]{64}", shape="64 lower-case hexadecimal digits"),
    Key(
        name="serial_number",
        about="serial number in hexadecimal; policies see it in decimal",
        pattern=r"[0-9a-fA-F]{1,40}",
        shape="1 to 40 hexadecimal digits in quotes",
    ),
)
# Tables of texts within a certificate: key → (what it is part of in a variable's name, the names it may hold).
NAME_TABLES: Final = {
    "subject": ("Subject", tuple(NAME_FIELDS)),
    "issuer": ("Issuer", tuple(NAME_FIELDS)),
    "subject_alternative_name": ("Subject.AlternativeName", ALTERNATIVE_NAME_FIELDS),
    "issuer_alternative_name": ("Issuer.AlternativeName", ALTERNATIVE_NAME_FIELDS),
}
