"""Things in AWS IoT's registry, and which certificate each belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from jitr.aws.failures import aws_call
from jitr.errors import Undecided
from jitr.settings import CERTIFICATE_ATTRIBUTE

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

NOTHING_MORE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What decides about a Thing: the certificate it belongs to, and the version to change it by."""

    certificate_id: str | None
    version: int


@dataclass(frozen=True)
class Things:
    """The Things of one account and Region."""

    client: IoTClient

    def create_thing(
        self,
        thing_name: str,
        certificate_id: str,
        *,
        thing_type: str | None = None,
        attributes: Mapping[str, str] = NOTHING_MORE,
    ) -> bool:
        """Create a Thing that belongs to a certificate; returns False when one of that name exists with other content.

        On AWS the same name with the same content succeeds, so a second delivery does too (API reference, CreateThing).
        """
        kind = {} if thing_type is None else {"thingTypeName": thing_type}
        with aws_call("CreateThing"):
            try:
                self.client.create_thing(
                    thingName=thing_name,
                    attributePayload={"attributes": {**attributes, CERTIFICATE_ATTRIBUTE: certificate_id}},
                    **kind,
                )
            except self.client.exceptions.ResourceAlreadyExistsException:
                return False
        return True

    def add_to_group(self, thing_name: str, group: str) -> None:
        """Add a Thing to a static group; one that is in it already stays in it."""
        with aws_call("AddThingToThingGroup"):
            self.client.add_thing_to_thing_group(thingName=thing_name, thingGroupName=group)

    def describe_thing(self, thing_name: str) -> Thing:
        """Read whom a Thing belongs to."""
        with aws_call("DescribeThing"):
            answer = self.client.describe_thing(thingName=thing_name)
        return Thing(certificate_id=answer["attributes"].get(CERTIFICATE_ATTRIBUTE), version=answer["version"])

    def find_thing(self, thing_name: str) -> Thing | None:
        """Read whom a Thing belongs to; None where there is no such Thing."""
        try:
            return self.describe_thing(thing_name)
        except Undecided as error:
            if isinstance(error.__cause__, self.client.exceptions.ResourceNotFoundException):
                return None
            raise

    def hand_over_thing(self, thing_name: str, *, to: str, version: int) -> None:
        """Make a Thing belong to another certificate, if it was not changed since `version` was read."""
        with aws_call("UpdateThing"):
            self.client.update_thing(
                thingName=thing_name,
                attributePayload={"attributes": {CERTIFICATE_ATTRIBUTE: to}, "merge": True},
                expectedVersion=version,
            )

    def attach_thing(self, thing_name: str, certificate_arn: str) -> None:
        """Attach the certificate to its Thing, and to that one only; doing it twice is no error."""
        with aws_call("AttachThingPrincipal"):
            self.client.attach_thing_principal(
                thingName=thing_name, principal=certificate_arn, thingPrincipalType="EXCLUSIVE_THING"
            )

    def detach_thing(self, thing_name: str, certificate_arn: str) -> None:
        """Detach a certificate from a Thing; one that is not attached, or a Thing that is gone, is no error."""
        with aws_call("DetachThingPrincipal"):
            try:
                self.client.detach_thing_principal(thingName=thing_name, principal=certificate_arn)
            except self.client.exceptions.ResourceNotFoundException:
                return

    def principals_of(self, thing_name: str) -> tuple[str, ...]:
        """Return the ARNs of what is attached to a Thing."""
        with aws_call("ListThingPrincipals"):
            pages = self.client.get_paginator("list_thing_principals").paginate(thingName=thing_name)
            return tuple(arn for page in pages for arn in page["principals"])

    def things_of(self, certificate_arn: str) -> tuple[str, ...]:
        """Return the names of the Things that a certificate is attached to."""
        with aws_call("ListPrincipalThings"):
            pages = self.client.get_paginator("list_principal_things").paginate(principal=certificate_arn)
            return tuple(name for page in pages for name in page["things"])
