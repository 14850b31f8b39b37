"""What is attached to what in the strict AWS IoT of fake_iot.py: listed in pages, and detached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.aws.fake_iot_policies import Refused

_PAGE = 2  # small, so that whoever reads one page only is found out


class FakeAttachments:
    """The API calls about attachments; `certificates` and `things` are FakeIot's."""

    certificates: Any
    things: Any

    def _detach_thing_principal(self, given: Mapping[str, Any]) -> dict[str, Any]:
        certificate = self._attached_to(given["principal"])
        if given["thingName"] not in self.things or given["thingName"] not in certificate.things:
            raise Refused("ResourceNotFoundException")
        certificate.things.remove(given["thingName"])
        return {}

    def _list_thing_principals(self, given: Mapping[str, Any]) -> dict[str, Any]:
        name = given["thingName"]
        if name not in self.things:
            raise Refused("ResourceNotFoundException")
        # The account and Region of the one client there is.
        found = [
            f"arn:aws:iot:us-east-1:000000000000:cert/{each}"
            for each, c in self.certificates.items()
            if name in c.things
        ]
        return _paged("principals", found, given.get("nextToken"), "nextToken")

    def _list_principal_things(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return _paged("things", self._attached_to(given["principal"]).things, given.get("nextToken"), "nextToken")

    def _list_attached_policies(self, given: Mapping[str, Any]) -> dict[str, Any]:
        names = self._attached_to(given["target"]).policies
        found = [
            {"policyName": name, "policyArn": f"arn:aws:iot:us-east-1:000000000000:policy/{name}"} for name in names
        ]
        return _paged("policies", found, given.get("marker"), "nextMarker")

    def _attached_to(self, arn: str) -> Any:
        certificate_id = arn.rpartition("/")[2]
        if certificate_id not in self.certificates:
            raise Refused("ResourceNotFoundException")
        return self.certificates[certificate_id]


def _paged(name: str, found: Sequence[Any], token: str | None, next_name: str) -> dict[str, Any]:
    start = int(token or "0")
    more = start + _PAGE < len(found)
    return {name: list(found[start : start + _PAGE])} | ({next_name: str(start + _PAGE)} if more else {})
