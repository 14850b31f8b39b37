"""The keys of `policies/<name>.cases.toml`, as data: for reading them, and for the JSON Schema that editors use."""

from __future__ import annotations

from typing import Final

from jitr_fleet.files.key import Key
from jitr_fleet.policies.language.actions import Protocol
from jitr_fleet.policies.language.keys import CURRENT_TIME, EPOCH_TIME, REQUEST_KEYS, RequestKey
from jitr_fleet.policies.language.variables import ALTERNATIVE_NAME_FIELDS, NAME_FIELDS

DEVICE_NAME: Final = r"[A-Za-z0-9_-]{1,64}"
DEVICE_NAME_SHAPE: Final = "1 to 64 letters, digits, - or _"
EXPECTATIONS: Final = ("allowed", "denied", "explicit_deny", "implicit_deny")
_IPV4, _IPV6 = r"[0-9]{1,3}(\.[0-9]{1,3}){3}", r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*"

# A moment with its time zone.
_MOMENT: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})"
AT: Final = "at"


def _key(key: RequestKey) -> Key:
    several = " or ".join(key.values) if key.multi_valued else ""
    none = "an empty list: none" if key.multi_valued else "empty: none"
    about = key.about + (f", {several}" if several else "") + (f"; {none}" if key.may_lack else "")
    only = (
        f" (condition key {key.name}, of {', '.join(key.actions)})" if key.actions else f" (condition key {key.name})"
    )
    return Key(
        name=key.case_key,
        about=about + only,
        kind=list if key.multi_valued else str,
        choices=() if key.multi_valued or not key.values else ("", *key.values),
        pattern="|".join(key.values) if key.multi_valued else None,
        shape=several,
    )


_TIMES: Final = (CURRENT_TIME, EPOCH_TIME)
# What a request says besides who asks: with the case where it is of certain actions, else with the device.
REQUEST_KEYS_OF_CASES: Final = {key.case_key: key for key in REQUEST_KEYS.values() if key.actions}
REQUEST_KEYS_OF_DEVICES: Final = {
    key.case_key: key for key in REQUEST_KEYS.values() if not key.actions and key.name not in _TIMES
}

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
    Key(
        name=AT,
        about="when it asks, with a time zone (condition keys aws:CurrentTime and aws:EpochTime)",
        pattern=_MOMENT,
        shape="a moment such as 2026-01-31T12:00:00Z",
    ),
    *map(_key, REQUEST_KEYS_OF_CASES.values()),
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
    *map(_key, REQUEST_KEYS_OF_DEVICES.values()),
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
    Key(name="type", about="name of its Thing type; empty: it has none"),
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
# A finding of the lint that was reviewed and may stay.
EXCEPTION_KEYS: Final = (
    Key(name="rule", about="which rule of the lint; those on grammar and size have no exceptions", required=True),
    Key(
        name="path",
        about="where: the finding's JSON Pointer, such as /Statement/0/Resource/1",
        required=True,
        pattern=r"(/.+)?",
        shape="a JSON Pointer such as /Statement/0/Resource/1, as jitr policy lint --json prints it",
    ),
    Key(
        name="reason",
        about="why it may stay, in one sentence",
        required=True,
        pattern=r"\S.{9,}",
        shape="one sentence on one line",
    ),
    Key(
        name="reviewer",
        about="the role that reviewed it, such as fleet security lead",
        required=True,
        pattern=r"\S.*",
        shape="a role, on one line",
    ),
    Key(
        name="until",
        about="the last day on which it holds; from the next on it is an error",
        required=True,
        pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
        shape="a day such as 2027-06-30 in quotes",
    ),
)
