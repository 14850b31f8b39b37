"""The values that a policy template may name: those of the deployment, and those of a device."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

DEPLOYMENT_VALUES = ("account", "partition", "region")


@dataclass(frozen=True)
class DeviceValue:
    """A value that comes from a device's certificate: what it must look like as a whole, and its greatest length."""

    pattern: re.Pattern[str]
    longest: int
    about: str


# Nothing that a pattern lets through is a wildcard, a variable, a topic level or an end of text to AWS IoT or to JSON.
DEVICE_VALUES: Mapping[str, DeviceValue] = MappingProxyType(
    {
        "device.thing_name": DeviceValue(
            re.compile(r"[a-zA-Z0-9:_-]{1,128}"), 128, "the Thing's name: 1 to 128 of A-Z a-z 0-9 : _ -"
        ),
        # X.520 allows 64 characters.
        "device.common_name": DeviceValue(
            re.compile(r"[a-zA-Z0-9:_.-]{1,64}"), 64, "the subject's one common name: 1 to 64 of A-Z a-z 0-9 : _ . -"
        ),
        # RFC 5280 section 4.1.2.2: positive, 20 octets at most.
        "device.serial": DeviceValue(
            re.compile(r"[0-9a-f]{1,40}"), 40, "the serial number in lower-case hexadecimal, 40 digits at most"
        ),
        "device.certificate_id": DeviceValue(
            re.compile(r"[0-9a-f]{64}"), 64, "the certificate's id in AWS IoT: 64 lower-case hexadecimal digits"
        ),
    }
)


class PolicyError(ValueError):
    """A template that is no usable policy; the message names what is wrong, `line` where, if that is known."""

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class DeviceValueError(PolicyError):
    """A device's certificate has a text that must not get into a policy; the message does not repeat it."""


def longest_device_values() -> dict[str, str]:
    """Return device values of the greatest length that their patterns let through."""
    return {name: "f" * value.longest for name, value in DEVICE_VALUES.items()}
