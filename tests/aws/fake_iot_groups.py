"""Thing types and static groups in the strict AWS IoT of fake_iot.py: Things refer to those that are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.aws.fake_iot_policies import Refused

ATTRIBUTES, ATTRIBUTES_WITH_TYPE, GROUPS = 3, 50, 10


@dataclass
class FakeGroups:
    """The API call about groups; `thing_groups` are the Things in each, `things` are FakeIot's."""

    thing_types: set[str] = field(default_factory=set)
    thing_groups: dict[str, list[str]] = field(default_factory=dict)
    things: Any = None

    def _add_thing_to_thing_group(self, given: Mapping[str, Any]) -> dict[str, Any]:
        name, group = given["thingName"], given["thingGroupName"]
        if name not in self.things or group not in self.thing_groups:
            raise Refused("ResourceNotFoundException")
        if name not in self.thing_groups[group]:
            if sum(name in members for members in self.thing_groups.values()) >= GROUPS:
                raise Refused("InvalidRequestException", "too many groups")
            self.thing_groups[group].append(name)
        return {}

    def _refuse_content(self, kind: str | None, attributes: Mapping[str, str]) -> None:
        """Refuse what no Thing may be created with."""
        if kind is not None and kind not in self.thing_types:
            raise Refused("ResourceNotFoundException")
        if len(attributes) > (ATTRIBUTES if kind is None else ATTRIBUTES_WITH_TYPE):
            raise Refused("InvalidRequestException", "too many attributes")
